"""Answers what a model costs an organisation: its own price, else the configuration's, else the bundled table's.

Rule 1. A database that cannot say whether there is an own price delays the answer: a wrong price is never given.
Rule 2. What was found while `forget` was called is answered, and not kept; the asker was told to ask again.
Rule 3. Where a price changes by itself, at a date or a time of day, everyone is told at that moment.
Rule 4. A provider that is configured no longer costs what it did: who asks has a request for it that was under way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import Settings
from sluicegate.control.prices.catalogue import Catalogue
from sluicegate.control.prices.declared import DeclaredPrices
from sluicegate.control.prices.upstream import Upstream, reported
from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.domain.pricing import Price
from sluicegate.store.database import Database
from sluicegate.wire.link import AskPrice

LARGEST_KNOWN: Final = 8_192
"""Prices kept, with those that are known not to exist; then all are dropped. A client may name any model."""
LARGEST_WAITING: Final = 4_096
"""Questions that wait for the database; beyond it they are dropped, and their askers give up in time."""
QUERY_SECONDS: Final = 4.0
PATIENCE: Final = 5.0
"""Seconds after which a question is dropped: the worker that asked it has given up."""
PAUSE: Final = 0.2
"""Seconds between two attempts at a database that fails."""
MOST_FORMER: Final = 64
"""Providers that are configured no longer, of which the last configuration is remembered."""
LONGEST_TIMER: Final = 86_400.0
"""Seconds; a date further off is looked at again after a day."""

Key = tuple[str, str, str]
"""Organisation, provider, the provider's name for the model."""
Answer = Callable[[Price | None], None]


class Overrides(Protocol):
    """Knows the prices that organisations have of their own."""

    async def of_model(self, organization_id: str, provider: str, model: str) -> Price | None:
        """The price, None where there is none. Raises what `resolution.trouble.FAILURES` names."""
        ...


class StoredOverrides:
    """Those in the database."""

    def __init__(self, database: Database) -> None:
        """Ask this one."""
        self._database = database

    def __repr__(self) -> str:
        """Tell which."""
        return f"<StoredOverrides {self._database!r}>"

    async def of_model(self, organization_id: str, provider: str, model: str) -> Price | None:
        """See Overrides."""
        async with self._database.reading() as session:
            found = await session.price_overrides.of_model(organization_id, provider, model)
        return None if found is None else found.price


class _Question(NamedTuple):
    since: float
    answer: Answer


class PriceDirectory:
    """All prices of this installation. `run` must be running for answers to come."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        overrides: Overrides,
        catalogue: Callable[[], Catalogue],
        changed: Callable[[], None],
        now: Callable[[], datetime],
        clock: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        """`catalogue` is called once, in a thread, for the first question that needs it; `changed` calls `forget`.

        `clock` is monotonic seconds.
        """
        self._settings = settings
        self._overrides = overrides
        self._load = catalogue
        self._changed = changed
        self._now = now
        self._clock = clock
        self._trouble = Trouble("prices cannot be looked up", log)
        self._catalogue: Catalogue | None = None
        self._declared: DeclaredPrices | None = None
        self._present: Settings | None = None
        self._former: dict[str, Settings] = {}
        """The last configuration that had the provider, of those that the present one has not."""
        self._known: dict[Key, Price | None] = {}
        self._waiting: dict[Key, list[_Question]] = {}
        self._due = asyncio.Event()
        self._generation = 0
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        """Tell the sizes, and what is wrong, if anything."""
        return f"<PriceDirectory known={len(self._known)} waiting={len(self._waiting)} {self._trouble}>"

    def find(self, question: AskPrice, answer: Answer) -> None:
        """Call `answer` with the price, at once or later in the loop."""
        key = (question.organization, question.provider, question.model)
        if key in self._known:
            answer(self._known[key])
        elif key in self._waiting or len(self._waiting) < LARGEST_WAITING:
            self._waiting.setdefault(key, []).append(_Question(self._clock(), answer))
            self._due.set()

    def forget(self) -> None:
        """What was known may have changed: an own price, the configuration, or the time."""
        self._generation += 1
        self._compare()
        self._known.clear()
        self._declared = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def run(self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE)) -> None:
        """Answer for ever."""
        self._compare()
        while True:
            await self._due.wait()
            self._due.clear()
            if not await self.answer():
                self._due.set()
                await pause()

    async def answer(self) -> bool:
        """Answer what waits, as far as the database does; return whether it did."""
        while self._waiting:
            key = next(iter(self._waiting))
            generation = self._generation
            try:
                async with asyncio.timeout(QUERY_SECONDS):
                    own = await self._overrides.of_model(*key)
            except FAILURES as error:
                self._trouble.began(error)
                self._drop_late()
                return False
            self._trouble.ended()
            price = own or await self._general(key[1], key[2])
            if price is not None:
                price = reported(price, upstream_of(self._settings_of(key[1]), key[1]))
            if generation == self._generation:
                self._keep(key, price)
            for question in self._waiting.pop(key):
                question.answer(price)
        return True

    async def _general(self, provider: str, model: str) -> Price | None:
        """What it costs everyone without a price of their own."""
        settings = self._settings_of(provider)
        if settings is not self._present:
            price = DeclaredPrices(settings.prices).price(provider, model)
        else:
            if self._declared is None:
                self._declared = DeclaredPrices(settings.prices)
            price = self._declared.price(provider, model)
        if price is not None:
            return price
        if self._catalogue is None:
            self._catalogue = await asyncio.to_thread(self._load)
        now, upstream = self._now(), upstream_of(settings, provider)
        self._wake_at(self._catalogue.changes_at(upstream, model, now), now)
        return self._catalogue.price(upstream, model, now)

    def _settings_of(self, provider: str) -> Settings:
        """The configuration that says what this provider is: the present one, unless only an earlier one had it."""
        self._compare()
        settings = self._settings()
        return settings if provider in settings.providers else self._former.get(provider, settings)

    def _compare(self) -> None:
        """Note which providers went with the last configuration, and which came back with the present one."""
        settings, before = self._settings(), self._present
        if settings is before:
            return
        self._present = settings
        for name in settings.providers:
            self._former.pop(name, None)
        if before is not None:
            self._former |= {name: before for name in before.providers if name not in settings.providers}
        while len(self._former) > MOST_FORMER:
            del self._former[next(iter(self._former))]

    def _keep(self, key: Key, price: Price | None) -> None:
        if len(self._known) >= LARGEST_KNOWN:
            self._known.clear()
        self._known[key] = price

    def _drop_late(self) -> None:
        oldest = self._clock() - PATIENCE
        for key, questions in list(self._waiting.items()):
            kept = [question for question in questions if question.since >= oldest]
            if kept:
                self._waiting[key] = kept
            else:
                del self._waiting[key]

    def _wake_at(self, moment: datetime | None, now: datetime) -> None:
        if moment is None:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + min((moment - now).total_seconds(), LONGEST_TIMER)
        if self._timer is None or at < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(at, self._changed)


def upstream_of(settings: Settings, provider: str) -> Upstream:
    """A provider of the configuration, as the bundled table is searched for it."""
    configured = settings.providers.get(provider)
    if configured is None:
        return Upstream(provider)
    return Upstream(provider, configured.dialect, configured.base_url)
