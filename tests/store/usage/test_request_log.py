"""The request log."""

import asyncio
from typing import Any

import pytest

from sluicegate.domain.request_blocks import blocks_of
from sluicegate.domain.usage_rows import DAY, Logged, entry_of
from sluicegate.store.database import Database, Session
from sluicegate.store.usage.request_log import MERGED
from sluicegate.store.usage.request_search import RequestFilter
from tests.store.events import BEGAN, an_event, request_id
from tests.store.place import Place


async def _add(session: Session, *events: Logged) -> None:
    await session.request_log.add(blocks_of(events))


async def _numbers(session: Session, *, limit: int = 100, before: int | None = None, **wanted: Any) -> list[int]:
    """Which are found, by the milliseconds they began after the first."""
    last = None if before is None else request_id(before)
    rows = await session.request_log.search(RequestFilter(**wanted), limit=limit, before=last)
    return [row.at - BEGAN for row in rows]


def test_rows_come_back_as_they_were(place: Place) -> None:
    """What is added is found by its id, whole; other ids have none."""
    full = an_event(
        1,
        endpoint="/v1/ü😀",
        first_byte_ms=3.25,
        is_stream=True,
        error="upstream_error",
        tags=("a", "b"),
        model="m" * 300,
        cost=None,
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, an_event(), full)
            await _add(session)
        async with database.reading() as session:
            log = session.request_log
            assert await log.get(full.request_id) == entry_of(full).row
            assert await log.get(request_id(0)) == entry_of(an_event()).row
            assert await log.get("req_") is None
            assert await log.get("a\0") is None
            assert repr(log) == "<RequestLog>"

    place.run(use)


def test_pages_are_newest_first(place: Place) -> None:
    """Pages lead from the newest to the oldest, in the order of time, whatever the order in which they were added."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, an_event(3), an_event(1))
            await _add(session, an_event(4), an_event(2), an_event(0))
        async with database.reading() as session:
            assert await _numbers(session) == [4, 3, 2, 1, 0]
            assert await _numbers(session, limit=2) == [4, 3]
            assert await _numbers(session, limit=2, before=3) == [2, 1]
            assert await _numbers(session, limit=2, before=1) == [0]
            assert await _numbers(session, before=0) == []
            assert await _numbers(session, before=99) == []

    place.run(use)


def test_those_of_one_moment_are_all_on_some_page(place: Place) -> None:
    """Of requests that began in the same millisecond, none is left out or told twice between two pages."""
    events = [an_event(0, request_id=f"req_{number}") for number in range(5)]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, *events)
        async with database.reading() as session:
            found: list[str] = []
            while page := await session.request_log.search(
                RequestFilter(), limit=2, before=found[-1] if found else None
            ):
                found += [row.request_id for row in page]
            assert found == ["req_4", "req_3", "req_2", "req_1", "req_0"]

    place.run(use)


FOUND: tuple[tuple[dict[str, Any], list[int]], ...] = (
    ({"organization_id": "org_1"}, [5, 4, 3, 2, 1, 0]),
    ({"organization_id": "org_2"}, [6]),
    ({"project_id": "prj_2"}, [6, 1]),
    ({"user_id": "usr_2"}, [2]),
    ({"token_id": "tok_2"}, [3]),
    ({"provider": "anthropic"}, [4]),
    ({"model": "claude"}, [4]),
    ({"status_code": 429}, [5]),
    ({"status_class": 4}, [5, 3]),
    ({"status_class": 5}, [6]),
    ({"status_class": 4, "status_code": 429}, [5]),
    ({"status_class": 5, "status_code": 429}, []),
    ({"error": "budget_exceeded"}, [5]),
    ({"tag": "batch"}, [4, 2]),
    ({"tag": "other", "user_id": "usr_2"}, [2]),
    ({"tag": "none"}, []),
    ({"since": BEGAN + 2, "until": BEGAN + 4}, [3, 2]),
    ({"request_id": request_id(3)}, [3]),
    ({"request_id": request_id(0)[:-20]}, [6, 5, 4, 3, 2, 1, 0]),
    ({"request_id": "req_x"}, []),
    ({"organization_id": "org_1", "project_id": "prj_2"}, [1]),
    ({"model": "a\0b"}, []),
)


@pytest.mark.parametrize(("wanted", "found"), FOUND, ids=str)
def test_a_search_is_narrowed(place: Place, wanted: dict[str, Any], found: list[int]) -> None:
    """Each filter leaves just the rows that have it, all filters together those that have all; pages go on the same."""
    events = (
        an_event(0),
        an_event(1, project_id="prj_2"),
        an_event(2, user_id="usr_2", tags=("batch", "other")),
        an_event(3, token="tok_2", status_code=404),
        an_event(4, provider="anthropic", model="claude", tags=("batch",)),
        an_event(5, status_code=429, error="budget_exceeded"),
        an_event(6, organization_id="org_2", project_id="prj_2", status_code=502),
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, *events)
        async with database.reading() as session:
            assert await _numbers(session, **wanted) == found
            if len(found) > 1:
                assert await _numbers(session, before=found[0], **wanted) == found[1:]

    place.run(use)


def test_what_is_old_goes(place: Place) -> None:
    """Pruning takes the days that ended before a time, in steps, with all there is of them."""
    days = [number * DAY for number in range(4)]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, *(an_event(day + number, tags=("t",)) for day in days for number in range(3)))
            log = session.request_log
            # The second day has ended but for its last request.
            assert await log.prune(BEGAN + DAY + 2, 1000) == 3
            assert await _numbers(session, until=BEGAN + DAY + 2) == [DAY + 1, DAY]
            assert await log.prune(BEGAN + 3 * DAY, 1000, limit=3) == 3
            assert await log.prune(BEGAN + 3 * DAY, 1000, limit=3) == 3
            assert await log.prune(BEGAN + 3 * DAY, 1000, limit=3) == 0
            assert await _numbers(session, tag="t") == [3 * DAY + 2, 3 * DAY + 1, 3 * DAY]

    place.run(use)
    assert place.execute("SELECT count(DISTINCT place / 1024) FROM request_pieces") == [(1,)]


def test_what_is_too_much_goes(place: Place) -> None:
    """Pruning leaves as many rows as asked for, and no block more; the oldest go first."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            log = session.request_log
            for block in range(6):
                await _add(session, *(an_event(100 * block + number) for number in range(100)))
            assert await log.prune(0, 250, limit=150) == 200
            assert await log.prune(0, 250, limit=150) == 100
            assert await log.prune(0, 250, limit=150) == 0
            assert await _numbers(session, limit=1000) == list(range(599, 299, -1))

    place.run(use)


def _blocks(place: Place) -> list[tuple[object, ...]]:
    return place.execute("SELECT level, rows FROM request_blocks ORDER BY level, rows")


def test_small_blocks_become_large_ones(place: Place) -> None:
    """Those of a day: sixteen of a level, or those that come to a large one. Nothing is lost, and the order stays."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for number in range(MERGED - 1):
                await _add(session, an_event(number))
            await _add(session, an_event(DAY))
        assert len(await asyncio.to_thread(_blocks, place)) == MERGED
        async with database.writing() as session:
            await _add(session, an_event(MERGED))
        assert await asyncio.to_thread(_blocks, place) == [(0, 1), (0, MERGED)]
        async with database.writing() as session:
            assert await _numbers(session) == [DAY, MERGED, *range(MERGED - 2, -1, -1)]
            for number in (100, 3_000):
                await _add(session, *(an_event(number + more) for more in range(2_400)))
        assert await asyncio.to_thread(_blocks, place) == [(0, 1), (0, MERGED), (2, 2_400), (2, 2_400)]
        async with database.writing() as session:
            await _add(session, *(an_event(9_000 + more) for more in range(600)))
            assert await _numbers(session, before=100) == [*range(MERGED, MERGED - 1, -1), *range(MERGED - 2, -1, -1)]
            assert len(await _numbers(session, limit=10_000)) == 5_400 + MERGED + 1

    place.run(use)
    assert _blocks(place) == [(0, 1), (0, MERGED), (3, 2_700), (3, 2_700)]
