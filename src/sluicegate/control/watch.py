"""Noticing that a file changed, by looking: every file system can be looked at, also those of containers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

Fingerprint = tuple[int, int, int] | None
"""Inode, modification time in nanoseconds and size; None where there is no file."""

PAUSE = 0.5
"""Seconds between two looks. A change is acted on at the second look that finds the same, so within about a second."""


def fingerprint(path: Path) -> Fingerprint:
    """What `path` is now, links followed: mounted configuration is often replaced by turning a link."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class Watcher:
    """Tells when a file has changed and come to rest: whoever rewrites it in place empties it first."""

    __slots__ = ("_known", "_seen")

    def __init__(self, known: Fingerprint) -> None:
        """`known` is the file that was loaded."""
        self._known = known
        self._seen = known

    def __repr__(self) -> str:
        """Tell whether a change is waiting to come to rest."""
        return f"<Watcher {'at rest' if self._seen == self._known else 'changing'}>"

    def look(self, found: Fingerprint) -> bool:
        """Take what is found now; True, once, when it is new and was the same last time."""
        is_at_rest = found == self._seen
        self._seen = found
        if found == self._known or not is_at_rest:
            return False
        self._known = found
        return True


async def watch(
    look: Callable[[], Fingerprint],
    watcher: Watcher,
    *,
    changed: Callable[[], Awaitable[None]],
    pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE),
) -> None:
    """Look for ever, and call `changed` after each change."""
    while True:
        await pause()
        if watcher.look(look()):
            await changed()
