"""The keys that a file declares: in force from one edit to the next, with their usage written back.

Rule 1. A broken edit changes nothing but `failure`: the keys before it stay, and nothing is written over it.
Rule 2. What an edit says of a key holds; how much the key was used is added to what the file says when it is written.
Rule 3. Usage that could not be written waits for the next time.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import bounded
from sluicegate.config.problem import Problem
from sluicegate.control.key_file import usage
from sluicegate.control.key_file.entries import KeyEntry, KeyFile, KeyFileError, parse, seconds
from sluicegate.control.key_file.exchanging import Exchange, exchange
from sluicegate.control.key_file.remembered import Remembered
from sluicegate.control.key_file.replacing import replacing
from sluicegate.control.key_file.usage import Usage
from sluicegate.control.token_directory import is_owned_by
from sluicegate.control.watch import PAUSE, Watcher, fingerprint, watch
from sluicegate.domain.default_limits import Defaults
from sluicegate.domain.principal import Principal

WRITE_PAUSE = 5.0
"""Seconds between two writes of usage: what a crash may cost, against the wear of a whole file rewritten."""

Changed = Callable[[tuple[bytes, ...]], None]
"""Told the digests that mean something else than before."""


Pause = Callable[[], Awaitable[None]]


class KeyUsage(Struct, frozen=True):
    """What is known of a key's use, written or not: tokens of the rolling five hours and of all time, last use."""

    in_window: int
    lifetime: int
    last_used: float | None


class DeclaredKeys:
    """The keys of one file. Belongs to one event loop; only what waits for the disk is done beside it."""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float],
        log: FilteringBoundLogger,
        changed: Changed,
        exchange: Exchange = exchange,
        defaults: Callable[[], Defaults] = Defaults,
        model: str | None = None,
    ) -> None:
        """`now` gives Unix seconds, `defaults` the limits of whoever has no others. Nothing is read yet.

        `model` answers the requests of keys that name none of their own; without one, the request's.
        """
        self.path = path
        self.failure: KeyFileError | None = None
        self._now = now
        self._log = log
        self._changed = changed
        self._exchange = exchange
        self._defaults = defaults
        self._model = model
        self._seen = fingerprint(path)
        self._by_digest: dict[bytes, KeyEntry] = {}
        self._by_id: dict[str, KeyEntry] = {}
        self._remembered = Remembered()
        self._is_outdated = False
        self._pending: dict[bytes, Usage] = {}
        self._writing: dict[bytes, Usage] = {}
        self._turn = asyncio.Lock()
        self._edits = 0
        """How many were loaded."""
        self._told = ""

    def __repr__(self) -> str:
        """Tell how many keys there are, and whether an edit was refused or usage waits to be written."""
        state = " newer one refused" if self.failure else ""
        return f"<DeclaredKeys {self.path} keys={len(self._by_digest)} waiting={len(self._pending)}{state}>"

    @property
    def principals(self) -> Mapping[bytes, Principal]:
        """Whom each key stands for, by its digest."""
        return MappingProxyType({digest: self._bounded(entry) for digest, entry in self._by_digest.items()})

    def get(self, digest: bytes) -> Principal | None:
        """Whom the key of this digest stands for; None if it is not declared here."""
        entry = self._by_digest.get(digest)
        return None if entry is None else self._bounded(entry)

    def by_id(self, token_id: str) -> Principal | None:
        """Whom the key with this id stands for; None if it is not declared here."""
        entry = self._by_id.get(token_id)
        return None if entry is None else self._bounded(entry)

    def owned_by(self, owners: Collection[str]) -> list[bytes]:
        """The digests of those keys that belong to one of these organisations, projects and users, or are one."""
        return [digest for digest, entry in self._by_digest.items() if is_owned_by(entry.principal, owners)]

    def find(self, token_id: str) -> KeyEntry | None:
        """The entry of a key by the id of its principal."""
        return self._by_id.get(token_id)

    def load(self) -> None:
        """Read the file for the first time. Raises KeyFileError."""
        self._seen = fingerprint(self.path)
        self._take(self._read())

    def reload(self) -> None:
        """Read the file again; where it cannot be used, say so and keep what is in force."""
        try:
            found = self._read()
        except KeyFileError as error:
            self._refuse(error)
            return
        digests = self._take(found)
        self._edits += 1
        if self.failure is not None or digests:
            self._log.info("key file loaded", file=str(self.path), keys=len(self._by_digest))
        self.failure = None
        if digests:
            self._changed(digests)

    def record(self, token_id: str, tokens: int, at: float) -> None:
        """Note the use of a key; unknown ids are of other tokens. `at` is in Unix seconds."""
        entry = self._by_id.get(token_id)
        if entry is not None:
            self._pending[entry.digest] = self._pending.get(entry.digest, Usage()).and_then(tokens, at)

    def usage(self, token_id: str) -> KeyUsage | None:
        """What is known of a key's use up to now; None for an unknown id."""
        entry = self._by_id.get(token_id)
        if entry is None:
            return None
        raw = dict(entry.raw)
        waiting = [by_digest[entry.digest] for by_digest in (self._writing, self._pending) if entry.digest in by_digest]
        for one in waiting:
            usage.add(raw, one, now=self._now())
        last_used = raw.get("last_used")
        return KeyUsage(
            in_window=usage.used(raw, self._now()),
            lifetime=raw.get("total_lifetime_tokens") or 0,
            last_used=None if last_used is None else seconds(last_used),
        )

    async def write(self) -> None:
        """Write what is waiting; where that fails, say so and keep it. Does nothing where nothing waits."""
        async with self._turn:
            if not self._pending and not self._is_outdated:
                return
            self._writing, self._pending = self._pending, {}
            edits = self._edits
            try:
                # In a thread: it waits for the disk, and for other writers.
                content = await asyncio.to_thread(self._write, self._writing)
            except KeyFileError as error:
                self._give_back()
                self._refuse(error)
            except OSError as error:
                self._give_back()
                self._tell("usage cannot be written to the key file", _reason(error))
            else:
                self._writing = {}
                self._told = ""
                digests = self._take(parse(content, file=str(self.path)))
                self.failure = None
                if digests:
                    self._changed(digests)
                if self._edits != edits:
                    # One was loaded meanwhile that may be newer than what was written, and nobody would load it again.
                    self.reload()

    async def follow(self, *, pause: Pause = lambda: asyncio.sleep(PAUSE)) -> None:
        """Load every edit, for ever."""

        async def changed() -> None:
            self.reload()

        await watch(lambda: fingerprint(self.path), Watcher(self._seen), changed=changed, pause=pause)

    async def keep_written(self, *, pause: Pause = lambda: asyncio.sleep(WRITE_PAUSE)) -> None:
        """Write usage every few seconds, for ever, and once more at the end."""
        try:
            while True:
                await pause()
                await self.write()
        finally:
            await self.write()

    def _bounded(self, entry: KeyEntry) -> Principal:
        principal = bounded(entry.principal, entry.principal.limits, self._defaults())
        return replace(principal, model=self._model) if principal.model is None and self._model else principal

    def _read(self) -> KeyFile:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise KeyFileError([Problem(str(self.path), None, "", f"cannot be read: {error.strerror}")]) from None
        return parse(content, file=str(self.path))

    def _take(self, found: KeyFile) -> tuple[bytes, ...]:
        """Put these keys in force; return the digests that mean something else than before."""
        old = self._by_digest
        self._by_digest = {entry.digest: entry for entry in found.entries}
        self._by_id = {entry.principal.token_id: entry for entry in found.entries}
        outdated = [entry for entry in found.entries if self._remembered.is_outdated(entry.digest, entry.raw)]
        for entry in outdated:
            self._remembered.restore(entry.digest, entry.raw)
        self._is_outdated = bool(outdated)
        for entry in found.entries:
            self._remembered.learn(entry.digest, entry.raw)
        return tuple(
            digest
            for digest in old.keys() | self._by_digest.keys()
            if _meaning(old.get(digest)) != _meaning(self._by_digest.get(digest))
        )

    def _write(self, added: Mapping[bytes, Usage]) -> bytes:
        def merged(content: bytes) -> bytes:
            found = parse(content, file=str(self.path))
            for entry in found.entries:
                if self._remembered.is_outdated(entry.digest, entry.raw):
                    self._remembered.restore(entry.digest, entry.raw)
                if entry.digest in added:
                    usage.add(entry.raw, added[entry.digest], now=self._now())
            return found.written()

        with replacing(self.path, exchange=self._exchange) as turn:
            return turn.replace(merged)

    def _give_back(self) -> None:
        """What could not be written waits again, with what came meanwhile."""
        for digest, one in self._writing.items():
            self._pending[digest] = one.and_all(self._pending.get(digest, Usage()))
        self._writing = {}

    def _refuse(self, error: KeyFileError) -> None:
        self.failure = error
        self._tell("key file refused, the keys before it stay", str(error))

    def _tell(self, event: str, reason: str) -> None:
        """Log what went wrong, once as long as it stays the same."""
        if reason != self._told:
            self._told = reason
            self._log.error(event, file=str(self.path), problems=reason)


def _meaning(entry: KeyEntry | None) -> Principal | None:
    """What makes a difference to a worker; the usage does not."""
    return None if entry is None else entry.principal


def _reason(error: OSError) -> str:
    """In words; a single file that is mounted into a container is the usual reason for EBUSY."""
    is_mounted = error.errno in {errno.EBUSY, errno.EXDEV}
    mounted = "; mount its directory instead of the file alone" if is_mounted else ""
    return f"{error.strerror or error}{mounted}"
