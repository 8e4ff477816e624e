"""How a search of the request log gets at its rows."""

import random
from typing import Any

import pytest

from sluicegate.domain.request_blocks import blocks_of
from sluicegate.domain.usage_rows import Logged
from sluicegate.store.database import Database, Session
from sluicegate.store.usage.request_search import RequestFilter, times_of
from tests.store.events import BEGAN, an_event, request_id
from tests.store.place import Place

EVER = (0, 2**62)


@pytest.mark.parametrize(
    ("beginning", "times"),
    [
        ("", EVER),
        ("re", EVER),
        ("req_", (0, 2**48 + 100)),
        ("req_0", (0, 2**44 + 100)),
        (request_id(5), (BEGAN - 95, BEGAN + 106)),
        (request_id(5)[:15], (BEGAN // 16 * 16 - 100, BEGAN // 16 * 16 + 116)),
        ("tok_", (0, 0)),
        ("req_x", (0, 0)),
        ("req_-1", (0, 0)),
    ],
)
def test_ids_tell_the_time(beginning: str, times: tuple[int, int]) -> None:
    """The more of an id is known, the shorter the time is in which its request may have begun."""
    assert times_of(beginning) == times


def _events(count: int) -> list[Logged]:
    """Of some owners, in about the order of time: those that took longer come later."""
    chance = random.Random(7)
    kinds = [
        an_event(
            number,
            token=f"tok_{chance.randrange(40)}",
            model=chance.choice(("a", "b", "c")),
            status_code=chance.choice((200, 200, 200, 404, 502)),
            tags=chance.choice(((), (), ("x",), ("x", "y"))),
        )
        for number in range(count)
    ]
    return sorted(kinds, key=lambda event: int(event.request_id[4:16], 16) + chance.choice((0, 0, 0, 30, 400)))


async def _paged(session: Session, limit: int, **wanted: Any) -> list[str]:
    """What all pages together tell."""
    told: list[str] = []
    while page := await session.request_log.search(
        RequestFilter(**wanted), limit=limit, before=told[-1] if told else None
    ):
        assert len(page) <= limit
        told += [row.request_id for row in page]
    return told


SEARCHES: tuple[dict[str, Any], ...] = (
    {},
    {"token_id": "tok_7"},
    {"token_id": "tok_7", "model": "a"},
    {"model": "b", "status_class": 5},
    {"tag": "y", "status_code": 404},
    {"tag": "x", "since": BEGAN + 333, "until": BEGAN + 444},
    {"since": BEGAN + 900},
    {"model": "none"},
    {"request_id": request_id(500)[:14]},
)


def test_pages_of_overlapping_blocks_are_whole(place: Place) -> None:
    """Whatever is asked for, and however large pages are: each row that fits is told once, the newest first."""
    events = _events(1_000)

    def expected(wanted: dict[str, Any]) -> list[str]:
        fitting = [
            event.request_id
            for event in events
            if wanted.get("token_id", event.token) == event.token
            and wanted.get("model", event.model) == event.model
            and wanted.get("status_code", event.status_code) == event.status_code
            and wanted.get("status_class", event.status_code // 100) == event.status_code // 100
            and ("tag" not in wanted or wanted["tag"] in event.tags)
            and request_id(wanted.get("since", BEGAN) - BEGAN) <= event.request_id
            and event.request_id < request_id(wanted.get("until", BEGAN + 9_999) - BEGAN)
            and event.request_id.startswith(wanted.get("request_id", ""))
        ]
        return sorted(fitting, reverse=True)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for start in range(0, 1_000, 35):
                await session.request_log.add(blocks_of(events[start : start + 35]))
        async with database.reading() as session:
            for wanted in SEARCHES:
                for limit in (17, 400):
                    assert await _paged(session, limit, **wanted) == expected(wanted), (limit, wanted)
            for number in (0, 500, 999):
                row = await session.request_log.get(request_id(number))
                assert row is not None
                assert row.request_id == request_id(number)

    place.run(use)


def test_an_id_that_tells_another_time_is_found(place: Place) -> None:
    """It is looked for where it should be, and then everywhere."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.request_log.add(blocks_of([an_event(5, request_id=request_id(9_999)), an_event(6)]))
        async with database.reading() as session:
            row = await session.request_log.get(request_id(9_999))
            assert row is not None
            assert row.at == BEGAN + 5
            assert await session.request_log.get(request_id(5)) is None

    place.run(use)


def test_a_damaged_row_is_left_out(place: Place) -> None:
    """The others are told all the same."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            [block] = blocks_of([an_event(number) for number in range(3)])
            pieces = [(number, data.replace(b'"prj_1"', b"0.0.0.0", 1)) for number, data in block.pieces]
            await session.request_log.add([block._replace(pieces=pieces)])
        async with database.reading() as session:
            assert await _paged(session, 10) == [request_id(2), request_id(1)]

    place.run(use)
