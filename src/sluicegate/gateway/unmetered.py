"""What takes tokens or dollars that nobody here can bound beforehand: no hard limit lets it pass.

Rule 1. What runs later or elsewhere (a batch, an answer made in the background, a call), what is kept for a price by
        the hour (Gemini's caches), and conversations of APIs that no cap can be written for: a hard limit of tokens or
        dollars refuses it.
Rule 2. What is paid for by something else than tokens (an image, a second of sound, training): a hard limit of dollars
        refuses it, as its price is not known.
Rule 3. Where what has no price is free by configuration, dollars are no reason, but for WebSockets, whose requests
        cannot even be seen. A cap of the caller's own is always one.
Rule 4. To look at such a thing, or to end it, is one request.
Rule 5. Images and sound may report tokens: a hard limit of tokens sets aside the most they take. A limit that is not
        hard lets all of these pass as long as anything is left of it.
Rule 6. What makes tokens cost more than the model's price says, or other things beside them, has no price either; nor
        has what another model may answer, which the request names for its provider to ask instead.
"""

from typing import TYPE_CHECKING, Final

from sluicegate.domain.bounds import Bound
from sluicegate.domain.errors import PriceUnknownError, UnmeteredError
from sluicegate.domain.pricing import Price, at_most
from sluicegate.gateway.purses import TOKENS, USD, Purse
from sluicegate.gateway.routes import Route
from sluicegate.wire.caps import CapFields, read_caps, spelled_out
from sluicegate.wire.paid_tools import paid_tool
from sluicegate.wire.stand_ins import stand_ins
from sluicegate.wire.stated import SILENT, Stated, has_stored_prompt
from sluicegate.wire.tiers import dearer_fields

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

UNBOUNDED: Final = frozenset({"batches", "cachedContents", "complete", "interactions", "realtime"})
"""Operations by rule 1."""
UNPRICED: Final = frozenset({"audio", "containers", "evals", "fine_tuning", "images", "predict", "videos"})
"""Operations by rule 2."""
_MAKING: Final = frozenset({b"POST", b"PATCH"})
"""PATCH keeps a cache of Gemini's for longer."""
_ENDINGS: Final = ("cancel", "hangup", "pause")
"""Last words of paths by which something is ended."""


MOST_OF_SOUND: Final = 32_768
"""Tokens: models that report them hold 16,000 (gpt-4o-transcribe), and write as much at most."""
MOST_OF_IMAGE: Final = 16_384
"""Tokens of one image that is made: gpt-image-1 takes 6,208 for its largest."""
MOST_SHOWN: Final = 16
"""Images that one request may show to a model (https://platform.openai.com/docs/api-reference/images)."""
LONGEST_PROMPT: Final = 32_768
"""Tokens: prompts of images have 32,000 characters at most."""
MOST_MADE: Final = 10
"""Images that one request may ask for."""
_IMAGES: Final = CapFields((), choices=("n",))


def refuse_websocket(exchange: "Exchange", purse: Purse) -> None:
    """Raise UnmeteredError where a hard limit, or the caller, bounds tokens or dollars."""
    if exchange.head.max_cost:
        raise UnmeteredError("what a WebSocket uses cannot be bounded: open it without x-gateway-max-cost-usd")
    if purse.has_hard_amounts:
        raise UnmeteredError(
            "a hard limit of tokens or dollars holds for this token, and what a WebSocket uses cannot be bounded:"
            " use the HTTP API, or make the limit soft"
        )


def refuse_unmetered(exchange: "Exchange", purse: Purse) -> None:
    """Raise UnmeteredError where the operation takes what a hard limit is about, and nobody can tell how much."""
    route = exchange.route
    is_unbounded = route.operation in UNBOUNDED
    if not _makes_something(route):
        return
    _refuse(exchange, purse, f"what a request of {route.operation} takes", is_about_tokens=is_unbounded)


def _makes_something(route: Route) -> bool:
    """Whether the operation is one of these, and no look at what was made, or its end."""
    if route.method not in _MAKING or route.rest.endswith(_ENDINGS):
        return False
    return route.operation in UNBOUNDED or route.operation in UNPRICED


def in_advance(exchange: "Exchange") -> Bound:
    """What is set aside for an operation that is not paid for by the token alone. Raises PeekError."""
    route = exchange.route
    operation = route.operation
    if not _makes_something(route):
        return Bound(0, 0, 0)
    tokens = 0
    if operation in UNBOUNDED:
        tokens = 1
    elif operation == "audio":
        tokens = MOST_OF_SOUND
    elif operation == "images":
        tokens = _tokens_of_images(exchange)
    is_free = exchange.services.snapshot.unknown_price == "free"
    return Bound(tokens, 0 if is_free else 1, 0)


def _tokens_of_images(exchange: "Exchange") -> int:
    made = MOST_MADE
    if exchange.is_held and exchange.body_size:
        made = read_caps(exchange.whole_body(), _IMAGES).choices
    shown = 0 if exchange.route.rest == "images/generations" else MOST_SHOWN
    return LONGEST_PROMPT + shown * exchange.route.dialect.image_tokens(exchange.model) + made * MOST_OF_IMAGE


def refuse_background(exchange: "Exchange", purse: Purse) -> None:
    """The same for an answer that is made in the background."""
    _refuse(exchange, purse, "what an answer in the background takes", is_about_tokens=True)


def _refuse(exchange: "Exchange", purse: Purse, what: str, *, is_about_tokens: bool) -> None:
    if exchange.head.max_cost:
        raise UnmeteredError(f"{what} cannot be bounded: send it without x-gateway-max-cost-usd")
    if is_about_tokens and purse.hard[TOKENS]:
        raise UnmeteredError(
            f"a hard limit of tokens holds for this token, and {what} cannot be bounded: make the limit soft"
        )
    if purse.hard[USD] and exchange.services.snapshot.unknown_price == "refuse":
        raise UnmeteredError(
            f"a hard limit in dollars holds for this token, and {what} cannot be bounded: make the limit soft, or set"
            " limits.unknown_price: free"
        )


def price_at_most(exchange: "Exchange", stated: Stated | None) -> Price | None:
    """The price by which the request's tokens cost the most that they may.

    Raises PriceUnknownError where that is not known: of a service tier that the price has nothing of, or that the
    answer would not tell of.
    """
    price = exchange.price
    if stated is SILENT or price is None:
        # What has no price is free here by configuration, in any tier: else it was refused before.
        return price
    if not exchange.is_held:
        raise PriceUnknownError(
            "there is a hard limit in dollars, and this body cannot be read: it may ask for a service_tier beyond the"
            " model's price. Send JSON, not compressed and below server.limits.held_body_bytes, or make the limit soft",
            parameter="service_tier",
        )
    asked = dearer_fields(exchange.whole_body(), stated)
    known = {one.name for one in price.services} if exchange.route.dialect.tells_service else set()
    for field, service in asked.items():
        if service not in known:
            raise PriceUnknownError(
                f"there is a hard limit in dollars, and what this {field} makes of the price of the model"
                f" {exchange.model!r} is not known: leave {field} out, or make the limit soft",
                parameter=field,
            )
    return at_most(price, asked.values())


def refuse_stand_ins(exchange: "Exchange", stated: Stated | None) -> None:
    """Raise PriceUnknownError where the provider may ask another model than the one whose price is reckoned with."""
    if stated is SILENT or not exchange.is_held or not exchange.body_size:
        return
    named = stand_ins(exchange.whole_body())
    other = next((name for name in named if name not in (exchange.model, exchange.requested_model)), None)
    if other is not None:
        raise PriceUnknownError(
            f"there is a hard limit in dollars, and the model {other!r}, which this request names beside its own, may"
            " cost more: leave it out, or name it among the fallbacks of a model of the gateway's, or make the limit"
            " soft",
            parameter="models",
        )


def refuse_paid_tools(exchange: "Exchange", stated: Stated | None) -> None:
    """Raise PriceUnknownError where a tool is asked for that costs more than its tokens, by fees that are not known."""
    if exchange.services.snapshot.unknown_price != "refuse" or not exchange.is_held or not exchange.body_size:
        return
    body = exchange.whole_body()
    if has_stored_prompt(body, stated):
        raise PriceUnknownError(
            "there is a hard limit in dollars, and what the tools of a prompt that the provider keeps cost is not"
            " known: send its text, make the limit soft, or set limits.unknown_price: free",
            parameter="prompt",
        )
    tool = paid_tool(spelled_out(body))
    if tool is not None:
        raise PriceUnknownError(
            f"there is a hard limit in dollars, and what the provider's own tool {tool} costs beside its tokens is not"
            " known: leave it out, make the limit soft, or set limits.unknown_price: free",
            parameter="tools",
        )
