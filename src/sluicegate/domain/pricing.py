"""Prices: what a model's tokens cost, in whole nano-dollars for a million of them, and the cost of an exchange."""

from collections.abc import Collection
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from sluicegate.domain.usage import Usage

_MILLION = 1_000_000


class Rates(Struct, frozen=True, omit_defaults=True):
    """Nano-dollars for a million tokens of each kind; None where the kind costs what the plain one costs.

    `request` is nano-dollars for each request.
    """

    input: int = 0
    output: int = 0
    cache_read: int | None = None
    cache_write: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    request: int = 0
    cache_write_1h: int | None = None
    """Input that is kept in the cache for an hour; None where it costs what other writing to the cache costs."""


class Tier(Struct, frozen=True):
    """Rates for exchanges with more than `above` input tokens."""

    above: int
    rates: Rates


class Service(Struct, frozen=True, omit_defaults=True):
    """Rates for exchanges that were served by this tier of the provider's service: `flex`, `priority`, `batch` …"""

    name: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()


class Price(Struct, frozen=True, omit_defaults=True, cache_hash=True):
    """What one model of one provider costs. `version` names the table it is from, for the record.

    `rates` and `tiers` are those of the usual service tier, `services` of the others as far as they are known.
    `longest_output` and `context` are tokens; 0 where they are not known.
    """

    version: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()
    longest_output: int = 0
    context: int = 0
    services: tuple[Service, ...] = ()


def as_served(price: Price, service: str | None) -> Price:
    """The price of what was served by a tier; as it is where that is the usual one, or has no rates of its own."""
    if service is not None:
        for one in price.services:
            if one.name == service:
                return replace(price, rates=one.rates, tiers=one.tiers, services=())
    return price


def at_most(price: Price, services: Collection[str]) -> Price:
    """A price for bounds: the highest cost by it is that of the usual tier and of all of these that have rates."""
    chosen = [one for one in price.services if one.name in services]
    if not chosen:
        return price
    others = [tier for one in chosen for tier in (Tier(0, one.rates), *one.tiers)]
    return replace(price, tiers=(*price.tiers, *others), services=())


def cost(price: Price, usage: Usage) -> int:
    """What an exchange cost, in nano-dollars, rounded up: exact, and above nothing but the next whole one.

    What was read from or written to a cache, and audio, is priced apart where it has rates of its own; all of it is
    part of `usage.input_tokens` or `usage.output_tokens`.
    """
    rates = price.rates
    if not price.tiers and not (usage.cache_read_tokens or usage.cache_write_tokens or usage.input_audio_tokens):
        if not usage.output_audio_tokens:
            total = usage.input_tokens * rates.input + usage.output_tokens * rates.output
            return -(-total // _MILLION) + rates.request
    for tier in price.tiers:
        if usage.input_tokens > tier.above:
            rates = tier.rates
    written = usage.cache_write_tokens
    for_an_hour = min(usage.cache_write_1h_tokens, written) if rates.cache_write_1h is not None else 0
    parts = (
        (usage.cache_read_tokens, rates.cache_read),
        (for_an_hour, rates.cache_write_1h),
        (written - for_an_hour, rates.cache_write),
        (usage.input_audio_tokens, rates.input_audio),
    )
    plain = usage.input_tokens
    total = 0
    for tokens, rate in parts:
        # Providers have been seen to report parts that are more than the whole.
        special = min(tokens, plain) if rate is not None else 0
        plain -= special
        total += special * (rate or 0)
    spoken = min(usage.output_audio_tokens, usage.output_tokens) if rates.output_audio is not None else 0
    total += plain * rates.input + (usage.output_tokens - spoken) * rates.output + spoken * (rates.output_audio or 0)
    return -(-total // _MILLION) + rates.request


def with_hourly_cache(price: Price) -> Price:
    """The price with twice the input's rate for what the cache keeps for an hour, where it has no rate for that.

    Anthropic: https://platform.claude.com/docs/en/build-with-claude/prompt-caching.
    """
    return replace(
        price,
        rates=_with_hourly_cache(price.rates),
        tiers=_all_with_hourly_cache(price.tiers),
        services=tuple(
            Service(one.name, _with_hourly_cache(one.rates), _all_with_hourly_cache(one.tiers))
            for one in price.services
        ),
    )


def _all_with_hourly_cache(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    return tuple(Tier(tier.above, _with_hourly_cache(tier.rates)) for tier in tiers)


def _with_hourly_cache(rates: Rates) -> Rates:
    return rates if rates.cache_write_1h is not None else replace(rates, cache_write_1h=2 * rates.input)


def highest_cost(price: Price, input_tokens: int, output_tokens: int) -> int:
    """The most that so many tokens can cost, of whatever kinds and in whichever tier they are: never below `cost`."""
    dearest = _dearest(price)
    if len(dearest) == 1:
        input_rate, output_rate, request = dearest[0]
        return -(-(input_tokens * input_rate + output_tokens * output_rate) // _MILLION) + request
    highest = 0
    for input_rate, output_rate, request in dearest:
        cost = -(-(input_tokens * input_rate + output_tokens * output_rate) // _MILLION) + request
        if cost > highest:
            highest = cost
    return highest


@lru_cache(maxsize=4096)
def _dearest(price: Price) -> tuple[tuple[int, int, int], ...]:
    """For each tier the dearest rates of input and output, and what a request costs."""
    return tuple(_dearest_of(rates) for rates in (price.rates, *[tier.rates for tier in price.tiers]))


def _dearest_of(rates: Rates) -> tuple[int, int, int]:
    kinds = (rates.cache_read, rates.cache_write, rates.cache_write_1h, rates.input_audio)
    return max(rates.input, *[rate or 0 for rate in kinds]), max(rates.output, rates.output_audio or 0), rates.request
