"""How a search of the request log gets at its rows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.usage_rows import entry_of
from sluicegate.store import engines
from sluicegate.store.address import parse
from sluicegate.store.database import Database
from sluicegate.store.request_search import MANY, RequestFilter, filters_of, followed, page
from tests.store.events import BEGAN, an_event, request_id
from tests.store.place import Place

T = TypeVar("T")

LONG = request_id(0)[:12]

COMMON: dict[str, Any] = {"organization_id": "org_1", "model": "gpt-4.1", "user_id": "usr_1", "tag": "batch"}


@pytest.fixture
def kind() -> str:
    """PostgreSQL chooses by itself."""
    return "sqlite"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, []),
        ({"since": 1, "until": 2, "request_id": "req_"}, []),
        ({"organization_id": "a", "provider": "b", "token_id": "c"}, ["token_id", "provider", "organization_id"]),
        ({"tag": "a", "model": "b", "status_code": 429}, ["status", "model", "tag"]),
        ({"status_class": 5}, ["status"]),
    ],
)
def test_filters_that_can_be_followed(wanted: dict[str, Any], names: list[str]) -> None:
    """Each that has an index; those first that are likely to be narrow."""
    assert filters_of(RequestFilter(**wanted)) == names


@pytest.mark.parametrize(
    ("wanted", "is_by_id"),
    [
        ({}, False),
        ({"token_id": "a"}, False),
        ({"request_id": "r"}, True),
        ({"request_id": "r", "organization_id": "a", "provider": "b"}, True),
        ({"request_id": "req_0123", "token_id": "a"}, False),
        ({"request_id": LONG, "token_id": "a"}, True),
    ],
)
def test_when_ids_are_followed(wanted: dict[str, Any], is_by_id: bool) -> None:
    """Where their beginning is long, or nothing else is narrow."""
    assert RequestFilter(**wanted).is_by_id is is_by_id


def _fill(place: Place) -> None:
    """More than many requests of one kind, and a few of others."""
    events = [an_event(number, tags=("batch",)) for number in range(MANY + 5)]
    events += [
        an_event(MANY + 10, model="rare", tags=("batch",)),
        an_event(MANY + 11, status_code=502),
        an_event(MANY + 12, tags=("rare",)),
    ]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.request_log.add([entry_of(event) for event in events])

    place.run(use)


@pytest.mark.parametrize(
    ("wanted", "lead"),
    [
        ({}, None),
        ({"organization_id": "org_1"}, "organization_id"),
        (COMMON, "user_id"),
        (COMMON | {"model": "rare"}, "model"),
        (COMMON | {"tag": "rare"}, "tag"),
        (COMMON | {"status_class": 5}, "status"),
        (COMMON | {"provider": "none"}, "provider"),
        (COMMON | {"request_id": LONG}, None),
        ({"model": "gpt-4.1", "user_id": "usr_1", "since": BEGAN + MANY + 10}, "model"),
    ],
)
def test_the_filter_that_fewest_fit_is_followed(place: Place, wanted: dict[str, Any], lead: str | None) -> None:
    """Where many fit each of them, the one that is likely to be narrow."""
    _fill(place)

    assert _read(place, lambda connection: followed(connection, RequestFilter(**wanted))) == lead


@pytest.mark.parametrize(
    ("wanted", "lead", "plan"),
    [
        ({}, None, ["SCAN request_log USING INDEX ix_request_log_at"]),
        ({"since": 5}, None, ["SEARCH request_log USING INDEX ix_request_log_at (at>?)"]),
        (COMMON, "user_id", ["SEARCH request_log USING INDEX ix_request_log_user_id (user_id=?)", "tags"]),
        (COMMON, "model", ["SEARCH request_log USING INDEX ix_request_log_model (model=?)", "tags"]),
        (COMMON, "tag", ["SEARCH request_tags USING PRIMARY KEY (tag=?)", "rowid"]),
        (
            {"status_code": 404, "organization_id": "org_1"},
            "status",
            ["SEARCH request_log USING INDEX ix_request_log_status (status_class=?)"],
        ),
        (
            {"request_id": LONG, "token_id": "a"},
            None,
            ["SEARCH request_log USING INDEX ix_request_log_request_id (request_id>? AND request_id<?)"],
        ),
    ],
)
def test_sqlite_follows_it_without_sorting(
    place: Place, wanted: dict[str, Any], lead: str | None, plan: list[str]
) -> None:
    """It reads the one index from its end, and whatever else only for the rows found there."""
    statement = page(RequestFilter(**wanted), before=None, is_sqlite=True, lead=lead).limit(10)
    told = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    steps = [str(row[3]) for row in place.execute(f"EXPLAIN QUERY PLAN {told}")]
    assert steps[0] == plan[0]
    assert all(part in " ".join(steps[1:]) for part in plan[1:])
    assert not any("TEMP B-TREE" in step for step in steps)


def test_pages_are_the_same_whatever_is_followed(place: Place) -> None:
    """A search finds the same rows in the same order by each of its filters."""
    _fill(place)
    wanted = RequestFilter(**COMMON)

    async def use(connection: AsyncConnection) -> list[list[str]]:
        found = []
        for lead in filters_of(wanted):
            statement = page(wanted, before=None, is_sqlite=True, lead=lead).limit(3)
            found.append([row.request_id for row in await connection.execute(statement)])
        return found

    assert _read(place, use) == [[request_id(number) for number in (MANY + 4, MANY + 3, MANY + 2)]] * 4


def _read(place: Place, use: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def opened() -> T:
        engine = engines.readers(parse(place.url, place.directory))
        try:
            async with engine.connect() as connection:
                return await use(connection)
        finally:
            await engine.dispose()

    return asyncio.run(opened())
