"""Events in a file: in order, whole, and told as transient where the disk refuses."""

import asyncio
import gc
import gzip
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import Surroundings, TransientError
from sluicegate.events.sinks.file import FileSink, make
from sluicegate.events.sinks.rotated_file import RotatedFile, Rotation

SURROUNDINGS = Surroundings(now=lambda: 1_795_262_400.0)


def events(*names: str) -> list[dict[str, str]]:
    """Events that differ in their names."""
    return [{"kind": "exchange", "request_id": name} for name in names]


def ids(data: bytes) -> list[str]:
    """The names of events in a file."""
    return [msgspec.json.decode(line)["request_id"] for line in data.splitlines()]


def test_events_are_lines(tmp_path: Path) -> None:
    """Each event is a line, and batches that are delivered together do not mix."""

    async def deliver() -> None:
        sink = make(SinkSettings(type="file", path=str(tmp_path / "e")), SURROUNDINGS)
        await asyncio.gather(*(sink.deliver(events(f"{number}a", f"{number}b")) for number in range(5)))
        await sink.close()

    asyncio.run(deliver())
    data = (tmp_path / "e").read_bytes()
    assert data.startswith(b'{"kind":"exchange","request_id":"0a"}\n')
    assert ids(data) == [f"{number}{letter}" for number in range(5) for letter in "ab"]


def test_settings(tmp_path: Path) -> None:
    """Size, number and compression are as configured; who closes waits for what is being compressed."""
    settings = SinkSettings(type="file", path=str(tmp_path / "e"), largest_bytes=1, keep=2, gzip=True, fsync=False)

    async def deliver() -> None:
        sink = make(settings, SURROUNDINGS)
        for name in "abcd":
            await sink.deliver(events(name))
        await sink.close()
        # The next start finds what is still to be done.
        sink = make(settings, SURROUNDINGS)
        await sink.deliver(events("e"))
        await sink.close()
        sink = make(settings, SURROUNDINGS)
        await sink.deliver(events("f"))
        await sink.close()

    asyncio.run(deliver())
    aside = sorted(tmp_path.glob("e.*.gz"))
    assert [ids(gzip.decompress(path.read_bytes())) for path in aside] == [["d"], ["e"]]
    assert len(list(tmp_path.iterdir())) == 3


def test_the_disk_refuses(tmp_path: Path) -> None:
    """What cannot be written may be tried again."""

    async def deliver() -> None:
        sink = make(SinkSettings(type="file", path=str(tmp_path / "file" / "e")), SURROUNDINGS)
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(TransientError, match=r"cannot write: (File exists|Not a directory)"):
            await sink.deliver(events("a"))
        (tmp_path / "file").unlink()
        await sink.deliver(events("a"))
        await sink.close()

    asyncio.run(deliver())
    assert ids((tmp_path / "file" / "e").read_bytes()) == ["a"]


class Untidy(RotatedFile):
    """A file whose tidying fails once."""

    attempts = 0

    def tidy(self) -> None:
        """Fail the first time."""
        self.attempts += 1
        if self.attempts == 1:
            raise OSError("no room")
        super().tidy()


def test_tidying_is_tried_again(tmp_path: Path) -> None:
    """No event waits for what cannot be compressed, and it is tried again with the next."""
    file = Untidy(tmp_path / "e", Rotation(1000), now=lambda: 0.0)

    async def deliver() -> None:
        for name in "ab":
            sink = FileSink(file)
            await sink.deliver(events(name))
            await sink.close()

    asyncio.run(deliver())
    assert (file.attempts, file.is_untidy) == (2, False)
    assert ids((tmp_path / "e").read_bytes()) == ["a", "b"]


class Slow(RotatedFile):
    """A file that takes its time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Rotation(1000), now=lambda: 0.0)
        self.begun = threading.Event()
        self.released = threading.Event()

    def write(self, lines: Sequence[bytes]) -> None:
        """Write when it is let."""
        self.begun.set()
        self.released.wait(60)
        super().write(lines)


def test_a_delivery_that_is_given_up(tmp_path: Path) -> None:
    """What is being written when its caller goes is written to the end before anything else is."""
    file = Slow(tmp_path / "e")

    async def deliver() -> None:
        sink = FileSink(file)
        first = asyncio.ensure_future(sink.deliver(events("a")))
        await asyncio.to_thread(file.begun.wait, 20)
        second = asyncio.ensure_future(sink.deliver(events("b")))
        first.cancel()
        file.released.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
        await sink.close()

    asyncio.run(deliver())
    assert ids((tmp_path / "e").read_bytes()) == ["a", "b"]


def test_a_delivery_that_is_given_up_twice(tmp_path: Path) -> None:
    """By its timeout, then by its sink's end: the file is not closed while it is written to, and no failure is left."""
    file = Slow(tmp_path)
    unheard: list[object] = []

    async def deliver() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
        sink = FileSink(file)
        writing = asyncio.ensure_future(sink.deliver(events("a")))
        await asyncio.to_thread(file.begun.wait, 20)
        for _ in range(2):
            writing.cancel()
            await asyncio.wait((writing,), timeout=0.01)
        assert not writing.done()
        file.released.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await sink.close()

    asyncio.run(deliver())
    gc.collect()
    assert not unheard


def test_told_apart(tmp_path: Path) -> None:
    """A sink names its file."""
    sink = make(SinkSettings(type="file", path="events.jsonl"), SURROUNDINGS)
    assert repr(sink) == "<FileSink <RotatedFile events.jsonl>>"
