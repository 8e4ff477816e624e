"""The most an exchange may take: tokens and nano-dollars to set aside before it begins, and the cap that makes it true.

Rule 1. The output's bound is the client's own cap; without one, the model's maximum, or if that is less, the larger of
        USUAL_OUTPUT and an eighth of what remains of the limit; where the maximum is not known, USUAL_OUTPUT. So a few
        large answers do not lock a limit, and the usual answer is never cut. Where not even that remains, it is what
        remains.
Rule 2. A bound that is below what the model could write must be written into the request as its cap.
"""

from msgspec import Struct
from msgspec.structs import replace

from sluicegate.domain.pricing import Price, highest_cost

USUAL_OUTPUT = 16_384
"""Tokens: more than nearly all answers have."""
LEAST_OUTPUT = 16
"""Tokens below which an answer is not worth having (the least that OpenAI's Responses API accepts)."""
MOST_HELD = 2**53
"""Tokens or nano-dollars: more than any limit has. What is above it fits into no message, no ledger, no journal."""
UNKNOWN_CONTEXT = 1_000_000
"""Tokens a model reads at most, where neither its price list nor the request's bytes tell."""


class Asked(Struct, frozen=True):
    """What a request asks for: the most tokens it makes a model read, its own cap for each choice, how many choices.

    `writes` is False where no output is billed (embeddings). `is_repeated` says that the model may read its input
    several times, so that what it holds at once is no bound.
    """

    input_tokens: int
    cap: int | None = None
    choices: int = 1
    writes: bool = True
    is_repeated: bool = False


class Left(Struct, frozen=True):
    """What remains of the tightest hard limits, None where there is none; and the request's own in nano-dollars."""

    tokens: int | None = None
    usd: int | None = None
    own_usd: int | None = None


class Bound(Struct, frozen=True, gc=False):
    """What to set aside, and the cap to write into the request, None where it stays as it is."""

    tokens: int
    usd: int
    output: int
    cap: int | None = None


def bound_of(asked: Asked, left: Left, price: Price | None) -> Bound:
    """The bound of a request. Without a price it costs nothing: whether that may be is for the caller to judge."""
    read = asked.input_tokens
    if asked.is_repeated and price is not None:
        price = replace(price, context=0)
    if price is not None and price.context:
        read = min(read, price.context)
    if not asked.writes:
        return Bound(read, 0 if price is None else highest_cost(price, read, 0), 0)
    longest = price.longest_output if price is not None else 0
    if asked.cap is None and left.own_usd is None:
        usual = usual_bound(read, asked.choices, left.tokens, left.usd, price)
        if usual is not None:
            return usual
    affordable = _affordable(read, asked.choices, left, price)
    each = asked.cap
    cap = None
    if each is None:
        each = USUAL_OUTPUT
        if longest:
            each = min(longest, max(USUAL_OUTPUT, (affordable or 0) // 8))
        if affordable is not None:
            each = min(each, max(affordable, LEAST_OUTPUT))
        cap = each if not longest or each < longest else None
    if left.own_usd is not None and price is not None:
        own = max(LEAST_OUTPUT, _output_for(left.own_usd, read, asked.choices, price))
        if own < each:
            each = cap = own
    output = each * asked.choices
    usd = 0 if price is None else highest_cost(price, read, output)
    return Bound(min(read + output, MOST_HELD), min(usd, MOST_HELD), output, cap)


def usual_bound(read: int, choices: int, tokens: int | None, usd: int | None, price: Price | None) -> Bound | None:
    """The bound of a request without a cap, where so much is left of `tokens` and `usd` that it need not be less.

    None where it must be reckoned backwards from what is left.
    """
    each = USUAL_OUTPUT
    cost = 0
    is_capped = True
    if price is not None:
        if price.longest_output:
            each = price.longest_output
            is_capped = False
            if each > USUAL_OUTPUT:
                return None
        if price.context and read > price.context:
            read = price.context
        output = each * choices
        cost = highest_cost(price, read, output)
    else:
        output = each * choices
    if (tokens is not None and read + output > tokens) or (usd is not None and cost > usd):
        return None
    return Bound(read + output, cost, output, each if is_capped else None)


def _affordable(read: int, choices: int, left: Left, price: Price | None) -> int | None:
    """Tokens that each choice may have by what remains of the limits; None where none of them bounds it."""
    found: list[int] = []
    if left.tokens is not None:
        found.append(max(0, left.tokens - read) // choices)
    if left.usd is not None and price is not None:
        found.append(_output_for(left.usd, read, choices, price))
    return min(found) if found else None


def _output_for(usd: int, read: int, choices: int, price: Price) -> int:
    """Tokens that each choice may have for so many nano-dollars."""
    spare = usd - highest_cost(price, read, 0)
    # By the thousand, so that the rounding up of a cost is not taken for the rate.
    dearest = highest_cost(price, read, 1_000_000) - highest_cost(price, read, 0)
    if spare <= 0:
        return 0
    return spare * 1_000_000 // dearest // choices if dearest > 0 else UNKNOWN_CONTEXT
