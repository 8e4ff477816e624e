"""How far one consumer has read, and a file to keep that in.

A consumer that stores the checkpoint in one transaction with what it made of the events has each event exactly once;
one that stores it afterwards has each at least once.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Struct, field


class Waiting(Struct, frozen=True, array_like=True):
    """A pending line read but not reported: its exchange is awaited. Where the line begins, in case it never comes."""

    request_id: str
    number: int
    offset: int


class Progress(Struct, frozen=True, omit_defaults=True):
    """How far one incarnation was read: all lines before byte `offset` of segment `number`, except those `waiting`."""

    number: int
    offset: int
    waiting: tuple[Waiting, ...] = ()


class Checkpoint(Struct, frozen=True):
    """How far all incarnations were read; an empty one is before the oldest line there is."""

    incarnations: dict[str, Progress] = field(default_factory=dict)


class CheckpointDamagedError(Exception):
    """A file is no checkpoint. To delete it makes its consumer begin with the oldest segment that is left."""


_decoder = msgspec.json.Decoder(Checkpoint)


def encoded(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as JSON, for a file or a database."""
    return msgspec.json.encode(checkpoint)


def decoded(data: bytes | str) -> Checkpoint:
    """Return the checkpoint that was encoded. Raises CheckpointDamagedError."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointDamagedError(f"not a checkpoint: {error}") from error


def kept_checkpoints(directory: Path) -> tuple[Checkpoint, ...]:
    """The checkpoints of all consumers that keep theirs as `NAME.json` in a directory; none where there is none.

    A damaged one counts as empty, as it will for its consumer: everything is still to be read. Raises OSError.
    """
    checkpoints: list[Checkpoint] = []
    for path in sorted(directory.glob("[!.]*.json")):
        try:
            checkpoints.append(CheckpointFile(path).load())
        except CheckpointDamagedError:
            checkpoints.append(Checkpoint())
    return tuple(checkpoints)


class CheckpointFile:
    """One consumer's checkpoint in a file that is always either the old or the new one, never half of it."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        """Keep the checkpoint at `path`; nothing is touched yet."""
        self._path = path

    def __repr__(self) -> str:
        """Tell where the file is."""
        return f"<CheckpointFile {self._path}>"

    def load(self) -> Checkpoint:
        """Return what was stored last, or an empty checkpoint. Raises CheckpointDamagedError, OSError."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Checkpoint()
        try:
            return decoded(data)
        except CheckpointDamagedError as error:
            raise CheckpointDamagedError(f"{self._path}: {error}") from error

    def store(self, checkpoint: Checkpoint) -> None:
        """Replace what is stored (mode 0600). Raises OSError, and then the old checkpoint still stands."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        hidden = self._path.with_name(f".{self._path.name}.new")
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(encoded(checkpoint))
            stream.flush()
            # Without it, a machine that dies may keep the new name and lose the content behind it.
            os.fsync(stream.fileno())
        hidden.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Without it, it may have the old name again: what relies on the new checkpoint has happened by then.
            os.fsync(directory)
        finally:
            os.close(directory)
