"""What was given up is kept, and can be sent again."""

import asyncio
import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from sluicegate.events.sinks.base import Event
from sluicegate.events.sinks.dead_letters import DeadLetters, dead_letters_path
from sluicegate.events.sinks.decisions import Letter
from tests.events.sinks.contract import NOW


def letters(*numbers: int) -> list[Letter]:
    """Letters whose events are numbers."""
    return [Letter({"n": number}, "no") for number in numbers]


def size_of(directory: Path) -> int:
    """Bytes of the files in it."""
    return sum(each.stat().st_size for each in directory.iterdir())


class Taken:
    """Where replayed events go."""

    def __init__(self) -> None:
        """None yet."""
        self.calls: list[list[int]] = []

    async def __call__(self, events: Sequence[Event]) -> None:
        """Take them."""
        self.calls.append([event["n"] for event in events])

    def all(self) -> list[int]:
        """All of them, in their order."""
        return [number for call in self.calls for number in call]


def test_letters_are_kept_as_lines(tmp_path: Path) -> None:
    """With the time, the reason and the event, in a file that only its owner can read."""
    path = dead_letters_path(tmp_path, "hook")
    dead = DeadLetters(path, largest_bytes=1000, now=lambda: NOW)
    assert asyncio.run(dead.add(letters(1))) == 0
    assert asyncio.run(dead.add(letters(2))) == 0
    first, _ = path.read_bytes().splitlines()
    assert msgspec.json.decode(first) == {"at": NOW, "reason": "no", "event": {"n": 1}}
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent.name, path.name) == ("dead", "hook.jsonl")
    assert repr(dead) == f"<DeadLetters {path}>"


def test_replay_empties_the_file(dead: DeadLetters) -> None:
    """All letters are handed on, so many at once; then there are none."""

    async def story() -> None:
        taken = Taken()
        await dead.add(letters(1, 2, 3))
        assert await dead.replay(taken, count=2) == 3
        assert taken.calls == [[1, 2], [3]]
        assert await dead.replay(taken) == 0

    asyncio.run(story())


def test_what_dies_again_is_for_the_next_time(dead: DeadLetters) -> None:
    """A replay ends, even where all that it sends becomes a dead letter anew."""

    async def story() -> None:
        async def refuse(events: Sequence[Event]) -> None:
            await dead.add([Letter(event, "again") for event in events])

        await dead.add(letters(1, 2))
        assert await dead.replay(refuse) == 2
        taken = Taken()
        assert await dead.replay(taken) == 2
        assert taken.calls == [[1, 2]]

    asyncio.run(story())


def test_a_replay_that_broke_off_is_done_again(dead: DeadLetters) -> None:
    """Everything that it had begun with is sent, before what came since."""

    async def story() -> None:
        async def fail(events: Sequence[Event]) -> None:
            raise ConnectionError

        await dead.add(letters(1, 2))
        with pytest.raises(ConnectionError):
            await dead.replay(fail)
        await dead.add(letters(3))
        taken = Taken()
        assert await dead.replay(taken) == 3
        assert taken.calls == [[1, 2], [3]]

    asyncio.run(story())


def test_room_is_bounded(tmp_path: Path) -> None:
    """Beyond it the older half goes, and how many those were is told; what is left can be replayed."""
    path = tmp_path / "dead.jsonl"
    dead = DeadLetters(path, largest_bytes=400, now=lambda: NOW)

    async def story() -> None:
        lost = [await dead.add(letters(number)) for number in range(10)]
        assert 0 < sum(lost) < 10
        assert size_of(tmp_path) <= 400
        taken = Taken()
        assert await dead.replay(taken) == 10 - sum(lost)
        assert taken.all() == list(range(sum(lost), 10))

    asyncio.run(story())


def test_a_disk_that_refuses_says_so(tmp_path: Path) -> None:
    """Whoever gave them up still has them."""
    (tmp_path / "file").write_text("")
    dead = DeadLetters(tmp_path / "file" / "x.jsonl", largest_bytes=1000, now=lambda: NOW)
    with pytest.raises(FileExistsError):
        asyncio.run(dead.add(letters(1, 2)))


def test_a_disk_that_is_nearly_full_takes_all_or_none(dead: DeadLetters, tmp_path: Path) -> None:
    """What had room of letters that are refused is taken back: they come again, and must not be there twice."""
    asyncio.run(dead.add(letters(1)))
    (file,) = tmp_path.rglob("*.jsonl")
    before = file.read_bytes()
    write = os.write

    def write_some(descriptor: int, data: bytes | memoryview) -> int:
        if file.stat().st_size > len(before):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:10])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", write_some)
        with pytest.raises(OSError, match="No space"):
            asyncio.run(dead.add(letters(2, 3)))
    assert file.read_bytes() == before
    asyncio.run(dead.add(letters(2, 3)))
    taken = Taken()
    asyncio.run(dead.replay(taken))
    assert taken.all() == [1, 2, 3]


def test_half_a_line_does_not_take_the_next_one_with_it(tmp_path: Path, dead: DeadLetters) -> None:
    """What a disk that was full, or a process that died, left of a line ends there; what comes next can be read."""

    asyncio.run(dead.add(letters(1)))
    (file,) = tmp_path.rglob("*.jsonl")
    with file.open("ab") as half:
        half.write(b'{"at":1.0,"reason":"no')
    asyncio.run(dead.add(letters(2, 3)))
    taken = Taken()
    asyncio.run(dead.replay(taken))
    assert taken.all() == [1, 2, 3]


def test_a_file_that_cannot_be_made_anew_is_closed_once(tmp_path: Path) -> None:
    """Where room was made and no new file can be had, no other file of the process is closed by mistake.

    What was lost for the room is told with what is kept next.
    """
    path = tmp_path / "dead" / "hook.jsonl"
    dead = DeadLetters(path, largest_bytes=100, now=lambda: NOW)
    assert [asyncio.run(dead.add(letters(number))) for number in (1, 2)] == [0, 0]
    opened: list[int] = []
    closed: list[int] = []

    class Full(DeadLetters):
        """Has no room for a second file."""

        def _locked(self) -> int:
            if opened:
                raise OSError(errno.ENOSPC, "no space left")
            opened.append(super()._locked())
            return opened[0]

    close = os.close

    def note(file: int) -> None:
        closed.append(file)
        close(file)

    full = Full(path, largest_bytes=100, now=lambda: NOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "close", note)
        with pytest.raises(OSError, match="no space left"):
            full._add([b"x" * 90])
    assert closed == opened
    opened.clear()
    assert full._add([b"x" * 90]) == 1


def test_damage_is_put_by(tmp_path: Path, dead: DeadLetters) -> None:
    """A line that was cut off does not keep the others from being sent; it is told, and kept for people to look at."""
    asyncio.run(dead.add(letters(1)))
    path = tmp_path / "dead" / "x.jsonl"
    path.write_bytes(b'{"at": 1, "rea\n\xff\n\n' + path.read_bytes() + b'{"at": 2')
    taken = Taken()
    assert asyncio.run(dead.replay(taken)) == 1
    assert taken.calls == [[1]]
    assert dead.damaged == 3
    assert path.with_name("x.jsonl.damaged").read_bytes() == b'{"at": 1, "rea\n\xff\n{"at": 2\n'
    assert asyncio.run(dead.replay(taken)) == 0


def test_adding_and_replaying_at_once_loses_nothing(dead: DeadLetters) -> None:
    """Each letter is replayed once, however the two interleave."""
    taken = Taken()
    writer = threading.Thread(target=lambda: [asyncio.run(dead.add(letters(number))) for number in range(50)])
    writer.start()
    while writer.is_alive():
        asyncio.run(dead.replay(taken))
    writer.join()
    asyncio.run(dead.replay(taken))
    assert sorted(taken.all()) == list(range(50))
