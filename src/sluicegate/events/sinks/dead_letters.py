"""The file of events that one sink was given up for, and sending them again.

Rule 1. One JSON object a line: `at` (Unix seconds), `reason`, `event`. Only its owner can read the file.
Rule 2. Several processes may add, and one may replay meanwhile: whoever adds or takes the file away holds its lock.
Rule 3. What is to be sent again is first moved aside. If that ends half way, it is all sent again the next time.
Rule 4. Lines that cannot be read are not thrown away: they go to `NAME.jsonl.damaged`, for people to look at.
"""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sluicegate.events.sinks.base import Event
from sluicegate.events.sinks.decisions import Letter


class _Kept(msgspec.Struct, frozen=True):
    at: float
    reason: str
    event: dict[str, Any]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Kept).decode


def dead_letters_path(data_dir: Path, sink: str) -> Path:
    """Where a sink's dead letters are."""
    return data_dir / "dead" / f"{sink}.jsonl"


class DeadLetters:
    """What was given up for one sink."""

    def __init__(self, path: Path, *, largest_bytes: int, now: Callable[[], float]) -> None:
        """`now` gives Unix seconds. Nothing is touched yet; the directory is made when it is needed."""
        self._path = path
        self._old = path.with_name(f"{path.name}.old")
        self._damage = path.with_name(f"{path.name}.damaged")
        self._largest = largest_bytes
        self._now = now
        self._untold = 0
        """Letters that were lost for room, and that no call could tell yet."""
        self.damaged = 0
        """Lines that replays could not read."""

    def __repr__(self) -> str:
        """Tell where they are."""
        return f"<DeadLetters {self._path}>"

    async def add(self, letters: Sequence[Letter]) -> int:
        """Keep letters, all or none; return how many older ones were lost for room. Raises OSError."""
        at = self._now()
        lines = [_encode(_Kept(at, letter.reason, dict(letter.event))) for letter in letters]
        # In a thread: the disk may be slow, and other consumers must not wait for it.
        return await asyncio.to_thread(self._add, lines)

    async def replay(self, deliver: Callable[[Sequence[Event]], Awaitable[None]], *, count: int = 1000) -> int:
        """Hand all events that are there now to `deliver`, up to `count` at once; return how many. Raises OSError.

        `deliver` returns when each has arrived or is a dead letter anew. Lines that cannot be read are put by.
        """
        replayed = 0
        for path in await asyncio.to_thread(self._set_aside):
            batches = self._batches(path, count)
            while events := await asyncio.to_thread(_next, batches):
                await deliver(events)
                replayed += len(events)
            await asyncio.to_thread(path.unlink)
        return replayed

    def _add(self, lines: list[bytes]) -> int:
        data = b"".join(line + b"\n" for line in lines)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._locked()
        try:
            if os.fstat(file).st_size + len(data) > self._largest // 2 and os.fstat(file).st_size:
                self._untold += self._make_room()
                # The new one first: where it cannot be had, there is still one to close.
                file, full = self._locked(), file
                os.close(full)
            _write(file, data)
            lost, self._untold = self._untold, 0
        finally:
            os.close(file)
        return lost

    def _make_room(self) -> int:
        """Let the file become the old one; return how many letters of the one that was are lost."""
        try:
            with self._old.open("rb") as old:
                lost = sum(1 for _ in old)
        except FileNotFoundError:
            lost = 0
        self._path.rename(self._old)
        return lost

    def _locked(self) -> int:
        """Open the file at its path and lock it."""
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            # Somebody may have moved it aside before we had the lock.
            try:
                if self._path.stat().st_ino == os.fstat(file).st_ino:
                    return file
            except FileNotFoundError:
                pass
            os.close(file)

    def _set_aside(self) -> list[Path]:
        """Move what there is aside; return that, after what is left from the last time."""
        aside = sorted(self._path.parent.glob(f"{self._path.name}.replaying-*"))
        number = int(aside[-1].name.rpartition("-")[2]) + 1 if aside else 0
        for path in (self._old, self._path):
            if not path.exists():
                continue
            # Whoever adds just now is waited for, and whoever comes next begins a new file.
            file = self._locked() if path == self._path else None
            target = self._path.with_name(f"{self._path.name}.replaying-{number:06d}")
            path.rename(target)
            if file is not None:
                os.close(file)
            aside.append(target)
            number += 1
        return aside

    def _batches(self, path: Path, count: int) -> Iterator[list[Event]]:
        """The events of a file. A line that was not finished, or is none, is put by."""
        events: list[Event] = []
        with path.open("rb") as file:
            for line in file:
                try:
                    events.append(_decode(line).event)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    self._put_by(line)
                if len(events) == count:
                    yield events
                    events = []
        yield events

    def _put_by(self, line: bytes) -> None:
        """Keep a line that is no letter. Raises OSError."""
        if not line.strip():
            return
        file = os.open(self._damage, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "ab") as kept:
            kept.write(line.removesuffix(b"\n") + b"\n")
        self.damaged += 1


def _write(file: int, data: bytes) -> None:
    """Write all of it and have it on the disk: nobody else has these events any more. Raises OSError: nothing is."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        # Half a line, of a process that died: it must not make the next one unreadable too.
        data = b"\n" + data
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _next(batches: Iterator[list[Event]]) -> list[Event]:
    """The next of them; none at the end, which is an empty one or nothing."""
    return next(batches, [])
