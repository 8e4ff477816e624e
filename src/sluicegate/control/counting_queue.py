"""Counts tokens beside the event loop, one exchange after the other: a long text takes as long as many short ones."""

from collections.abc import Callable
from concurrent.futures import Executor, Future

from structlog.typing import FilteringBoundLogger

from sluicegate.control.counting import guess
from sluicegate.wire.link import Count, Counted

LONGEST_QUEUE = 1_024
LARGEST_QUEUE = 64 * 1024 * 1024
"""Bytes of bodies that may wait: some seconds of counting."""


class CountingQueue:
    """Counts waiting for their turn."""

    def __init__(
        self,
        count: Callable[[Count], Counted],
        *,
        executor: Executor,
        call_soon: Callable[[Callable[[], None]], object],
        log: FilteringBoundLogger,
    ) -> None:
        """`executor` has one thread; `call_soon` brings a result into the loop (`loop.call_soon_threadsafe`)."""
        self._count = count
        self._executor = executor
        self._call_soon = call_soon
        self._log = log
        self._waiting = 0
        self._bytes = 0

    def __repr__(self) -> str:
        """Tell how much waits."""
        return f"<CountingQueue waiting={self._waiting} bytes={self._bytes}>"

    def ask(self, question: Count, answer: Callable[[Counted], None]) -> None:
        """Call `answer` with the count; at once, and with a guess, where too much waits already."""
        size = len(question.request) + len(question.answer)
        if self._waiting >= LONGEST_QUEUE or self._bytes + size > LARGEST_QUEUE:
            answer(guess(question))
            return
        self._waiting += 1
        self._bytes += size

        def finish(future: Future[Counted]) -> None:
            self._waiting -= 1
            self._bytes -= size
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                answer(future.result())
            else:
                self._log.error("tokens cannot be counted", model=question.model, exc_info=error)
                answer(guess(question))

        future = self._executor.submit(self._count, question)
        future.add_done_callback(lambda done: self._call_soon(lambda: finish(done)))
