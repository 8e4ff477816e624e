"""Counting beside all else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.counting_process import CounterLostError
from sluicegate.control.counting_queue import LARGEST_QUEUE, LONGEST_QUEUE, CountingQueue
from sluicegate.wire.link import Count, Counted


def question(number: int = 1, *, request: bytes = b"", answer: bytes = b"", dropped: int = 0) -> Count:
    """Something to be counted."""
    return Count(number, "openai", "chat", "m", request, answer, is_text=True, answer_dropped=dropped)


async def count_seven(asked: Count) -> Counted:
    """Count badly, but recognisably."""
    return Counted(asked.number, 7, 7, "counted")


def told(story: Callable[[], Awaitable[None]]) -> None:
    """Tell a story in a loop of its own."""

    async def main() -> None:
        await story()

    asyncio.run(main())


class Answers:
    """What was answered, in its order."""

    def __init__(self) -> None:
        self.all: list[Counted] = []
        self._more = asyncio.Event()

    def take(self, answer: Counted) -> None:
        """One more."""
        self.all.append(answer)
        self._more.set()

    async def until(self, number: int) -> None:
        """There are so many."""
        while len(self.all) < number:
            self._more.clear()
            await self._more.wait()


@asynccontextmanager
async def counting(queue: CountingQueue) -> AsyncIterator[None]:
    """It counts for so long."""
    running = asyncio.ensure_future(queue.run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_full_queue_guesses_at_once(log: FilteringBoundLogger) -> None:
    """Where too many wait, a guess is better than to wait longer; room that becomes free is used again."""

    async def story() -> None:
        queue = CountingQueue(count_seven, log=log)
        answers = Answers()
        for number in range(LONGEST_QUEUE + 1):
            queue.ask(question(number, answer=b"12345"), answers.take)
        assert answers.all == [Counted(LONGEST_QUEUE, 0, 2, "length")]
        assert repr(queue) == f"<CountingQueue waiting={LONGEST_QUEUE} bytes={5 * LONGEST_QUEUE}>"
        async with counting(queue):
            await answers.until(LONGEST_QUEUE + 1)
        assert repr(queue) == "<CountingQueue waiting=0 bytes=0>"
        queue.ask(question(9), answers.take)
        async with counting(queue):
            await answers.until(LONGEST_QUEUE + 2)
        assert answers.all[-1] == Counted(9, 7, 7, "counted")

    told(story)


def test_bytes_are_bounded_too(log: FilteringBoundLogger) -> None:
    """A few huge bodies fill the queue as well as many small ones; a small one still has room beside them."""

    async def story() -> None:
        queue = CountingQueue(count_seven, log=log)
        answers = Answers()
        queue.ask(question(1, request=bytes(LARGEST_QUEUE - 10)), answers.take)
        queue.ask(question(2, request=bytes(11)), answers.take)
        queue.ask(question(3, request=bytes(10)), answers.take)
        assert [answer.number for answer in answers.all] == [2]
        async with counting(queue):
            await answers.until(3)
        assert [answer.number for answer in answers.all] == [2, 1, 3]

    told(story)


def test_failed_count_becomes_a_guess(log: FilteringBoundLogger, captured: LogCapture) -> None:
    """It is logged, the exchange gets its guess, and the next one its count."""

    async def fail(asked: Count) -> Counted:
        if asked.number == 1:
            raise CounterLostError("it ended")
        return await count_seven(asked)

    async def story() -> None:
        queue = CountingQueue(fail, log=log)
        answers = Answers()
        queue.ask(question(1, answer=b"1234"), answers.take)
        queue.ask(question(2), answers.take)
        async with counting(queue):
            await answers.until(2)
        assert answers.all == [Counted(1, 0, 1, "length"), Counted(2, 7, 7, "counted")]

    told(story)
    assert [(entry["event"], entry["reason"]) for entry in captured.entries] == [
        ("tokens cannot be counted", "it ended")
    ]


def test_one_is_counted_after_the_other(log: FilteringBoundLogger) -> None:
    """In the order of coming: what is not begun when the process ends stays unanswered, and workers guess."""
    begun: list[int] = []

    async def story() -> None:
        first = asyncio.Event()

        async def never(asked: Count) -> Counted:
            begun.append(asked.number)
            first.set()
            await asyncio.Event().wait()
            return await count_seven(asked)

        queue = CountingQueue(never, log=log)
        answers = Answers()
        for number in (1, 2):
            queue.ask(question(number), answers.take)
        async with counting(queue):
            await first.wait()
        assert (begun, answers.all) == ([1], [])

    told(story)
