"""The bundled table gives the right whole-number prices, at the right moment, or none."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TimeOfDateConstraint,
)
from genai_prices.types import Usage as TheirUsage

from sluicegate.control.prices.catalogue import Catalogue, bundled
from sluicegate.control.prices.upstream import Upstream
from sluicegate.domain.pricing import cost
from sluicegate.domain.usage import Usage

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPENAI = Upstream("openai", "openai", "https://api.openai.com/v1")
ANTHROPIC = Upstream("anthropic", "anthropic", "https://api.anthropic.com")


def made(**prices: Decimal) -> Catalogue:
    """A table with one model, `m`, of one provider, `p`."""
    model = ModelInfo(id="m", match=ClauseEquals("m"), prices=ModelPrice(**prices))
    return Catalogue([Provider(id="p", name="P", api_pattern="https://p", models=[model])], "table 1")


@pytest.mark.parametrize(
    ("upstream", "model"),
    [
        (OPENAI, "gpt-4o-2024-08-06"),
        (OPENAI, "gpt-4.1"),
        (OPENAI, "text-embedding-3-small"),
        (ANTHROPIC, "claude-sonnet-4-5-20250929"),
        (ANTHROPIC, "claude-3-5-haiku-latest"),
    ],
)
@pytest.mark.parametrize("tokens", [1_000, 300_000])
def test_costs_agree_with_the_library(upstream: Upstream, model: str, tokens: int) -> None:
    """Our cost is that of genai-prices, rounded up to a nano-dollar."""
    price = bundled().price(upstream, model, NOW)
    provider = next(one for one in providers if one.id == upstream.name)
    found = provider.find_model(model)
    assert price is not None
    assert found is not None
    usage = TheirUsage(input_tokens=tokens, cache_read_tokens=100, output_tokens=321)
    theirs = found.calc_price(usage, provider, genai_request_timestamp=NOW)
    assert cost(price, Usage(tokens, 321, cache_read_tokens=100)) == -(-theirs.total_price * 10**9 // 1)
    assert price.version.startswith("genai-prices ")


@pytest.mark.parametrize("model", ["gpt-4o-audio-preview", "whisper-1", "gpt-4o-mini-tts", "no-such-model"])
def test_what_cannot_be_priced_has_no_price(model: str) -> None:
    """Sound without a rate for sound, what is sold by the minute, and what is unknown: none of it is free."""
    assert bundled().price(OPENAI, model, NOW) is None


def test_rates_of_other_services_come_along() -> None:
    """Where the table has any: the usual ones stay what they are."""
    provider = next(one for one in providers if one.id == "openai")
    found = provider.find_model("gpt-4o")
    price = bundled().price(OPENAI, "gpt-4o", NOW)
    assert found is not None
    assert price is not None
    (batch,) = [one for one in price.services if one.name == "batch"]
    assert found.get_prices(NOW, {"processing": "batch"}).input_mtok == Decimal(batch.rates.input) / 10**9
    assert batch.rates.input * 2 == price.rates.input
    assert batch.rates.output * 2 == price.rates.output


def test_every_service_of_the_table_is_known() -> None:
    """But for the usual one: a new name in the table is to be looked at."""
    models = [model for provider in providers for model in provider.models]
    variants = [variant for model in models for variant in model.price_variants or ()]
    served = {each.when.get(name) for each in variants for name in ("service_tier", "processing", "speed")}
    assert served - {None, "default"} == {"batch", "flex", "priority", "fast"}


def test_units_become_whole_numbers() -> None:
    """A rate with more digits than a nano-dollar is rounded up, a thousand requests are divided."""
    price = made(
        input_mtok=Decimal("0.0000000001"),
        output_mtok=Decimal(2),
        output_image_mtok=Decimal(3),
        requests_kcount=Decimal(5),
    ).price(Upstream("p"), "m", NOW)
    assert price is not None
    assert (price.rates.input, price.rates.output, price.rates.request) == (1, 3_000_000_000, 5_000_000)


@pytest.mark.parametrize(
    "prices",
    [
        {},
        {"output_mtok": Decimal(1)},
        {"input_mtok": Decimal(1)},
        {"input_mtok": Decimal(1), "audio_hours": Decimal(1)},
    ],
)
def test_half_a_price_is_none(prices: dict[str, Decimal]) -> None:
    """Without a rate for input or output, or beside a unit that is not counted, there is no price."""
    assert made(**prices).price(Upstream("p"), "m", NOW) is None


def dated() -> Catalogue:
    """A model that gets dearer on the 23rd, and is cheap from 20:00 to 22:00."""
    prices = [
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(2))),
        ConditionalPrice(
            StartDateConstraint(date(2026, 11, 23)), prices=ModelPrice(input_mtok=Decimal(4), output_mtok=Decimal(4))
        ),
        ConditionalPrice(
            TimeOfDateConstraint(time(20), time(22)), prices=ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1))
        ),
    ]
    model = ModelInfo(id="m", match=ClauseEquals("m"), prices=prices)
    return Catalogue([Provider(id="p", name="P", api_pattern="https://p", models=[model])], "table 1")


@pytest.mark.parametrize(
    ("now", "dollars", "change"),
    [
        (NOW, 2, timedelta(hours=8)),
        (NOW + timedelta(hours=8), 1, timedelta(hours=2)),
        (NOW + timedelta(hours=10), 2, timedelta(hours=22)),
        (NOW + timedelta(days=2), 4, timedelta(hours=8)),
        (NOW + timedelta(days=1, hours=10), 2, timedelta(hours=2)),
    ],
)
def test_the_moment_decides(now: datetime, dollars: int, change: timedelta) -> None:
    """The price is that of the moment, and it is known when it changes."""
    catalogue = dated()
    price = catalogue.price(Upstream("p"), "m", now)
    assert price is not None
    assert price.rates.input == dollars * 10**9
    assert catalogue.changes_at(Upstream("p"), "m", now) == now + change


def test_most_prices_never_change_by_themselves() -> None:
    """Neither a plain price nor an unknown model has a moment of change."""
    catalogue = made(input_mtok=Decimal(1), output_mtok=Decimal(1))
    assert catalogue.changes_at(Upstream("p"), "m", NOW) is None
    assert catalogue.changes_at(Upstream("p"), "n", NOW) is None
    assert list(catalogue.models()) == [("p", "m")]
    assert repr(catalogue) == "<Catalogue table 1 providers=1>"
