"""The request log."""

from typing import Any

import pytest

from sluicegate.domain.usage_rows import Logged, entry_of
from sluicegate.store.database import Database, Session
from sluicegate.store.request_search import RequestFilter
from tests.store.events import BEGAN, an_event, request_id
from tests.store.place import Place

LATER = 2**60


async def _add(session: Session, *events: Logged) -> None:
    await session.request_log.add([entry_of(event) for event in events])


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
    """Pruning takes what began before a time, in steps, with its tags."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, *(an_event(number, tags=("t",)) for number in range(10)))
            assert await session.request_log.prune(BEGAN + 5, 1000, limit=3) == 3
            assert await _numbers(session) == [9, 8, 7, 6, 5, 4, 3]
            assert await session.request_log.prune(BEGAN + 5, 1000) == 2
            assert await session.request_log.prune(BEGAN + 5, 1000) == 0
            assert await _numbers(session, tag="t") == [9, 8, 7, 6, 5]

    place.run(use)
    assert place.execute("SELECT count(*) FROM request_tags") == [(5,)]


def test_what_is_too_much_goes(place: Place) -> None:
    """Pruning leaves no more rows than asked for, the oldest go first; more than one statement takes too."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _add(session, *(an_event(number) for number in range(700)))
            assert await session.request_log.prune(0, 100, limit=550) == 550
            assert await session.request_log.prune(0, 100, limit=550) == 50
            assert await session.request_log.prune(0, 100, limit=550) == 0
            assert await _numbers(session, limit=1000) == list(range(699, 599, -1))

    place.run(use)
