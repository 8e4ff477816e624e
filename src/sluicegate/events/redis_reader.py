"""One reader of a group: takes entries of a Redis stream, delivers them, and acknowledges what is delivered.

Any number of readers, on any machines, share a group. What one had that died is claimed by another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from structlog.typing import FilteringBoundLogger

from sluicegate.events.redis_stream import Entry, RedisStream
from sluicegate.events.stream_group import StreamUnavailableError

LARGEST_BATCH = 500
ABANDONED_AFTER = 60.0
"""Seconds without a sign of life after which a reader's entries are claimed."""
_SIGNS = 4
"""Signs of life in that time; and so often it is looked whether others give theirs."""
_PAUSE = 1.0
"""Seconds after a failure."""


class StreamReader:
    """Reads until it is told to end."""

    def __init__(
        self,
        stream: RedisStream,
        *,
        group: str,
        name: str,
        deliver: Callable[[Sequence[bytes]], Awaitable[None]],
        log: FilteringBoundLogger,
        largest_batch: int = LARGEST_BATCH,
        abandoned_after: float = ABANDONED_AFTER,
        pause: float = _PAUSE,
    ) -> None:
        """`name` is this reader's own in its group. `deliver` returns once all are delivered, or put aside."""
        self._stream = stream
        self._group = group
        self._name = name
        self._deliver = deliver
        self._log = log
        self._largest_batch = largest_batch
        self._abandoned_after = abandoned_after
        self._pause = pause
        self._delivered: list[Entry] = []
        self._looked = float("-inf")
        self._is_away = False
        self.delivered = 0
        """Entries delivered so far."""

    def __repr__(self) -> str:
        """Tell what is read by whom."""
        return f"<StreamReader {self._name} of {self._group} {self._stream!r}>"

    async def run(self, end: asyncio.Event, *, grace: float = 10.0) -> None:
        """Read until `end`; what is under way then may take `grace` seconds more. The rest is left to the others."""
        reading = asyncio.ensure_future(self._read(end))
        ending = asyncio.ensure_future(end.wait())
        try:
            await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reading,), timeout=grace)
        finally:
            ending.cancel()
            reading.cancel()
            await asyncio.wait((reading, ending))
        if not reading.cancelled():
            reading.result()
        await self._leave()

    async def _read(self, end: asyncio.Event) -> None:
        while not end.is_set():
            try:
                await self._acknowledge()
                await self._step()
            except StreamUnavailableError as error:
                if not self._is_away:
                    self._is_away = True
                    self._log.error("the stream of events cannot be read", reason=str(error))
                await _until(end, self._pause)
            else:
                if self._is_away:
                    self._is_away = False
                    self._log.info("over: the stream of events cannot be read")

    async def _step(self) -> None:
        """Deliver what others have abandoned, if it is time to look, else what is new."""
        entries: list[Entry] = []
        now = asyncio.get_running_loop().time()
        if now - self._looked >= self._abandoned_after / _SIGNS:
            entries = await self._stream.claim(self._group, self._name, self._largest_batch, idle=self._abandoned_after)
            if entries:
                self._log.warning("entries claimed that another reader has abandoned", entries=len(entries))
            else:
                self._looked = now
        entries = entries or await self._stream.take(self._group, self._name, self._largest_batch)
        if not entries:
            return
        lines = [entry.event for entry in entries if entry.event]
        if len(lines) < len(entries):
            self._log.error("entries without an event are passed over", entries=len(entries) - len(lines))
        if lines:
            await self._deliver_holding(lines, entries)
        # From here on only the acknowledgement may fail, and is repeated without them being delivered again.
        self._delivered = entries
        self.delivered += len(lines)
        await self._acknowledge()

    async def _deliver_holding(self, lines: Sequence[bytes], entries: Sequence[Entry]) -> None:
        """Deliver, and give signs of life as long as it takes."""
        delivering = asyncio.ensure_future(self._deliver(lines))
        try:
            while True:
                done, _ = await asyncio.wait((delivering,), timeout=self._abandoned_after / _SIGNS)
                if done:
                    return delivering.result()
                try:
                    await self._stream.hold(self._group, self._name, entries)
                except StreamUnavailableError as error:
                    self._log.warning("others may claim what is being delivered", reason=str(error))
        finally:
            delivering.cancel()

    async def _acknowledge(self) -> None:
        if self._delivered:
            await self._stream.acknowledge(self._group, self._delivered)
            self._delivered = []

    async def _leave(self) -> None:
        try:
            await self._acknowledge()
            await self._stream.leave(self._group, self._name)
        except StreamUnavailableError as error:
            # Others claim what is left.
            self._log.warning("the stream of events is left without a word", reason=str(error))


async def _until(end: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the end."""
    try:
        await asyncio.wait_for(end.wait(), seconds)
    except TimeoutError:
        return
