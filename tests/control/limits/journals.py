"""Journals written by scripted workers, line by line, with the locks that living writers hold."""

import fcntl
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from sluicegate.domain.events import Charge, Exchange, Metadata, Pending
from sluicegate.domain.segments import segment_name, unfinished_name


def charge(account: str, amount: int, leased: int | None = None) -> Charge:
    """What was taken of an account; all of it leased unless told otherwise."""
    return Charge(account, amount, amount if leased is None else leased)


def timestamp(milliseconds: int) -> str:
    """Unix milliseconds as an event's time."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"


def exchange(request_id: str, *charges: Charge, at: int = 1_800_000_000_000) -> Exchange:
    """An exchange of which only its charges matter; `at` is when it began."""
    return Exchange(
        request_id, timestamp(at), "tok", "prj", "org", "/v1/x", "POST", 200, 1.5, Metadata(), charges=charges
    )


class Writer:
    """One incarnation's journal. It lives until it dies."""

    def __init__(self, directory: Path, incarnation: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.incarnation = incarnation
        self.number = 0
        self._lock: BinaryIO | None = None
        self.rotate()

    @property
    def path(self) -> Path:
        """The present segment."""
        return self.directory / segment_name(self.incarnation, self.number)

    def rotate(self) -> None:
        """Go on in the next segment, which is locked before it has its name."""
        before = self._lock
        self.number += 1
        hidden = self.directory / unfinished_name(self.incarnation, self.number)
        self._lock = hidden.open("ab")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(self.path)
        if before is not None:
            before.close()

    def write(self, data: bytes) -> int:
        """Append bytes; return the offset behind them."""
        with self.path.open("ab") as segment:
            segment.write(data)
            return segment.tell()

    def end(self, request_id: str, *charges: Charge, at: int = 1_800_000_000_000) -> int:
        """Write that an exchange ended; return the offset behind it."""
        return self.write(msgspec.json.encode(exchange(request_id, *charges, at=at)) + b"\n")

    def begin(self, request_id: str, *charges: Charge, at: int = 1_800_000_000_000) -> int:
        """Write that an exchange is under way, charged so if nothing more is heard of it; the offset behind it."""
        line = Pending(request_id, exchange(request_id, *charges, at=at))
        return self.write(msgspec.json.encode(line) + b"\n")

    def die(self) -> None:
        """Let go of the lock, as the kernel does for a dead process."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
