"""Questions about prices: who comes first, what is kept, and what a failing database means."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import structlog
from genai_prices.types import ClauseEquals, ConditionalPrice, ModelInfo, ModelPrice, Provider, StartDateConstraint

from sluicegate.config.schema import PriceSettings, ProviderSettings, Settings
from sluicegate.control.prices.catalogue import Catalogue
from sluicegate.control.prices.directory import (
    LARGEST_KNOWN,
    LARGEST_WAITING,
    MOST_FORMER,
    PATIENCE,
    PriceDirectory,
    StoredOverrides,
    upstream_of,
)
from sluicegate.control.prices.upstream import Upstream
from sluicegate.control.tenants import prices
from sluicegate.domain.pricing import Price, Rates
from sluicegate.wire.link import AskPrice
from tests.control.actors import ROOT
from tests.control.api import Api

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OWN = Price("prc_1/1", Rates(input=7))


class World:
    """What a directory reaches."""

    def __init__(self) -> None:
        self.settings = Settings(prices=(PriceSettings(model="p/filed", input=2, output=2),))
        self.own: dict[tuple[str, str, str], Price] = {}
        self.failure: Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.time = 0.0
        self.now = NOW
        self.loads = 0
        self.asked = 0
        self.changed = asyncio.Event()
        self.answers: list[Price | None] = []
        self.directory = PriceDirectory(
            settings=lambda: self.settings,
            overrides=self,
            catalogue=self.load,
            changed=self.changed.set,
            now=lambda: self.now,
            clock=lambda: self.time,
            log=structlog.get_logger(),
        )

    async def of_model(self, organization_id: str, provider: str, model: str) -> Price | None:
        self.asked += 1
        self.meanwhile()
        if self.failure is not None:
            raise self.failure
        return self.own.get((organization_id, provider, model))

    def load(self) -> Catalogue:
        self.loads += 1
        plain = ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1))
        dated = [
            ConditionalPrice(prices=plain),
            ConditionalPrice(StartDateConstraint(date(2026, 11, 22)), prices=plain),
        ]
        models = [
            ModelInfo(id="m", match=ClauseEquals("m"), prices=plain),
            ModelInfo(id="d", match=ClauseEquals("d"), prices=dated),
        ]
        return Catalogue([Provider(id="p", name="P", api_pattern="https://p", models=models)], "table 1")

    def ask(self, model: str, organization: str = "org") -> None:
        self.directory.find(AskPrice(1, "p", model, organization), self.answers.append)


def run(story: Callable[[World], Awaitable[None]]) -> None:
    """Tell a story in a loop of its own."""

    async def told() -> None:
        await story(World())

    asyncio.run(told())


def versions(world: World) -> list[str | None]:
    """What was answered."""
    return [None if price is None else price.version.partition(" ")[0] for price in world.answers]


def test_own_prices_come_before_the_file_and_the_file_before_the_table() -> None:
    """Each source is asked in its order; the table is loaded once, and only if it must be."""

    async def story(world: World) -> None:
        world.own["org", "p", "filed"] = OWN
        world.ask("filed")
        world.ask("filed", "other")
        assert await world.directory.answer()
        assert (versions(world), world.loads) == (["prc_1/1", "file"], 0)
        for model in ("m", "m", "d", "nothing"):
            world.ask(model)
        assert await world.directory.answer()
        assert versions(world)[2:] == ["table", "table", "table", None]
        assert world.loads == 1

    run(story)


def test_a_dialect_that_tells_hours_in_the_cache_apart_has_a_rate_for_them() -> None:
    """Whatever source a price is from."""

    async def story(world: World) -> None:
        anthropic = ProviderSettings(dialect="anthropic", base_url="https://p")
        world.settings = world.settings.model_copy(update={"providers": {"p": anthropic}})
        world.own["org", "p", "own"] = OWN
        for model in ("own", "filed", "m"):
            world.ask(model)
        assert await world.directory.answer()
        assert [price.rates.cache_write_1h for price in world.answers if price] == [14, 4 * 10**9, 2 * 10**9]

    run(story)


def test_a_provider_that_is_gone_costs_what_it_did() -> None:
    """A request for it may be under way; once it is back, its price is that of the present configuration."""

    async def story(world: World) -> None:
        with_it = Settings(
            prices=(PriceSettings(model="p/filed", input=2, output=2),),
            providers={"p": ProviderSettings(dialect="anthropic", base_url="https://p")},
        )
        world.settings = with_it
        world.directory.forget()
        world.settings = Settings(prices=(PriceSettings(model="q/filed", input=5, output=5),))
        world.directory.forget()
        world.ask("filed")
        assert await world.directory.answer()
        assert [price.rates.cache_write_1h for price in world.answers if price] == [4 * 10**9]
        world.settings = with_it.model_copy(update={"prices": ()})
        world.directory.forget()
        world.ask("filed")
        assert await world.directory.answer()
        assert world.answers[-1] is None

    run(story)


def test_of_many_that_are_gone_the_last_are_remembered() -> None:
    """Configurations are not kept for ever."""

    async def story(world: World) -> None:
        provider = ProviderSettings(dialect="openai", base_url="https://p")
        priced = (PriceSettings(model="p/filed", input=2, output=2),)
        world.settings = Settings(prices=priced, providers={"p": provider})
        world.directory.forget()
        names = [f"q{number}" for number in range(MOST_FORMER)]
        world.settings = Settings(providers=dict.fromkeys(names, provider))
        world.directory.forget()
        world.ask("filed")
        assert await world.directory.answer()
        assert world.answers[-1] is not None
        world.settings = Settings()
        world.directory.forget()
        world.ask("filed")
        assert await world.directory.answer()
        assert world.answers[-1] is None

    run(story)


def test_what_is_known_is_answered_at_once_until_it_is_forgotten() -> None:
    """The database is asked once, that there is no price is remembered too, and forgetting ends it."""

    async def story(world: World) -> None:
        world.ask("nothing")
        await world.directory.answer()
        world.ask("nothing")
        assert (world.answers, world.asked) == ([None, None], 1)
        assert repr(world.directory) == "<PriceDirectory known=1 waiting=0 well>"
        world.directory.forget()
        world.own["org", "p", "nothing"] = OWN
        world.ask("nothing")
        await world.directory.answer()
        assert world.answers[-1] == OWN

    run(story)


def test_what_changed_while_it_was_looked_up_is_not_kept() -> None:
    """A price that is forgotten while the database answers is asked for again the next time."""

    async def story(world: World) -> None:
        world.meanwhile = world.directory.forget
        world.ask("m")
        await world.directory.answer()
        world.ask("m")
        await world.directory.answer()
        assert world.asked == 2

    run(story)


def test_a_failing_database_delays_the_answer() -> None:
    """No price is given that might be another organisation's; who has waited too long is dropped."""

    async def story(world: World) -> None:
        world.failure = OSError("away")
        world.ask("m")
        world.time = PATIENCE
        world.ask("m")
        assert not await world.directory.answer()
        assert world.answers == []
        assert "waiting=1 away" in repr(world.directory)
        world.time += 1
        assert not await world.directory.answer()
        world.failure = None
        assert await world.directory.answer()
        assert versions(world) == ["table"]
        world.failure = OSError("away")
        world.ask("late")
        world.time += PATIENCE + 1
        assert not await world.directory.answer()
        assert "waiting=0" in repr(world.directory)

    run(story)


def test_running_goes_on_after_a_failure() -> None:
    """`run` answers for ever, with a pause after each attempt that failed."""

    async def story(world: World) -> None:
        world.failure = TimeoutError()
        answered = asyncio.Event()

        async def pause() -> None:
            world.failure = None

        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(world.directory.run(pause=pause))
            world.directory.find(AskPrice(1, "p", "m", "org"), lambda price: answered.set())
            await answered.wait()
            running.cancel()
        assert world.asked == 2

    run(story)


def test_a_price_that_changes_by_itself_is_announced() -> None:
    """At the moment of the change everyone is told; forgetting takes the announcement back."""

    async def story(world: World) -> None:
        world.ask("d")
        await world.directory.answer()
        world.directory.forget()
        world.now = datetime(2026, 11, 22, tzinfo=UTC) - timedelta(milliseconds=5)
        world.ask("d")
        world.ask("m")
        world.ask("d", "other")
        await world.directory.answer()
        await asyncio.wait_for(world.changed.wait(), 60)
        assert versions(world) == ["table"] * 4

    run(story)


def test_memory_is_bounded() -> None:
    """Neither questions nor answers grow without end, whatever models clients name."""

    async def story(world: World) -> None:
        for number in range(LARGEST_WAITING + 10):
            world.ask(f"x{number}")
        assert f"waiting={LARGEST_WAITING}" in repr(world.directory)
        await world.directory.answer()
        for number in range(LARGEST_KNOWN - LARGEST_WAITING + 1):
            world.ask(f"y{number}")
            if number % 1_000 == 0:
                await world.directory.answer()
        await world.directory.answer()
        assert "known=1 " in repr(world.directory)

    run(story)


def test_a_provider_is_looked_for_by_all_that_is_known_of_it() -> None:
    """Name, dialect and address of a configured provider; of another one the name."""
    openai = ProviderSettings(dialect="openai", base_url="https://api.openai.com/v1")
    settings = Settings(providers={"mine": openai})
    assert upstream_of(settings, "mine") == Upstream("mine", "openai", "https://api.openai.com/v1")
    assert upstream_of(settings, "other") == Upstream("other")


def test_own_prices_are_looked_up_in_the_database(api: Api) -> None:
    """What was set for an organisation's model is found, and nothing else."""
    api.world()
    own = Price(version="", rates=Rates(input=1, output=2))
    made = api.run(prices.create(api.tenancy, ROOT, organization_id="org_own", provider="p", model="m", price=own))
    overrides = StoredOverrides(api.tenancy.database)
    assert api.run(overrides.of_model("org_own", "p", "m")) == made.price
    assert api.run(overrides.of_model("org_foreign", "p", "m")) is None
    assert repr(overrides).startswith("<StoredOverrides ")
