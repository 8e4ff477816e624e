"""Consumers' checkpoints beside what their events did there: in the database, so that a backup has one moment of both.

Rule 1. A database that is put back to an earlier moment says by itself what of the journal is to be read again.
Rule 2. Where a transaction finds another checkpoint than the one its batch began at, nothing is changed: somebody else
        has been here, or the last transaction counts although its connection was lost in the commit. To load it tells.
Rule 3. A consumer that kept its checkpoint in a file until now goes on where that says. Then the file goes: retention
        would take it for somebody's who has read nothing since.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.events.checkpoint import Checkpoint, decoded, encoded
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.store.database import Database, Session


class OvertakenError(Exception):
    """Somebody else has written behind the same checkpoint: another control process of this node."""


class DatabaseStore:
    """Keeps one consumer's checkpoint in the database."""

    is_transactional = False

    def __init__(
        self, database: Database, *, node: str, consumer: str, file: Path | None = None, log: FilteringBoundLogger
    ) -> None:
        """Nodes that share a database have a checkpoint each. `file` is where it was kept before."""
        self._database = database
        self._name = f"{node}/{consumer}"
        self._file = file
        self._log = log
        self._stored: bytes | None = None

    def __repr__(self) -> str:
        """Tell under which name it is."""
        return f"<{type(self).__name__} {self._name}>"

    async def load(self) -> Checkpoint:
        """How far the database has it. Raises StoreUnavailableError, OSError, and CheckpointDamagedError.

        To go on without it would have everything twice, so nobody does.
        """
        async with self._database.reading() as session:
            stored = await session.consumer_checkpoints.get(self._name)
        self._stored = stored
        if stored is not None:
            checkpoint = decoded(stored)
        elif self._file is not None:
            checkpoint = await FileStore(self._file, log=self._log).load()
            await self.store(checkpoint)
        else:
            checkpoint = Checkpoint()
        if self._file is not None:
            await asyncio.to_thread(self._file.unlink, missing_ok=True)
            self._file = None
        return checkpoint

    async def store(self, checkpoint: Checkpoint) -> None:
        """Keep it. Raises StoreUnavailableError."""
        data = encoded(checkpoint)
        async with self._database.writing() as session:
            await session.consumer_checkpoints.put(self._name, data)
        self._stored = data


class TransactionalStore(DatabaseStore):
    """Keeps it in one transaction with what the events did: each has its effect exactly once."""

    is_transactional = True

    @asynccontextmanager
    async def behind(self, checkpoint: Checkpoint) -> AsyncIterator[Session]:
        """A transaction, with this checkpoint behind what is done in it.

        Raises StoreUnavailableError, OvertakenError; then it must be loaded again what counts.
        """
        data = encoded(checkpoint)
        async with self._database.writing() as session:
            if await session.consumer_checkpoints.get(self._name) != self._stored:
                raise OvertakenError(f"{self._name} was written by somebody else")
            await session.consumer_checkpoints.put(self._name, data)
            yield session
        self._stored = data

    async def store(self, checkpoint: Checkpoint) -> None:
        """Keep it where no transaction has: what was passed held no event. Raises what `behind` raises."""
        if encoded(checkpoint) != self._stored:
            async with self.behind(checkpoint):
                pass
