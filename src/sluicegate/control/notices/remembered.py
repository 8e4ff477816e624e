"""What was told already and is not to be told again before some moment: in memory, and in a file for the next start.

A file that is lost or damaged costs notices that come twice, with the ids that they had.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field
from structlog.typing import FilteringBoundLogger

FILE: Final = "notices.json"
FOR_EVER: Final = 1 << 62
"""Unix milliseconds."""
MOST: Final = 50_000
"""Keys, some 5 MB of file. Beyond it those go first that would have been forgotten first."""


class Kept(Struct, frozen=True):
    """What the file says: keys, and until when each is remembered (Unix milliseconds)."""

    told: dict[str, int] = field(default_factory=dict)


class Remembered:
    """Keys with their ends."""

    __slots__ = ("_most", "_now", "_path", "_told", "is_changed")

    def __init__(self, path: Path, *, now: Callable[[], int], log: FilteringBoundLogger, most: int = MOST) -> None:
        """Read the file, if there is one; one that cannot be used is logged. `now` is Unix milliseconds."""
        self._path = path
        self._now = now
        self._most = most
        self._told: dict[str, int] = {}
        self.is_changed = False
        """Whether the file does not know everything; who takes something and cannot store it says so."""
        try:
            self._told = msgspec.json.decode(path.read_bytes(), type=Kept).told
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.error("notices may be told twice: it cannot be read which were told", path=str(path), reason=str(error))

    def __repr__(self) -> str:
        """Tell how much is remembered."""
        return f"<Remembered {len(self._told)}>"

    def is_new(self, key: str, until: int) -> bool:
        """Whether it is not remembered; from now on it is, until that moment, in Unix milliseconds."""
        if self._told.get(key, 0) > self._now():
            return False
        self._told[key] = until
        self.is_changed = True
        if len(self._told) > self._most:
            self._prune()
        return True

    def forget(self, key: str) -> None:
        """It may be told again."""
        if self._told.pop(key, None) is not None:
            self.is_changed = True

    def take(self) -> bytes | None:
        """What is to be stored, if anything has changed since it was last taken."""
        if not self.is_changed:
            return None
        self.is_changed = False
        now = self._now()
        self._told = {key: until for key, until in self._told.items() if until > now}
        return msgspec.json.encode(Kept(self._told))

    def store(self, data: bytes) -> None:
        """Replace the file (mode 0600) by what was taken. Raises OSError, and then the old one still stands."""
        hidden = self._path.with_name(f".{self._path.name}.new")
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        hidden.replace(self._path)

    def _prune(self) -> None:
        """Forget what is over, and a tenth of the rest: not with every key that comes."""
        now = self._now()
        lasting = sorted(((until, key) for key, until in self._told.items() if until > now), reverse=True)
        self._told = {key: until for until, key in lasting[: self._most * 9 // 10]}
