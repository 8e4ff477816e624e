"""The request log: recent requests, newest first, in blocks that come and go as a whole."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.request_blocks import FIRST_CHUNK, LARGEST, PIECES, Block, blocks_of, rows_of
from sluicegate.domain.usage_rows import DAY, RequestRow
from sluicegate.store import heads
from sluicegate.store.schema import request_blocks, request_pieces
from sluicegate.store.usage.request_search import Moment, RequestFilter, find, search
from sluicegate.store.usage.rows_at_once import insert_all
from sluicegate.store.values import is_storable

HEAD: Final = "request_log"
MERGED: Final = 16
"""So many blocks of a level become one of the next, if they do not come to a large one before."""
_LEVELS: Final = (32, 512, LARGEST // 2)
"""Below so many rows a block is of level 0, 1, 2. Where requests are few, each was written three times in the end."""
_LAST_LEVEL: Final = len(_LEVELS)


class RequestLog:
    """Blocks are numbered in the order of their transactions; those of many nodes are in one log."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<RequestLog>"

    async def add(self, blocks: Sequence[Block]) -> None:
        """Add these, and put small ones together where there are many."""
        await self._add(blocks)
        for level, day in sorted({(_level(block), block.last_at // DAY) for block in blocks}):
            await self._merge(level, day)

    async def get(self, request_id: str) -> RequestRow | None:
        """The row of this request, if it is still there."""
        return await find(self._connection, request_id) if is_storable(request_id) else None

    async def search(self, wanted: RequestFilter, *, limit: int, before: str | None = None) -> list[RequestRow]:
        """A page, newest first; `before` is the id of the last request on the page before.

        There is nothing behind a request that is gone: all that are older are gone too.
        """
        if not (wanted.is_storable and is_storable(before)):
            return []
        place = None
        if before is not None:
            last = await find(self._connection, before)
            if last is None:
                return []
            place = Moment(last.at, last.request_id)
        return await search(self._connection, wanted, limit=limit, before=place)

    async def prune(self, before: int, most_rows: int, limit: int = 2_000) -> int:
        """Remove blocks of some `limit` rows: those whose requests are all older than `before`, Unix milliseconds, and
        the oldest where there are `most_rows` without them. Return how many rows went."""
        columns = request_blocks.c
        rows = int(await self._connection.scalar(select(func.coalesce(func.sum(columns.rows), 0))) or 0)
        removed = 0
        for block in await self._connection.execute(
            select(columns.sequence, columns.rows, columns.last_at)
            .order_by(columns.last_at, columns.sequence)
            .limit(limit)
        ):
            is_due = block.last_at < before or rows - removed - block.rows >= most_rows
            if not is_due or removed >= limit:
                break
            await self._remove([block.sequence])
            removed += block.rows
        return removed

    async def _add(self, blocks: Sequence[Block]) -> None:
        if not blocks:
            return
        last = await heads.advance(self._connection, HEAD, len(blocks))
        numbered = list(enumerate(blocks, last - len(blocks) + 1))
        rows = [
            (number, block.first_at, block.last_at, block.rows, _level(block), block.last_at // DAY)
            for number, block in numbered
        ]
        await insert_all(self._connection, request_blocks, rows)
        pieces = [(number * PIECES + piece, data) for number, block in numbered for piece, data in block.pieces]
        await insert_all(self._connection, request_pieces, pieces)

    async def _merge(self, level: int, day: int) -> None:
        """Put the small blocks of a day together, as long as there are enough; large ones stay as they are."""
        columns = request_blocks.c
        while level < _LAST_LEVEL:
            small = list(
                await self._connection.execute(
                    select(columns.sequence, columns.rows)
                    .where(columns.level == level, columns.day == day)
                    .order_by(columns.sequence)
                    .limit(MERGED)
                )
            )
            if len(small) < MERGED and sum(block.rows for block in small) < LARGEST:
                return
            numbers = [block.sequence for block in small]
            merged = await asyncio.to_thread(_together, await self._chunks(numbers))
            await self._remove(numbers)
            await self._add(merged)
            level = max(map(_level, merged), default=level)

    async def _chunks(self, numbers: Sequence[int]) -> list[bytes]:
        """All rows of some blocks."""
        place = request_pieces.c.place
        edges = [(number * PIECES + FIRST_CHUNK, (number + 1) * PIECES) for number in numbers]
        within = or_(*((place >= first) & (place < end) for first, end in edges))
        return list(await self._connection.scalars(select(request_pieces.c.data).where(within).order_by(place)))

    async def _remove(self, numbers: Sequence[int]) -> None:
        place = request_pieces.c.place
        for number in numbers:
            pieces = (place >= number * PIECES) & (place < (number + 1) * PIECES)
            await self._connection.execute(delete(request_pieces).where(pieces))
        await self._connection.execute(delete(request_blocks).where(request_blocks.c.sequence.in_(numbers)))


def _level(block: Block) -> int:
    return sum(block.rows >= most for most in _LEVELS)


def _together(chunks: Sequence[bytes]) -> list[Block]:
    return blocks_of([row for chunk in chunks for row in rows_of(chunk)])
