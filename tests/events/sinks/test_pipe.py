"""Lines to a pipe: nobody is waited for, and no reader gets half a line."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluicegate.events.sinks.pipe import OPENING, Pipe
from sluicegate.events.sinks.rotated_file import RotatedFile, Rotation

READING = os.O_RDONLY | os.O_NONBLOCK
LINE = b"x" * 9_999 + b"\n"
"""Longer than what the kernel takes whole or not at all."""


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A pipe with a name."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def reader(fifo: Path) -> Iterator[int]:
    """Somebody who has opened it."""
    file = os.open(fifo, READING)
    yield file
    os.close(file)


def all_of(reader: int) -> bytes:
    """What can be read now."""
    parts = []
    try:
        while part := os.read(reader, 65_536):
            parts.append(part)
    except BlockingIOError:
        pass
    return b"".join(parts)


def test_without_a_reader_lines_are_refused(fifo: Path) -> None:
    """At once: who opens a pipe waits for a reader otherwise, and with it whoever wants to end the process."""
    file = RotatedFile(fifo, Rotation(largest_bytes=1), now=lambda: 0.0)
    with pytest.raises(OSError, match="No such device or address"):
        file.write([b"{}"])
    reader = os.open(fifo, READING)
    file.write([b"{}", b"[]"])
    assert all_of(reader) == b"{}\n[]\n"
    file.close()
    os.close(reader)


def test_a_reader_that_stands_still_gets_whole_lines_later(fifo: Path, reader: int) -> None:
    """A line that was begun is finished first, whatever is written next."""
    file = os.open(fifo, OPENING)
    pipe = Pipe(patience=0.01)
    with pytest.raises(TimeoutError, match="nobody reads it"):
        pipe.write(file, LINE * 100)
    with pytest.raises(TimeoutError):
        pipe.write(file, b"[]\n")
    begun = all_of(reader)
    rest = -len(begun) % len(LINE)
    assert rest > 0
    assert repr(pipe) == f"<Pipe rest={rest}>"
    pipe.write(file, b"{}\n")
    assert begun + all_of(reader) == LINE * ((len(begun) + rest) // len(LINE)) + b"{}\n"
    os.close(file)


def test_a_reader_that_reads_is_waited_for(fifo: Path, reader: int) -> None:
    """More than fits in at once arrives as it was written."""
    file = os.open(fifo, OPENING)
    child = os.fork()
    if not child:
        Pipe(patience=60).write(file, LINE * 500)
        os._exit(0)
    os.close(file)
    os.set_blocking(reader, True)
    assert all_of(reader) == LINE * 500
    assert os.waitpid(child, 0)[1] == 0


def test_a_new_reader_begins_with_a_whole_line(fifo: Path) -> None:
    """Where the one before is gone with half a line."""
    first = os.open(fifo, READING)
    file = os.open(fifo, OPENING)
    pipe = Pipe(patience=0.01)
    with pytest.raises(TimeoutError):
        pipe.write(file, LINE * 100)
    os.close(first)
    with pytest.raises(BrokenPipeError):
        pipe.write(file, LINE)
    second = os.open(fifo, READING)
    all_of(second)
    pipe.write(file, b"{}\n")
    assert all_of(second) == b"{}\n"
    os.close(file)
    os.close(second)
