"""What takes tokens or dollars that nobody here can bound beforehand: no hard limit lets it pass.

Rule 1. What runs later or elsewhere (a batch, an answer made in the background, a call), and conversations of APIs that
        no cap can be written for: a hard limit of tokens or dollars refuses it.
Rule 2. What is paid for by something else than tokens (an image, a second of sound, training): a hard limit of dollars
        refuses it, as its price is not known.
Rule 3. Where what has no price is free by configuration, dollars are no reason, but for WebSockets, whose requests
        cannot even be seen. A cap of the caller's own is always one.
Rule 4. To look at such a thing, or to end it, is one request.
"""

from typing import TYPE_CHECKING, Final

from sluicegate.domain.errors import UnmeteredError
from sluicegate.gateway.purses import TOKENS, USD, Purse

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

UNBOUNDED: Final = frozenset({"batches", "complete", "interactions", "realtime"})
"""Operations by rule 1."""
UNPRICED: Final = frozenset({"audio", "containers", "evals", "fine_tuning", "images", "predict", "videos"})
"""Operations by rule 2."""
_ENDINGS: Final = ("cancel", "hangup", "pause")
"""Last words of paths by which something is ended."""


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
    if route.method != b"POST" or not (is_unbounded or route.operation in UNPRICED) or route.rest.endswith(_ENDINGS):
        return
    _refuse(exchange, purse, f"what {route.operation} take", is_about_tokens=is_unbounded)


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
