"""Counting in another process: a real one, and scripts in its place that go wrong."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from sluicegate.control import counting_process
from sluicegate.control.counting import Counter
from sluicegate.control.counting_process import COMMAND, PATIENCE, CounterLostError, CountingProcess, serve
from sluicegate.wire.link import Count, Counted

REQUEST = b'{"messages":[{"role":"user","content":"Hi"}]}'
QUESTION = Count(7, "openai", "chat", "gpt-4o", REQUEST, b"Hello", is_text=True)
LONG = msgspec.structs.replace(QUESTION, answer=b" many words, and every one of them is counted" * 40_000)
"""More than a pipe holds."""


def script(body: str) -> Sequence[str]:
    """A process that does something else."""
    return (sys.executable, "-c", body)


def told(story: Callable[[CountingProcess], Awaitable[None]], counting: CountingProcess | None = None) -> None:
    """Tell a story of a process, the real one if no other is given; it is ended."""

    async def main() -> None:
        process = counting or CountingProcess()
        try:
            await story(process)
        finally:
            await process.close()

    asyncio.run(main())


def pid_of(counting: CountingProcess) -> int:
    """Of the process it asks."""
    return int(repr(counting).removeprefix("<CountingProcess ").removesuffix(">"))


def test_it_counts_as_this_process_does() -> None:
    """One question after the other, long ones too."""

    async def story(counting: CountingProcess) -> None:
        assert repr(counting) == "<CountingProcess not started>"
        for question in (QUESTION, LONG, QUESTION):
            assert await counting.count(question) == Counter().count(question)

    told(story)


def test_one_that_was_killed_is_followed_by_another() -> None:
    """Whoever asks next does not notice."""

    async def story(counting: CountingProcess) -> None:
        expected = await counting.count(QUESTION)
        first = pid_of(counting)
        os.kill(first, signal.SIGKILL)
        assert await counting.count(QUESTION) == expected
        assert pid_of(counting) != first

    told(story)


def test_one_that_is_closed_is_gone() -> None:
    """Not left behind, with a vocabulary in its memory."""

    async def story(counting: CountingProcess) -> None:
        await counting.count(QUESTION)
        pid = pid_of(counting)
        await counting.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    told(story)


def test_an_interrupt_does_not_end_it() -> None:
    """A terminal sends it to all; control may have something to be counted left, and ends it."""

    async def story(counting: CountingProcess) -> None:
        await counting.count(QUESTION)
        first = pid_of(counting)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(first, number)
        assert (await counting.count(QUESTION)).source == "counted"
        assert pid_of(counting) == first

    told(story)


def test_a_question_that_kills_is_asked_twice(tmp_path: Path) -> None:
    """And no more; whoever asks is told."""
    starts = tmp_path / "starts"

    async def story(counting: CountingProcess) -> None:
        with pytest.raises(CounterLostError, match="is gone"):
            await counting.count(QUESTION)

    body = f"open({str(starts)!r}, 'a').write('x'); import os; os.read(0, 1)"
    told(story, CountingProcess(command=script(body)))
    assert starts.read_text() == "xx"


@pytest.mark.parametrize("question", [QUESTION, LONG])
def test_one_that_hangs_is_given_up(question: Count) -> None:
    """Whether it takes no question or gives no answer; and the process is not kept."""

    async def story(counting: CountingProcess) -> None:
        with pytest.raises(CounterLostError, match="TimeoutError"):
            await counting.count(question)
        assert repr(counting) == "<CountingProcess not started>"

    told(story, CountingProcess(command=script("import time; time.sleep(1000)"), patience=0.5))


def test_nonsense_is_no_answer() -> None:
    """It is not believed."""

    async def story(counting: CountingProcess) -> None:
        with pytest.raises(CounterLostError):
            await counting.count(QUESTION)

    body = "import os; os.read(0, 1); os.write(1, bytes((0, 0, 0, 1, 7))); os.read(0, 10000)"
    told(story, CountingProcess(command=script(body)))


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As after an upgrade that took the old interpreter away."""

    async def story(counting: CountingProcess) -> None:
        with pytest.raises(CounterLostError):
            await counting.count(QUESTION)

    told(story, CountingProcess(command=[str(tmp_path / "missing")]))


class Pipes:
    """What the process reads and writes, in this one."""

    def __init__(self) -> None:
        self.questions, self.ask = os.pipe()
        self.answers, self.answer = os.pipe()

    def serve(self, count: Callable[[Count], Counted], idle_seconds: float = PATIENCE) -> None:
        """Serve what was asked, to its end."""
        serve(self.questions, self.answer, count=count, idle_seconds=idle_seconds)

    def close(self) -> None:
        """Let go of all."""
        for file in (self.questions, self.ask, self.answers, self.answer):
            os.close(file)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """Two of them."""
    made = Pipes()
    yield made
    made.close()


def seven(asked: Count) -> Counted:
    """Count badly, but recognisably."""
    return Counted(asked.number, 7, 7, "counted")


@pytest.mark.parametrize("rest", [b"", b"\0\0", b"\0\0\0\5half"])
def test_the_end_of_its_input_is_its_end(pipes: Pipes, rest: bytes) -> None:
    """Control is gone, in the middle of a question perhaps; what was asked before is answered."""
    message = msgspec.msgpack.encode(QUESTION)
    os.write(pipes.ask, len(message).to_bytes(4) + message + rest)
    os.close(pipes.ask)
    pipes.serve(seven)
    pipes.ask = os.dup(pipes.answer)
    answer = os.read(pipes.answers, 1000)
    assert msgspec.msgpack.decode(answer[4:], type=Counted) == Counted(7, 7, 7, "counted")
    assert len(answer) == 4 + int.from_bytes(answer[:4])


def test_with_nothing_to_count_it_ends(pipes: Pipes) -> None:
    """Its vocabularies take 100 MB."""
    pipes.serve(seven, idle_seconds=0.0)


def test_command_is_this_module() -> None:
    """Run by the interpreter that runs control."""
    assert (sys.executable, "-P", "-m", counting_process.__name__) == COMMAND
