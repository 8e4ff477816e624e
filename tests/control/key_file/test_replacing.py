"""Replacing a file: complete or not at all, in turn, without losing an edit, and mended after whoever was killed."""

import errno
import random
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sluicegate.control.key_file.exchanging import exchange
from sluicegate.control.key_file.replacing import ATTEMPTS, BusyError, replacing

Edit = Callable[[Path, str], None]


def renamed(path: Path, text: str) -> None:
    """Edit as careful editors do: a new file takes the name."""
    new = path.with_name("editor.tmp")
    new.write_text(text)
    new.replace(path)


def rewritten(path: Path, text: str) -> None:
    """Edit as simple editors do: in place."""
    path.write_text(text)


def cannot(one: Path, other: Path) -> bool:
    """Stand for a file system that does not know how to exchange."""
    return False


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one line."""
    path = tmp_path / "keys.json"
    path.write_text("a\n")
    return path


def add(line: str) -> Callable[[bytes], bytes]:
    """Append a line."""
    return lambda content: content + f"{line}\n".encode()


def beside(path: Path) -> set[str]:
    """What lies in the directory."""
    return {other.name for other in path.parent.iterdir()}


@pytest.mark.parametrize("swap", [exchange, cannot])
def test_the_content_is_replaced(file: Path, swap: Callable[[Path, Path], bool]) -> None:
    """It is made from what is there; nothing is left beside it but the lock, which is nobody else's."""
    with replacing(file, exchange=swap) as turn:
        assert turn.replace(add("b")) == b"a\nb\n"
        assert repr(turn) == f"<Replacing {file}>"
    assert file.read_text() == "a\nb\n"
    assert beside(file) == {"keys.json", ".keys.json.lock"}
    assert stat.S_IMODE((file.parent / ".keys.json.lock").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_stays(file: Path, mode: int) -> None:
    """Whoever could read the file can, and nobody else."""
    file.chmod(mode)
    with replacing(file) as turn:
        turn.replace(add("b"))
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_link_stays_a_link(file: Path) -> None:
    """What it points to is replaced, where that is."""
    link = file.parent / "sub" / "link.json"
    link.parent.mkdir()
    link.symlink_to(file)
    with replacing(link) as turn:
        turn.replace(add("b"))
    assert link.is_symlink()
    assert file.read_text() == "a\nb\n"


@pytest.mark.parametrize("edit", [renamed, rewritten])
@pytest.mark.parametrize("swap", [exchange, cannot])
def test_an_edit_before_the_new_content_has_its_name_is_kept(
    file: Path, edit: Edit, swap: Callable[[Path, Path], bool]
) -> None:
    """Everything is done again from what somebody has written meanwhile."""
    edits = iter(["edited\n"])

    def make(content: bytes) -> bytes:
        for text in edits:
            edit(file, text)
        return content + b"ours\n"

    with replacing(file, exchange=swap) as turn:
        assert turn.replace(make) == b"edited\nours\n"
    assert file.read_text() == "edited\nours\n"


@pytest.mark.parametrize("edit", [renamed, rewritten])
def test_an_edit_at_the_last_moment_is_kept(file: Path, edit: Edit) -> None:
    """Between any look at the file and the exchange itself: what came out is put back, and done again."""
    edits = iter(["edited\n"])

    def late(one: Path, other: Path) -> bool:
        for text in edits:
            edit(file, text)
        return exchange(one, other)

    with replacing(file, exchange=late) as turn:
        turn.replace(add("ours"))
    assert file.read_text() == "edited\nours\n"


def test_an_edit_while_another_is_put_back_is_kept(file: Path) -> None:
    """The newest of all counts."""
    edits = iter(["first\n", "second\n"])

    def late(one: Path, other: Path) -> bool:
        for text in edits:
            renamed(file, text)
            break
        return exchange(one, other)

    with replacing(file, exchange=late) as turn:
        turn.replace(add("ours"))
    assert file.read_text() == "second\nours\n"


def test_endless_edits_are_given_up_on(file: Path) -> None:
    """The last edit is in the file, and nothing of ours beside it."""
    count = 0

    def make(content: bytes) -> bytes:
        nonlocal count
        count += 1
        renamed(file, f"{count}\n")
        return content + b"ours\n"

    with pytest.raises(BusyError, match=f"{ATTEMPTS} times"), replacing(file) as turn:
        turn.replace(make)
    assert file.read_text() == f"{ATTEMPTS}\n"
    assert beside(file) == {"keys.json", ".keys.json.lock"}


def test_a_refusal_leaves_everything_as_it_was(file: Path) -> None:
    """What makes the new content may find fault with the old one."""

    def make(content: bytes) -> bytes:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), replacing(file) as turn:
        turn.replace(make)
    assert file.read_text() == "a\n"
    assert beside(file) == {"keys.json", ".keys.json.lock"}


def test_a_failed_exchange_leaves_everything_as_it_was(file: Path) -> None:
    """A file that is mounted alone cannot be replaced, for instance; no copy of its keys is left lying about."""

    def fail(one: Path, other: Path) -> bool:
        raise OSError(errno.EBUSY, "busy")

    with pytest.raises(OSError, match="busy"), replacing(file, exchange=fail) as turn:
        turn.replace(add("b"))
    assert file.read_text() == "a\n"
    assert beside(file) == {"keys.json", ".keys.json.lock"}


def test_a_missing_file_is_not_made(file: Path) -> None:
    """Its keys are gone: that is for somebody to mend."""
    file.unlink()
    with pytest.raises(FileNotFoundError), replacing(file) as turn:
        turn.replace(add("b"))
    assert beside(file) == {".keys.json.lock"}


@pytest.mark.parametrize("note", ["", '{"new": 1'])
def test_a_new_file_without_its_note_is_thrown_away(file: Path, note: str) -> None:
    """Whoever left it was killed before anything could happen."""
    (file.parent / ".keys.json.lock").write_text(note)
    (file.parent / ".keys.json.new").write_text("half")
    with replacing(file) as turn:
        turn.replace(add("b"))
    assert file.read_text() == "a\nb\n"
    assert beside(file) == {"keys.json", ".keys.json.lock"}


def test_writers_take_turns(file: Path) -> None:
    """Four who write at once lose nothing of each other's."""
    barrier = threading.Barrier(4)

    def work(name: str) -> None:
        barrier.wait()
        for number in range(5):
            with replacing(file) as turn:
                turn.replace(add(f"{name}{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "wxyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = file.read_text().splitlines()
    assert sorted(lines) == sorted(["a", *(f"{name}{number}" for name in "wxyz" for number in range(5))])


class _KilledError(BaseException):
    """Stands for the end of a process: nothing that would mend anything runs after it."""


class Life(RuleBasedStateMachine):
    """Writers that may be killed around the exchange, and editors, on one file."""

    def __init__(self) -> None:
        """Begin with an empty file in a directory of its own."""
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.file = Path(self.directory.name) / "keys.json"
        self.file.touch()
        self.edited: set[str] = set()
        self.written: set[str] = set()
        self.uncertain: set[str] = set()
        self.count = 0

    def teardown(self) -> None:
        """Remove the directory."""
        self.directory.cleanup()

    def next(self, kind: str) -> str:
        """A line that was never there."""
        self.count += 1
        return f"{kind}{self.count}"

    def append(self) -> str:
        """Edit the file as somebody would who knows of no lock."""
        line = self.next("edited")
        renamed(self.file, self.file.read_text() + f"{line}\n")
        self.edited.add(line)
        return line

    @rule()
    def edit(self) -> None:
        """Somebody adds a line."""
        self.append()

    @rule(choice=st.randoms(use_true_random=False))
    def remove(self, choice: random.Random) -> None:
        """Somebody takes a line out; it must never come back."""
        if self.edited:
            line = choice.choice(sorted(self.edited))
            self.edited.discard(line)
            rewritten(self.file, self.file.read_text().replace(f"{line}\n", ""))

    @rule(is_late=st.booleans())
    def write(self, is_late: bool) -> None:
        """A writer adds a line; perhaps somebody edits just before the exchange."""
        line = self.next("written")
        edits = [self.append] if is_late else []

        def late(one: Path, other: Path) -> bool:
            if edits:
                edits.pop()()
            return exchange(one, other)

        with replacing(self.file, exchange=late) as turn:
            turn.replace(add(line))
        self.written.add(line)

    @rule(is_after=st.booleans(), is_late=st.booleans())
    def killed(self, is_after: bool, is_late: bool) -> None:
        """A writer is killed just before or just after the exchange, perhaps with an edit before that."""
        line = self.next("killed")

        def kill(one: Path, other: Path) -> bool:
            if is_late:
                self.append()
            if is_after:
                exchange(one, other)
            raise _KilledError

        with suppress(_KilledError), replacing(self.file, exchange=kill) as turn:
            turn.replace(add(line))
        self.uncertain.add(line)
        if is_late:
            self.recovered()

    @rule()
    def recovered(self) -> None:
        """The next writer mends what there is to mend."""
        with replacing(self.file):
            pass

    @invariant()
    def nothing_is_lost_and_nothing_comes_back(self) -> None:
        """What was edited and written is there, and besides at most what a killed one was writing."""
        lines = self.file.read_text().splitlines()
        assert len(lines) == len(set(lines))
        assert self.edited | self.written <= set(lines) <= self.edited | self.written | self.uncertain


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=15)


_WRITER = """
import sys
from pathlib import Path
from sluicegate.control.key_file.exchanging import exchange
from sluicegate.control.key_file.replacing import replacing

file, name, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def stop(one, other):
    if moment == "after":
        exchange(one, other)
    if moment != "never":
        print("here", flush=True)
        sys.stdin.read()
    return exchange(one, other)

number = 0
while True:
    line = f"{name}{number}\\n"
    with replacing(file, exchange=stop) as turn:
        turn.replace(lambda content: content + line.encode())
    print(number, flush=True)
    number += 1
"""


@contextmanager
def writer(file: Path, name: str, moment: str) -> Iterator[subprocess.Popen[str]]:
    """Run another process that writes without end, or stops just before or after its first exchange."""
    command = [sys.executable, "-c", _WRITER, str(file), name, moment]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def next_line(process: subprocess.Popen[str]) -> str:
    """What it prints next."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("edit", [None, renamed, rewritten])
def test_a_writer_killed_in_the_middle_loses_nothing(file: Path, moment: str, edit: Edit | None) -> None:
    """kill -9 with the new file written, and before or after it has the name; also if somebody edits after it."""
    with writer(file, "killed", moment) as process:
        assert next_line(process) == "here"
        if edit is not None:
            edit(file, file.read_text() + "edited\n")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert file.read_text().startswith("a\n"), "the file is whole at every moment"
    with replacing(file) as turn:
        turn.replace(add("next"))
    lines = [line for line in file.read_text().splitlines() if line != "killed0"]
    assert lines == ["a", *(["edited"] if edit else []), "next"]
    assert beside(file) == {"keys.json", ".keys.json.lock"}


def test_writers_killed_at_any_moment_lose_nothing(file: Path) -> None:
    """Two processes that write without end, killed again and again while this one writes too."""
    expected = {"a"}
    for generation in range(5):
        names = [f"{name}{generation}-" for name in "xy"]
        with writer(file, names[0], "never") as one, writer(file, names[1], "never") as other:
            for process, name in ((one, names[0]), (other, names[1])):
                for _ in range(3):
                    expected.add(f"{name}{next_line(process)}")
            with replacing(file) as turn:
                turn.replace(add(f"ours{generation}"))
            expected.add(f"ours{generation}")
        lines = file.read_text().splitlines()
        assert expected <= set(lines)
        assert len(lines) == len(set(lines))
