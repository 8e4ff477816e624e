"""Counting beside the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.counting_queue import LARGEST_QUEUE, LONGEST_QUEUE, CountingQueue
from sluicegate.wire.link import Count, Counted


def question(number: int = 1, *, request: bytes = b"", answer: bytes = b"", dropped: int = 0) -> Count:
    """Something to be counted."""
    return Count(number, "openai", "chat", "m", request, answer, is_text=True, answer_dropped=dropped)


def count_seven(asked: Count) -> Counted:
    """Count badly, but recognisably."""
    return Counted(asked.number, 7, 7, "counted")


class Held(Executor):
    """An executor that does nothing until it is told to."""

    def __init__(self) -> None:
        self.work: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.work.append((future, lambda: fn(*args, **kwargs)))
        return future

    def do_all(self) -> None:
        """Do what was submitted."""
        for future, call in self.work:
            try:
                future.set_result(call())
            except ValueError as error:
                future.set_exception(error)
        self.work.clear()


def held_queue(
    log: FilteringBoundLogger, count: Callable[[Count], Counted] = count_seven
) -> tuple[CountingQueue, Held]:
    """A queue whose results come when they are asked for."""
    executor = Held()
    return CountingQueue(count, executor=executor, call_soon=lambda call: call(), log=log), executor


def test_count_comes_back_into_the_loop(log: FilteringBoundLogger) -> None:
    """Counting happens in another thread, the answer in the loop's own."""
    threads: list[threading.Thread] = []

    def count(asked: Count) -> Counted:
        threads.append(threading.current_thread())
        return count_seven(asked)

    async def scenario() -> Counted:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Counted] = loop.create_future()
        with ThreadPoolExecutor(1) as executor:
            queue = CountingQueue(count, executor=executor, call_soon=loop.call_soon_threadsafe, log=log)
            queue.ask(question(3), answered.set_result)
            return await answered

    assert asyncio.run(scenario()) == Counted(3, 7, 7, "counted")
    assert threads != [threading.current_thread()]


def test_full_queue_guesses_at_once(log: FilteringBoundLogger) -> None:
    """Where too many wait, a guess is better than to wait longer; room that becomes free is used again."""
    queue, executor = held_queue(log)
    answers: list[Counted] = []
    for number in range(LONGEST_QUEUE + 1):
        queue.ask(question(number, answer=b"12345"), answers.append)
    assert answers == [Counted(LONGEST_QUEUE, 0, 2, "length")]
    assert repr(queue) == f"<CountingQueue waiting={LONGEST_QUEUE} bytes={5 * LONGEST_QUEUE}>"
    executor.do_all()
    assert repr(queue) == "<CountingQueue waiting=0 bytes=0>"
    queue.ask(question(9), answers.append)
    executor.do_all()
    assert answers[-1] == Counted(9, 7, 7, "counted")


def test_bytes_are_bounded_too(log: FilteringBoundLogger) -> None:
    """A few huge bodies fill the queue as well as many small ones; a small one still has room beside them."""
    queue, executor = held_queue(log)
    answers: list[Counted] = []
    queue.ask(question(1, request=bytes(LARGEST_QUEUE - 10)), answers.append)
    queue.ask(question(2, request=bytes(11)), answers.append)
    queue.ask(question(3, request=bytes(10)), answers.append)
    assert [answer.number for answer in answers] == [2]
    executor.do_all()
    assert [answer.number for answer in answers] == [2, 1, 3]


def test_failed_count_becomes_a_guess(log: FilteringBoundLogger, captured: LogCapture) -> None:
    """A defect of the counting is logged with its traceback, and the exchange gets its guess."""

    def fail(asked: Count) -> Counted:
        raise ValueError("no vocabulary")

    queue, executor = held_queue(log, fail)
    answers: list[Counted] = []
    queue.ask(question(1, answer=b"1234"), answers.append)
    executor.do_all()
    assert answers == [Counted(1, 0, 1, "length")]
    assert captured.entries[0]["event"] == "tokens cannot be counted"
    assert str(captured.entries[0]["exc_info"]) == "no vocabulary"


def test_end_of_the_process_answers_nobody(log: FilteringBoundLogger) -> None:
    """What was not counted when the process ends stays unanswered: the worker has its own guess."""
    queue, executor = held_queue(log)
    answers: list[Counted] = []
    queue.ask(question(), answers.append)
    executor.work[0][0].cancel()
    executor.work[0][0].set_running_or_notify_cancel()
    assert answers == []
