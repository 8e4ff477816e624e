"""Counting tokens in a process of its own, which begins with the first count and ends where nothing is to be counted.

To load a vocabulary takes half a second in which no other thread of a process runs, and some 100 MB. Control has to
answer workers meanwhile, and what it does not need it does not keep.

Both ways go frames: four bytes of length, big endian, and one message of MessagePack. There is one question at a time.
"""

import asyncio
import os
import select
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from sluicegate.control.counting import Counter
from sluicegate.wire.link import Count, Counted

COMMAND: Final = (sys.executable, "-P", "-m", "sluicegate.control.counting_process")
PATIENCE: Final = 60.0
"""Seconds for one answer, the start and a vocabulary among them: a count takes milliseconds, a stalled machine long."""
IDLE_SECONDS: Final = 600.0
"""Without a question after which the process ends: the next one starts another."""
_HEAD: Final = 4
_PIECE: Final = 1 << 20

_questions = msgspec.msgpack.Decoder(Count)
_answers = msgspec.msgpack.Decoder(Counted)


class CounterLostError(Exception):
    """The process ended, or did not answer. The message says which."""


class CountingProcess:
    """The other process, as whoever asks sees it, one question after the other."""

    def __init__(self, *, command: Sequence[str] = COMMAND, patience: float = PATIENCE) -> None:
        """Nothing is started yet. `patience` is seconds for one answer."""
        self._command = command
        self._patience = patience
        self._process: Process | None = None

    def __repr__(self) -> str:
        """Tell which process it is."""
        return f"<CountingProcess {'not started' if self._process is None else self._process.pid}>"

    async def count(self, question: Count) -> Counted:
        """The tokens of one exchange. Raises CounterLostError."""
        frame = _framed(msgspec.msgpack.encode(question))
        try:
            async with asyncio.timeout(self._patience):
                try:
                    return await self._asked(frame)
                except (ConnectionError, EOFError):
                    # It had nothing to do for long, or was killed; by this question perhaps, so once more is enough.
                    await self.close()
                    return await self._asked(frame)
        except (OSError, EOFError, msgspec.DecodeError) as error:
            await self.close()
            raise CounterLostError(f"the counting process is gone: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """End it. The next question starts another."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _asked(self, frame: bytes) -> Counted:
        process = self._process
        if process is None:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
            )
        assert process.stdin is not None, "it was started with pipes"
        assert process.stdout is not None, "it was started with pipes"
        process.stdin.write(frame)
        await process.stdin.drain()
        size = int.from_bytes(await process.stdout.readexactly(_HEAD))
        return _answers.decode(await process.stdout.readexactly(size))


def serve(questions: int, answers: int, *, count: Callable[[Count], Counted], idle_seconds: float) -> None:
    """Answer all questions of one file in another, until that ends, or for so long none comes."""
    while select.select([questions], [], [], idle_seconds)[0]:
        head = _whole(questions, _HEAD)
        question = _whole(questions, int.from_bytes(head))
        if not question:
            return
        rest = memoryview(_framed(msgspec.msgpack.encode(count(_questions.decode(question)))))
        while rest:
            rest = rest[os.write(answers, rest) :]


def main() -> None:
    """Run the process, on its standard input and output."""
    # At an interrupt, or the end of a service, control may have something to be counted left. It ends our input.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    serve(0, 1, count=Counter().count, idle_seconds=IDLE_SECONDS)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(_HEAD) + message


def _whole(file: int, size: int) -> bytes:
    """So many bytes; none where the file ends before."""
    read = bytearray()
    while len(read) < size:
        piece = os.read(file, min(_PIECE, size - len(read)))
        if not piece:
            return b""
        read += piece
    return bytes(read)


if __name__ == "__main__":
    main()
