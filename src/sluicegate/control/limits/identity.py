"""Which node this is, in the ledger's eyes: a random name, made once, kept in its data directory."""

import os
import re
from collections.abc import Callable
from pathlib import Path

FILE = "node.id"

_BYTES = 8
_NAME = re.compile(r"[0-9a-f]{16}", re.ASCII)


class NodeIdError(Exception):
    """The file holds no name. The message says what to do."""


def node_id(data_dir: Path, *, random: Callable[[int], bytes]) -> str:
    """The node's name; a new one, of `random` bytes, where there is none yet. Raises NodeIdError, OSError."""
    path = data_dir / FILE
    try:
        name = path.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return _made(path, random(_BYTES).hex())
    if not _NAME.fullmatch(name):
        raise NodeIdError(
            f"{path} does not hold a node's name: restore it, or delete it with {path.parent / 'events'}; then what"
            " this node had set aside of limits that last for ever stays set aside, and what was not recorded is lost"
        )
    return name


def holder_of(node: str, incarnation: str) -> str:
    """The ledger's name for one run of one worker of a node."""
    return f"{node}/{incarnation}"


def incarnation_of(holder: str) -> str:
    """The run of a worker that a holder of this node is."""
    return holder.partition("/")[2]


def _made(path: Path, name: str) -> str:
    """Write it so that it is there whole or not at all, even where the machine dies."""
    hidden = path.with_name(f".{path.name}.new")
    file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w") as stream:
        stream.write(f"{name}\n")
        stream.flush()
        os.fsync(stream.fileno())
    hidden.replace(path)
    sync_directory(path.parent)
    return name


def sync_directory(directory: Path) -> None:
    """Have the disk know the names in a directory. Raises OSError."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
