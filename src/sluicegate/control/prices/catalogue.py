"""The bundled table of genai-prices → our whole-number prices. Reads what is installed; never the network.

Rule 1. What cannot be priced has no price: none is ever taken for zero. So a model that is sold by the hour, the
        character or the page, and a model of sound without a rate for sound, are not priced.
Rule 2. A kind of token that usage does not tell apart (images, video) costs what the dearest of them costs.
Rule 3. Which of several prices holds depends on the moment that is passed in.
"""

import importlib
import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sluicegate.control.prices.upstream import Upstream, candidates, provider_of
from sluicegate.domain.money import NANO
from sluicegate.domain.pricing import Price, Rates, Service, Tier

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

_THOUSAND = 1_000
_SOUND = re.compile(r"audio|realtime|transcri|tts|whisper|speech|voice")
_NO_OUTPUT = re.compile(r"embed|rerank|moderation|bge|gte-|e5-|voyage|ada-00|guard")
"""Models whose answers have no tokens, so that no rate for output is needed."""
_SERVICES = ("batch", "flex", "priority", "fast")
"""Service tiers that the table knows, as answers call them."""
_UNCOUNTED = re.compile(r".*(?:_hours|_mchars|_kpages|_messages_kcount)")
"""Units that no usage of ours tells."""
_SEEN_INPUT = ("input_mtok", "input_text_mtok", "input_image_mtok", "input_video_mtok")
_SEEN_OUTPUT = ("output_mtok", "output_text_mtok", "output_image_mtok", "output_video_mtok", "output_reasoning_mtok")


class Catalogue:
    """The table, with all its providers."""

    def __init__(self, table: "Sequence[Provider]", version: str) -> None:
        """`version` is what records of exchanges name the table by."""
        self._table = table
        self.version = version

    def __repr__(self) -> str:
        """Tell what it is."""
        return f"<Catalogue {self.version} providers={len(self._table)}>"

    def price(self, upstream: Upstream, model: str, now: datetime) -> Price | None:
        """What the model costs at that moment; None where it is not known."""
        found = self._model(upstream, model)
        if found is None:
            return None
        values = _values(found, now)
        price = _price(self.version, f"{found.id} {model}".lower(), values, found.context_window or 0)
        if price is None or not found.price_variants:
            return price
        served = {name: _values(found, now, name) for name in _SERVICES}
        others = {name: its for name, its in served.items() if its != values}
        return replace(
            price, services=tuple(Service(name, _rates(its, 0), _tiers(its)) for name, its in others.items())
        )

    def changes_at(self, upstream: Upstream, model: str, now: datetime) -> datetime | None:
        """When the price may be another one next; None if never."""
        found = self._model(upstream, model)
        if found is None:
            return None
        conditional = [*(found.prices if isinstance(found.prices, list) else ()), *(found.price_variants or ())]
        moments = [at for one in conditional for at in _moments(one.constraint, now.astimezone(UTC))]
        return min(moments, default=None)

    def models(self) -> Iterator[tuple[str, str]]:
        """All that is listed: provider and model."""
        return ((provider.id, model.id) for provider in self._table for model in provider.models)

    def models_of(self, upstream: Upstream) -> tuple[tuple[str, str], ...]:
        """What one provider has on offer, as far as is known: its names for the models, each with one for people."""
        found = provider_of(upstream, self._table)
        if found is None:
            return ()
        return tuple((model.id, model.name or model.id) for model in found.models if not model.deprecated)

    def _model(self, upstream: Upstream, model: str) -> "ModelInfo | None":
        for provider, name in candidates(upstream, model, self._table):
            found = provider.find_model(name, all_providers=list(self._table))
            if found is not None:
                return found
        return None


def bundled() -> Catalogue:
    """The installed table. Takes some tenths of a second, so not in an event loop, and not before it is needed."""
    data = importlib.import_module("genai_prices.data")
    return Catalogue(data.providers, f"genai-prices {importlib.metadata.version('genai-prices')}")


def _price(version: str, name: str, values: dict[str, Any], context: int) -> Price | None:
    if any(_UNCOUNTED.fullmatch(key) for key in values) or not any(key in values for key in _SEEN_INPUT):
        return None
    if not any(key in values for key in _SEEN_OUTPUT) and _NO_OUTPUT.search(name) is None:
        return None
    if _SOUND.search(name) and "input_audio_mtok" not in values and "output_audio_mtok" not in values:
        return None
    return Price(version=version, rates=_rates(values, 0), tiers=_tiers(values), context=context)


def _values(model: "ModelInfo", now: datetime, service: str | None = None) -> dict[str, Any]:
    """What the table says of a model, for the usual service tier or another one."""
    # Three names for the same thing: batches are a way of processing, fast answers of Anthropic's a speed.
    context = None if service is None else {"service_tier": service, "processing": service, "speed": service}
    return {key: value for key, value in model.get_prices(now, context).__dict__.items() if value is not None}


def _tiers(values: dict[str, Any]) -> tuple[Tier, ...]:
    starts = sorted({tier.start for value in values.values() for tier in getattr(value, "tiers", ())})
    return tuple(Tier(start, _rates(values, start + 1)) for start in starts)


def _rates(values: dict[str, Any], input_tokens: int) -> Rates:
    """The rates for an exchange with so many tokens of input: the whole of it is at those of its tier."""
    rate = {key: _nano(_at(value, input_tokens)) for key, value in values.items()}
    return Rates(
        input=max(rate.get(key, 0) for key in _SEEN_INPUT),
        output=max(rate.get(key, 0) for key in _SEEN_OUTPUT),
        cache_read=rate.get("cache_read_mtok"),
        cache_write=rate.get("cache_write_mtok"),
        input_audio=rate.get("input_audio_mtok"),
        output_audio=rate.get("output_audio_mtok"),
        request=-(-rate.get("requests_kcount", 0) // _THOUSAND),
    )


def _at(value: Any, input_tokens: int) -> Decimal:
    """One rate, of a tier where it has tiers. See TieredPrices in genai-prices: above a threshold, not from it on."""
    tiers = getattr(value, "tiers", None)
    if tiers is None:
        return Decimal(value)
    above = [tier.price for tier in tiers if input_tokens > tier.start]
    return Decimal(above[-1] if above else value.base)


def _nano(dollars: Decimal) -> int:
    return int((dollars * NANO).to_integral_value(ROUND_CEILING))


def _moments(constraint: Any, now: datetime) -> Iterator[datetime]:
    """When a constraint begins or ends to hold, the next time: dates at midnight UTC, times of each day."""
    start_date = getattr(constraint, "start_date", None)
    if start_date is not None:
        at = datetime.combine(start_date, time(), UTC)
        if at > now:
            yield at
    for name in ("start_time", "end_time"):
        of_day = getattr(constraint, name, None)
        if of_day is not None:
            at = datetime.combine(now.date(), of_day, of_day.tzinfo or UTC).astimezone(UTC)
            while at <= now:
                at += timedelta(days=1)
            yield at
