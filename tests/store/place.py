"""Where a test's database is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text

from sluicegate.store import engines
from sluicegate.store.address import parse
from sluicegate.store.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A database as the store is told of it. Its connections belong to an event loop, so each test opens it anew."""

    url: str
    directory: Path

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.url.startswith("sqlite")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Database]:
        """The database, until the end of the block."""
        database = await Database.open(self.url, self.directory)
        try:
            yield database
        finally:
            await database.close()

    def run(self, use: Callable[[Database], Awaitable[T]]) -> T:
        """Open the database, do this with it, and close it."""

        async def opened() -> T:
            async with self.open() as database:
                return await use(database)

        return asyncio.run(opened())

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Execute a statement of SQL and commit, beside the store's own rules; return its rows, if it has any."""
        return asyncio.run(self._execute(statement))

    async def _execute(self, statement: str) -> list[tuple[object, ...]]:
        engine = engines.writers(parse(self.url, self.directory))
        try:
            async with engine.begin() as connection:
                result = await connection.execute(text(statement))
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            await engine.dispose()
