"""The change log that every node follows: which tokens it must look up anew."""

from collections.abc import Iterable

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.tenants import Change
from sluicegate.store import heads
from sluicegate.store.clock import now
from sluicegate.store.schema import changes

MANY = 1000
"""Changed tokens that are told one by one; when there are more, all are told at once, in one line."""

_NAME = "changes"


class Changes:
    """Lines are numbered in the order in which their transactions are committed, without a gap."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Changes>"

    async def append(self, digests: Iterable[bytes] | None) -> None:
        """Log that these tokens have changed; None: that any may have. Marks of owners (`domain.owner_marks`) stand for
        the tokens of theirs that files declare."""
        told: list[bytes | None] = [None] if digests is None else list(dict.fromkeys(digests))
        if not told:
            return
        if len(told) > MANY:
            told = [None]
        last = await heads.advance(self._connection, _NAME, len(told))
        first = last - len(told) + 1
        at = now(self._connection)
        await self._connection.execute(
            insert(changes).values(at=at),
            [{"sequence": number, "digest": digest} for number, digest in enumerate(told, first)],
        )

    async def since(self, sequence: int, limit: int) -> list[Change]:
        """The first lines after line `sequence`.

        Where some of them are gone (pruned), or line `sequence` itself never was (an older database was restored), the
        first that is told is one that says “all tokens”, and its number is where to go on.
        """
        last = await self.last()
        if sequence > last:
            return [Change(sequence=last, at=0, digest=None)]
        statement = select(changes).where(changes.c.sequence > sequence).order_by(changes.c.sequence).limit(limit)
        found = [
            Change(sequence=row.sequence, at=row.at, digest=row.digest)
            for row in await self._connection.execute(statement)
        ]
        following = found[0].sequence if found else last + 1
        if following > sequence + 1:
            return [Change(sequence=following - 1, at=0, digest=None), *found][:limit]
        return found

    async def last(self) -> int:
        """The number of the last line there ever was; 0 before the first."""
        return (await heads.read(self._connection, _NAME)).sequence

    async def prune(self, before: int, limit: int = 10_000) -> int:
        """Remove at most `limit` lines that are older than `before`, Unix milliseconds; return how many."""
        old = select(changes.c.sequence).where(changes.c.at < before).order_by(changes.c.at).limit(limit)
        result = await self._connection.execute(delete(changes).where(changes.c.sequence.in_(old)))
        return result.rowcount
