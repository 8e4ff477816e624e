"""A journal to be recorded, and a database that fails as it is told."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sluicegate.domain.events import Exchange, Metadata, Pending
from sluicegate.domain.request_blocks import FIRST_CHUNK, PIECES, Stored, rows_of
from sluicegate.domain.segments import segment_name
from sluicegate.domain.usage import Usage
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import StoreUnavailableError

INCARNATION = "000-0193a5b0c0de"
AT = 1_767_225_600_000
"""The first moment of 2026, in Unix milliseconds."""


def exchange(number: int) -> Exchange:
    """An exchange of the first minute of 2026, which cost so many nano-dollars as its number says."""
    return Exchange(
        request_id=f"req_{number:08d}",
        timestamp=f"2026-01-01T00:00:{number % 60:02d}.000Z",
        token=f"tok_{number % 3}",
        project_id="prj_1",
        organization_id="org_1",
        endpoint="/v1/chat/completions",
        method="POST",
        status_code=200,
        duration_ms=1.0,
        metadata=Metadata(),
        provider="first",
        model="m",
        usage=Usage(input_tokens=10, output_tokens=1),
        cost=number,
    )


def write(data_dir: Path, numbers: range, *, segment: int = 1) -> None:
    """Add exchanges to the journal of a writer that is dead; every seventh is a pending line alone."""
    events = data_dir / "events"
    events.mkdir(exist_ok=True)
    with (events / segment_name(INCARNATION, segment)).open("ab") as journal:
        for number in numbers:
            line = exchange(number)
            journal.write(msgspec.json.encode(line if number % 7 else Pending(line.request_id, line)) + b"\n")


class Faulty(Database):
    """A database behind a line that breaks: `fault` says when, of every transaction."""

    def __init__(self, inner: Database, fault: Callable[[], str]) -> None:
        super().__init__(inner.address, inner._readers, inner._writers)
        self._fault = fault

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """Nothing at all where it fails."""
        if self._fault():
            raise StoreUnavailableError("away")
        async with super().reading() as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Session]:
        """Failing before it, just before it counts, or when it counts already."""
        fault = self._fault()
        if fault == "before":
            raise StoreUnavailableError("away")
        async with super().writing() as session:
            yield session
            if fault == "inside":
                raise StoreUnavailableError("lost before the commit")
        if fault == "after":
            raise StoreUnavailableError("lost in the commit")


def logged(connection: sqlite3.Connection) -> list[Stored]:
    """All rows of the request log."""
    chunks = connection.execute(
        "SELECT data FROM request_pieces WHERE place % ? >= ? ORDER BY place", (PIECES, FIRST_CHUNK)
    )
    return [row for (chunk,) in chunks for row in rows_of(chunk)]


def recorded(data_dir: Path) -> tuple[list[str], list[tuple[int, int, int]]]:
    """What is in the database: the ids of all requests, and for each grain how many, their cost and input tokens."""
    with sqlite3.connect(data_dir / "sluicegate.db") as connection:
        ids = sorted(row.request_id for row in logged(connection))
        sums = connection.execute(
            "SELECT SUM(requests), SUM(cost), SUM(input_tokens) FROM rollups WHERE scope = 'all' GROUP BY grain"
        ).fetchall()
    connection.close()
    return ids, sums


def expected(count: int) -> tuple[list[str], list[tuple[int, int, int]]]:
    """What `recorded` tells once so many exchanges are recorded, each once."""
    numbers = range(count)
    sums = (count, sum(numbers), 10 * count)
    return [f"req_{number:08d}" for number in numbers], [sums, sums] if count else []
