"""What targets cost, for models whose target is the cheapest one."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices.types import ClauseEquals, ConditionalPrice, ModelInfo, ModelPrice, Provider, StartDateConstraint

from sluicegate.config.layers import Overrides
from sluicegate.config.load import load
from sluicegate.control.prices.catalogue import Catalogue
from sluicegate.control.prices.rates import RateWatch, needs_rates, rate, rated, with_rates
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.snapshot import ModelAlias, Snapshot, Target
from tests.control.conftest import WriteSources

PRICES = {("near", "m"): Price("1", Rates(4, 8)), ("far", "m"): Price("1", Rates(1, 2))}
TARGETS = (Target("near", "m"), Target("far", "m", weight=3), Target("far", "unknown"), Target("far", "*"))


def table(provider: str, model: str) -> Price | None:
    """Knows two prices, and would tell one for an asterisk."""
    return PRICES.get((provider, model)) or (Price("1", Rates(7, 7)) if model == "*" else None)


@pytest.mark.parametrize(
    ("price", "expected"),
    [(None, None), (Price("1", Rates(4, 8)), 5), (Price("1", Rates(1, 2)), 2), (Price("1", Rates(0, 0)), 0)],
)
def test_a_rate_is_three_parts_input_and_one_part_output(price: Price | None, expected: int | None) -> None:
    """Rounded up, and not known where the price is not."""
    assert rate(price) == expected


def test_only_who_asks_for_the_cheapest_gets_rates() -> None:
    """Targets and fallbacks of such a model have rates, as far as they are known; others stay as they are."""
    cheapest = ModelAlias("a", TARGETS, fallbacks=((Target("near", "m"),),), strategy="cheapest")
    snapshot = Snapshot(1, models=(cheapest, ModelAlias("b", TARGETS)))
    assert needs_rates(snapshot)
    first, second = with_rates(snapshot, table).models
    assert [target.rate for target in first.targets] == [5, 2, None, None]
    assert [(target.weight, target.model) for target in first.targets] == [(1, "m"), (3, "m"), (1, "unknown"), (1, "*")]
    assert [[target.rate for target in group] for group in first.fallbacks] == [[5]]
    assert second == ModelAlias("b", TARGETS)
    assert not needs_rates(Snapshot(1, models=(second,)))


def test_a_configuration_is_rated_by_its_own_prices(write: WriteSources) -> None:
    """The table of the moment has the file's prices; where nobody asks, the bundled one is not even read."""
    text = """
providers: {first: {dialect: openai, base_url: "http://127.0.0.1:1/v1", api_key: sk-a}}
models: [{name: smart, targets: [{model: first/m}]}]
prices: [{model: m, input: 1, output: 5}]
"""
    compiled = load(write(text).path, {}, Overrides(), dialects=DIALECTS)

    def unwanted() -> Catalogue:
        raise AssertionError("nobody asked")

    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert rated(compiled, unwanted, now) is compiled
    [alias] = compiled.snapshot.models
    cheapest = ModelAlias(alias.name, alias.targets, strategy="cheapest")
    asking = dataclasses.replace(compiled, snapshot=Snapshot(1, compiled.snapshot.providers, (cheapest,)))
    [alias] = rated(asking, lambda: Catalogue([], "none"), now).snapshot.models
    assert alias.targets[0].rate == 2_000_000_000


@pytest.mark.parametrize("is_refused", [False, True])
def test_rates_that_change_by_time_are_noticed(write: WriteSources, *, is_refused: bool) -> None:
    """Once for each change, also of a target that nobody asks for, and where the file is broken by now."""
    text = """
providers: {first: {dialect: openai, base_url: "https://first.example/v1", api_key: sk-a}}
models: [{name: smart, strategy: cheapest, targets: [{model: first/a}, {model: first/b}]}]
prices: [{model: a, input: 2, output: 2}]
"""
    dear, cheap = (ModelPrice(input_mtok=Decimal(dollars), output_mtok=Decimal(dollars)) for dollars in (9, 1))
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    prices = [ConditionalPrice(prices=dear), ConditionalPrice(StartDateConstraint(midnight.date()), prices=cheap)]
    models = [ModelInfo(id="b", match=ClauseEquals("b"), prices=prices)]
    catalogue = Catalogue([Provider(id="first", name="First", api_pattern="https://first", models=models)], "table")
    moments = iter([midnight - timedelta(seconds=1), midnight, midnight, midnight + timedelta(days=1)])
    now = next(moments)
    loaded = load(write(text).path, {}, Overrides(), dialects=DIALECTS)
    current = rated(loaded, lambda: catalogue, now)
    seen: list[datetime] = []

    async def changed() -> None:
        nonlocal current
        seen.append(now)
        if not is_refused:
            current = rated(current, lambda: catalogue, now)

    async def pause() -> None:
        nonlocal now
        try:
            now = next(moments)
        except StopIteration:
            raise asyncio.CancelledError from None

    watch = RateWatch(lambda: current, lambda: catalogue, now=lambda: now, changed=changed)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch.run(pause=pause))
    assert seen == [midnight]
    rates = [target.rate for target in current.snapshot.models[0].targets]
    assert rates == [2_000_000_000, 9_000_000_000 if is_refused else 1_000_000_000]
    assert repr(watch) == "<RateWatch of version 1>"
