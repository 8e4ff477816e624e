"""A directory of segments written by hand, byte by byte, and a Valkey server for streams of events."""

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.domain.events import Exchange, Metadata, Pending
from tests.ledger.valkey import Server


class Shelf:
    """Segments of the incarnation `000-a` unless told otherwise; a live writer is a lock on its last segment."""

    def __init__(self, directory: Path) -> None:
        """Begin with nothing."""
        self.directory = directory
        self.locked: list[BinaryIO] = []

    def exchange(self, name: str) -> Exchange:
        """Make an exchange whose only interesting property is its name."""
        return Exchange(name, "now", "tok", "prj", "org", "/v1/x", "POST", 200, 1.5, Metadata())

    def line(self, name: str) -> bytes:
        """Make an exchange's line."""
        return msgspec.json.encode(self.exchange(name)) + b"\n"

    def pending(self, name: str) -> bytes:
        """Make the line of a pending exchange; its guess is named `name?`, so that it can be told apart."""
        return msgspec.json.encode(Pending(name, self.exchange(f"{name}?"))) + b"\n"

    def path(self, number: int, incarnation: str = "000-a") -> Path:
        """Tell where a segment is."""
        return self.directory / f"{incarnation}-{number:08d}.jsonl"

    def add(self, data: bytes, number: int = 1, incarnation: str = "000-a") -> None:
        """Append to a segment."""
        with self.path(number, incarnation).open("ab") as segment:
            segment.write(data)

    def live(self, number: int = 1, incarnation: str = "000-a") -> None:
        """Let a segment have a live writer."""
        self.add(b"", number, incarnation)
        segment = self.path(number, incarnation).open("rb")
        fcntl.flock(segment, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.locked.append(segment)

    def die(self) -> None:
        """End all live writers."""
        while self.locked:
            self.locked.pop().close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Give an empty directory of segments."""
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.die()


@pytest.fixture
def captured() -> LogCapture:
    """What was logged."""
    return LogCapture()


@pytest.fixture
def log(captured: LogCapture) -> FilteringBoundLogger:
    """A log that is captured."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[captured], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    return logger


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """A Valkey server for all tests of a module, which leave it as it is."""
    with Server() as one:
        yield one


@pytest.fixture
def server(running: Server) -> Server:
    """The module's server with nothing in it."""
    running.call("FLUSHALL")
    return running
