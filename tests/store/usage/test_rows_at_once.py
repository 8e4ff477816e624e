"""Thousands of rows in one statement."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store import engines
from sluicegate.store.address import parse
from sluicegate.store.schema import consumer_checkpoints, request_blocks, rollups
from sluicegate.store.usage.rows_at_once import add_all, insert_all
from tests.store.place import Place

KEY = ("grain", "scope", "start", "scope_id", "organization_id", "provider", "model")
STRANGE = ("it's", '{curly, "quoted"}', "NULL", "back\\slash", "ü😀", "")


def _with_connection(place: Place, use: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    async def opened() -> None:
        engine = engines.writers(parse(place.url, place.directory))
        try:
            async with engine.begin() as connection:
                await use(connection)
        finally:
            await engine.dispose()

    asyncio.run(opened())


def _sum(name: str, number: int) -> tuple[Any, ...]:
    return ("day", "user", 0, name, "", "", "", *range(number, number + 8))


def test_rows_of_every_type_come_back(place: Place) -> None:
    """Texts, large numbers and bytes are kept as they are; no rows are no statement."""
    rows = [
        ("day", "tag", number, text, text, text, text, 2**62, number, 0, 1, 2, 3, 4, 5)
        for number, text in enumerate(STRANGE, 1)
    ]
    blocks = [(1, 2**62, 3, 4, 5, 6), (2, 0, 0, 0, 0, 0)]
    checkpoints = [("one", b"\x00\xff", 1), ("two", b"", 2)]

    async def use(connection: AsyncConnection) -> None:
        await insert_all(connection, rollups, rows)
        await insert_all(connection, rollups, [])
        await insert_all(connection, request_blocks, blocks)
        await insert_all(connection, consumer_checkpoints, checkpoints)
        found = await connection.execute(select(rollups).order_by(rollups.c.start))
        assert [tuple(row) for row in found] == rows
        numbered = await connection.execute(select(request_blocks).order_by(request_blocks.c.sequence))
        assert [tuple(row) for row in numbered] == blocks
        kept = await connection.execute(select(consumer_checkpoints).order_by(consumer_checkpoints.c.name))
        assert [tuple(row) for row in kept] == checkpoints

    _with_connection(place, use)


def test_what_is_there_is_added_to(place: Place) -> None:
    """A row whose key is there is added to it, value by value; others are made."""

    async def use(connection: AsyncConnection) -> None:
        await add_all(connection, rollups, [_sum("a", 1), _sum("b", 10)], key=KEY)
        await add_all(connection, rollups, [_sum("b", 100), _sum("c", 5)], key=KEY)
        await add_all(connection, rollups, [], key=KEY)
        found = await connection.execute(select(rollups).order_by(rollups.c.scope_id))
        added = ("day", "user", 0, "b", "", "", "", *(2 * step + 110 for step in range(8)))
        assert [tuple(row) for row in found] == [_sum("a", 1), added, _sum("c", 5)]

    _with_connection(place, use)
