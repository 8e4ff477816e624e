"""Prices that hold in one organisation."""

import pytest

from sluicegate.domain.pricing import Price, Rates, Tier
from sluicegate.store.database import Database
from sluicegate.store.errors import AlreadyExistsError
from tests.store import records
from tests.store.place import Place


def test_a_price_is_kept_whole(place: Place) -> None:
    """With all rates and tiers, and what is not set stays so."""
    price = Price(
        version="v",
        rates=Rates(input=2**52, output=3, cache_read=0, request=9),
        tiers=(Tier(200_000, Rates(input=5, output_audio=1)),),
        longest_output=7,
        context=8,
    )
    made = records.a_price_override(1, price=price)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.price_overrides.add(made)
            assert await session.price_overrides.get(made.id) == made

    place.run(use)


def test_a_model_has_one_price_in_an_organization(place: Place) -> None:
    """A second one is refused; it is found by organisation, provider and model."""
    made = records.a_price_override(1)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            overrides = session.price_overrides
            await overrides.add(made)
            with pytest.raises(AlreadyExistsError) as refused:
                await overrides.add(records.a_price_override(2, model="model-1"))
            assert refused.value.field == "model"
            assert await overrides.of_model("org_default", "openai", "model-1") == made
            assert await overrides.of_model("org_default", "openai", "model-2") is None
            assert await overrides.of_model("org_other", "openai", "model-1") is None
            assert await overrides.of_model("org_default", "openai", "model\0") is None

    place.run(use)
