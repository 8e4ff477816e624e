"""Counts tokens beside all else, one exchange after the other: a long text takes as long as many short ones."""

import asyncio
from collections.abc import Awaitable, Callable

from structlog.typing import FilteringBoundLogger

from sluicegate.control.counting import guess
from sluicegate.control.counting_process import CounterLostError
from sluicegate.wire.link import Count, Counted

LONGEST_QUEUE = 1_024
LARGEST_QUEUE = 64 * 1024 * 1024
"""Bytes of bodies that may wait: some seconds of counting."""

Answer = Callable[[Counted], None]


class CountingQueue:
    """Counts waiting for their turn. They have it while `run` runs."""

    def __init__(self, count: Callable[[Count], Awaitable[Counted]], *, log: FilteringBoundLogger) -> None:
        """`count` may raise CounterLostError."""
        self._count = count
        self._log = log
        self._waiting: asyncio.Queue[tuple[Count, Answer]] = asyncio.Queue()
        self._bytes = 0

    def __repr__(self) -> str:
        """Tell how much waits."""
        return f"<CountingQueue waiting={self._waiting.qsize()} bytes={self._bytes}>"

    def ask(self, question: Count, answer: Answer) -> None:
        """Call `answer` with the count; at once, and with a guess, where too much waits already."""
        size = _size(question)
        if self._waiting.qsize() >= LONGEST_QUEUE or self._bytes + size > LARGEST_QUEUE:
            answer(guess(question))
            return
        self._bytes += size
        self._waiting.put_nowait((question, answer))

    async def run(self) -> None:
        """Count for ever."""
        while True:
            question, answer = await self._waiting.get()
            try:
                counted = await self._count(question)
            except CounterLostError as error:
                self._log.error("tokens cannot be counted", model=question.model, reason=str(error))
                counted = guess(question)
            self._bytes -= _size(question)
            answer(counted)


def _size(question: Count) -> int:
    return len(question.request) + len(question.answer)
