"""Files that a running program and a test both have: gone on with, replaced and removed while the other reads them."""

from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Put this in the place of what a file had, at once: a running gateway may look at it at any moment.

    Whoever stands still while it writes leaves an empty file meanwhile, which is a configuration too.
    """
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


def lines(path: Path) -> list[str]:
    """The lines of a file that have come whole: while the kernel takes one, half of it is there to be read."""
    return path.read_bytes().rpartition(b"\n")[0].decode().splitlines()


def contents(directory: Path) -> dict[Path, bytes]:
    """What is in each file below a directory; nothing of those that were replaced or removed meanwhile."""
    found = {}
    for path in directory.rglob("*"):
        if path.is_dir() or path.is_socket():
            continue
        try:
            found[path] = path.read_bytes()
        except FileNotFoundError:
            # It was there under a name of its own until it was whole, as checkpoints are.
            continue
    return found
