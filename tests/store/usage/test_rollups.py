"""What requests add up to."""

from typing import Any

import pytest

from sluicegate.domain.usage_rows import DAY, HOUR, Grain, Logged, Scope, Sums
from sluicegate.domain.usage_sums import alike, by_subject, packed
from sluicegate.store.database import Database, Session
from sluicegate.store.usage.rollups import By, Wanted
from tests.store.events import BEGAN, an_event
from tests.store.place import Place

FIRST_HOUR = BEGAN // HOUR * HOUR
FIRST_DAY = BEGAN // DAY * DAY
EVER = 2**60
ONE = Sums(
    requests=1, failed=0, unpriced=0, input_tokens=10, output_tokens=5, cache_read_tokens=3, cost=700, duration_us=12500
)

EVENTS = (
    an_event(0, tags=("batch",)),
    an_event(1, model="small"),
    an_event(HOUR, token="tok_2", user_id="usr_2", model="small"),
    an_event(DAY, status_code=502, cost=None, usage=None, tags=("batch",)),
    an_event(DAY, organization_id="org_2", project_id="prj_2", token="tok_3", user_id=None, provider="anthropic"),
    an_event(DAY, organization_id="", project_id="", token="", user_id=None, provider="", model="", status_code=401),
)


def _wanted(grain: Grain = "day", scope: Scope = "all", **narrowing: Any) -> Wanted:
    return Wanted(grain, scope, **({"since": 0, "until": EVER} | narrowing))


async def _add(session: Session, *events: Logged) -> None:
    await session.rollups.add(by_subject(alike(events)))


def test_sums_are_added_to(place: Place) -> None:
    """Batches add up to what one batch of all would be; no batch at all adds nothing."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session)
            for event in EVENTS:
                await _add(session, event)
            await _add(session, *EVENTS)
        async with database.reading() as session:
            total = await session.rollups.total(_wanted(scope_id="tok_1", scope="token"))
            assert total == Sums(
                requests=6,
                failed=2,
                unpriced=2,
                input_tokens=40,
                output_tokens=20,
                cache_read_tokens=12,
                cost=2800,
                duration_us=75000,
            )
            assert (await session.rollups.total(_wanted())).requests == 12
            assert (await session.rollups.total(_wanted("hour"))).requests == 12
            assert await session.rollups.total(_wanted(since=0, until=1)) == Sums()
            assert repr(session.rollups) == "<Rollups>"

    place.run(use)


GROUPED: tuple[tuple[Wanted, By, list[tuple[str | int, int]]], ...] = (
    (_wanted("hour"), "start", [(FIRST_HOUR, 2), (FIRST_HOUR + HOUR, 1), (FIRST_HOUR + DAY, 3)]),
    (_wanted("day"), "start", [(FIRST_DAY, 3), (FIRST_DAY + DAY, 3)]),
    (_wanted("hour", since=FIRST_HOUR + 1, until=FIRST_HOUR + DAY), "start", [(FIRST_HOUR + HOUR, 1)]),
    (_wanted(), "provider", [("openai", 4), ("", 1), ("anthropic", 1)]),
    (_wanted(), "model", [("gpt-4.1", 3), ("small", 2), ("", 1)]),
    (_wanted(scope="organization"), "scope_id", [("org_1", 4), ("org_2", 1)]),
    (_wanted(scope="token"), "organization_id", [("org_1", 4), ("org_2", 1)]),
    (_wanted(scope="token", organization_id="org_1"), "scope_id", [("tok_1", 3), ("tok_2", 1)]),
    (_wanted(scope="user"), "scope_id", [("usr_1", 3), ("usr_2", 1)]),
    (_wanted(scope="user", scope_id="usr_1"), "model", [("gpt-4.1", 2), ("small", 1)]),
    (_wanted(scope="project", model="small"), "scope_id", [("prj_1", 2)]),
    (_wanted(scope="project", provider="anthropic"), "scope_id", [("prj_2", 1)]),
    (_wanted(scope="tag"), "scope_id", [("batch", 2)]),
    (_wanted(scope="tag", scope_id="a\0"), "scope_id", []),
)


@pytest.mark.parametrize(("wanted", "by", "found"), GROUPED)
def test_sums_are_grouped(place: Place, wanted: Wanted, by: By, found: list[tuple[str | int, int]]) -> None:
    """Sums are read by hour and day in their order, and by any of the columns, those with most requests first."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, *EVENTS)
        async with database.reading() as session:
            groups = await session.rollups.by(wanted, by, limit=100)
            assert [(group.value, group.sums.requests) for group in groups] == found
            assert (await session.rollups.total(wanted)).requests == sum(number for _, number in found)
            few = await session.rollups.by(wanted, by, limit=1)
            assert few == groups[:1]
            assert await session.rollups.by(wanted, by, limit=100, skip=1) == groups[1:]

    place.run(use)


def test_old_sums_go(place: Place) -> None:
    """Pruning takes sums of hours or of days that began before a time, in steps."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, an_event(0), an_event(DAY))
            rollups = session.rollups
            assert await rollups.prune("hour", FIRST_HOUR + 1, limit=3) == 3
            assert await rollups.prune("hour", FIRST_HOUR + 1) == 2
            assert await rollups.prune("hour", FIRST_HOUR + 1) == 0
            assert await rollups.total(_wanted("hour")) == ONE
            assert (await rollups.total(_wanted("day"))).requests == 2

    place.run(use)


def test_what_was_put_by_is_added_once(place: Place) -> None:
    """In the order in which it came, no more at once than asked for; then nothing is left."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            assert await session.rollups.fold() == 0
            for event in EVENTS:
                await session.rollups.put_by(packed(alike([event])))
            assert await session.rollups.total(_wanted()) == Sums()
            assert await session.rollups.fold(most=4) == 4
            assert (await session.rollups.total(_wanted())).requests == 4
        async with database.writing() as session:
            assert await session.rollups.fold() == 2
            assert await session.rollups.fold() == 0
            folded = await session.rollups.by(_wanted(), "start", limit=10)
            await _add(session, *EVENTS)
            twice = await session.rollups.by(_wanted(), "start", limit=10)
        for once, both in zip(folded, twice, strict=True):
            once.sums.add(once.sums)
            assert once == both

    place.run(use)
    assert place.execute("SELECT count(*) FROM rollup_batches") == [(0,)]
