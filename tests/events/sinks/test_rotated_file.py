"""A file of lines: whole ones, set aside by size and period, compressed, counted, and followed where others move it."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from sluicegate.events.sinks.rotated_file import RotatedFile, Rotation

PLAIN = Rotation(largest_bytes=1_000_000_000, is_synced=False)
NOON = 1_795_262_400.0
"""2026-11-21T12:00:00Z."""


def opened(path: Path, rotation: Rotation = PLAIN, *, now: Callable[[], float] = lambda: NOON) -> RotatedFile:
    """A file that is set aside only as told."""
    return RotatedFile(path, rotation, now=now)


def names(directory: Path) -> list[str]:
    """What is there."""
    return sorted(path.name for path in directory.iterdir())


def test_lines_are_added(tmp_path: Path) -> None:
    """To what is there, and the directory is made; nobody else may read it."""
    path = tmp_path / "deep" / "events.jsonl"
    file = opened(path)
    file.write([b'{"n":1}', b'{"n":2}'])
    file.close()
    file.write([b'{"n":3}'])
    file.close()
    assert path.read_bytes() == b'{"n":1}\n{"n":2}\n{"n":3}\n'
    assert path.stat().st_mode & 0o777 == 0o600


def test_set_aside_by_size(tmp_path: Path) -> None:
    """A file is set aside before it has too much, by number within a second; a large batch has one of its own."""
    path = tmp_path / "e"
    file = opened(path, replace(PLAIN, largest_bytes=10))
    for line in (b"12345678", b"1", b"123456789012345", b"2"):
        file.write([line])
    file.close()
    aside = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    assert aside == {
        "e": b"2\n",
        "e.20261121T120000Z": b"12345678\n",
        "e.20261121T120000Z-2": b"1\n",
        "e.20261121T120000Z-3": b"123456789012345\n",
    }


def test_set_aside_by_period(tmp_path: Path) -> None:
    """A file that was last written to yesterday is set aside, also after a restart; one of today is not."""
    path = tmp_path / "e"
    daily = replace(PLAIN, period_seconds=86_400)
    opened(path, daily).write([b"1"])
    os.utime(path, (NOON, NOON))
    opened(path, daily, now=lambda: NOON + 43_199).write([b"2"])
    os.utime(path, (NOON, NOON))
    opened(path, daily, now=lambda: NOON + 43_200).write([b"3"])
    assert names(tmp_path) == ["e", "e.20261122T000000Z"]
    assert (tmp_path / "e.20261122T000000Z").read_bytes() == b"1\n2\n"
    assert path.read_bytes() == b"3\n"


def test_compressed_and_counted(tmp_path: Path) -> None:
    """Those set aside are compressed, one that a crash has left too; only the newest are kept, and strangers stay."""
    path = tmp_path / "e"
    for stranger in ("e.old", "e.20261121T120000Z.txt", "f.20200101T000000Z"):
        (tmp_path / stranger).write_bytes(b"stranger")
    (tmp_path / "e.20250101T000000Z").write_bytes(b"left\n")
    (tmp_path / "e.20240101T000000Z.gz").write_bytes(b"oldest")
    file = opened(path, replace(PLAIN, largest_bytes=2, keep=13, is_compressed=True))
    for number in range(12):
        file.write([b"%x" % number])
    assert file.is_untidy
    file.tidy()
    kept = names(tmp_path)
    assert "e.20240101T000000Z.gz" in kept
    assert gzip.decompress((tmp_path / "e.20250101T000000Z.gz").read_bytes()) == b"left\n"
    assert gzip.decompress((tmp_path / "e.20261121T120000Z-10.gz").read_bytes()) == b"9\n"
    assert (tmp_path / "e.20261121T120000Z.gz").stat().st_mode & 0o777 == 0o600
    for _ in range(3):
        file.write([b"x"])
    file.tidy()
    file.close()
    # The oldest three went: of one second, the tenth is younger than the second.
    assert {"e.20240101T000000Z.gz", "e.20250101T000000Z.gz", "e.20261121T120000Z.gz"}.isdisjoint(names(tmp_path))
    assert {"e.old", "e.20261121T120000Z.txt", "f.20200101T000000Z"} <= set(names(tmp_path))
    assert len(names(tmp_path)) == 1 + 13 + 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"n":1}\n{"n":', b'{"n":1}\n'),
        (b'{"n":', b""),
        (b'{"n":"\xc3', b""),
        (b'{"n":1}', b'{"n":1}\n'),
        (b"notes of mine", b"notes of mine\n"),
        (b'{"' + b"x" * 1_100_000, b'{"' + b"x" * 1_100_000 + b"\n"),
    ],
    ids=["half a line", "nothing else", "half a character", "a whole one", "other text", "too long to be an event"],
)
def test_half_a_line(tmp_path: Path, before: bytes, after: bytes) -> None:
    """What a crash left of an event is cut off; anything else stays, and gets its newline."""
    path = tmp_path / "e"
    path.write_bytes(before)
    file = opened(path)
    file.write([b"next"])
    file.close()
    assert path.read_bytes() == after + b"next\n"


FULL = """
import resource, signal, sys
from pathlib import Path
from sluicegate.events.sinks.rotated_file import RotatedFile, Rotation
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
file = RotatedFile(Path(sys.argv[1]), Rotation(1000), now=lambda: 0.0)
file.write([b"0123456789"])
try:
    file.write([b"0123456789abcdef"])
except OSError as error:
    print(error.errno)
file.write([b"012345"])
"""


def test_no_room(tmp_path: Path) -> None:
    """Where the disk takes only a part, that is taken back and the failure told; what has room is written."""
    path = tmp_path / "e"
    result = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, check=True)
    assert result.stdout == b"27\n"
    assert path.read_bytes() == b"0123456789\n012345\n"


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe is written to, whatever the bounds."""
    reading, writing = os.pipe()
    file = opened(Path(f"/dev/fd/{writing}"), replace(PLAIN, largest_bytes=1, is_synced=True))
    file.write([b"1"])
    file.write([b"2"])
    file.close()
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        assert stream.read() == b"1\n2\n"


def test_two_at_a_time(tmp_path: Path) -> None:
    """Where one sets the file aside, another that has it open follows, and no line is lost."""
    path = tmp_path / "e"
    one, two = (opened(path, replace(PLAIN, largest_bytes=8)) for _ in range(2))
    for number in range(10):
        (one if number % 3 else two).write([b"%d" % number])
    one.close()
    two.close()
    lines = [line for found in tmp_path.iterdir() for line in found.read_bytes().split()]
    assert sorted(lines) == [b"%d" % number for number in range(10)]
