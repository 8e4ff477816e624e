"""The configuration in force, and changing it while the node runs: validate, compile, swap; or keep it and say why."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.config.problem import ConfigurationError
from sluicegate.config.show import changes
from sluicegate.control.last_good import is_same

Follower = Callable[[Compiled, Compiled], None]
"""Told of a change, the old configuration and the new one, once the new one is in force."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A configuration that was refused, and when."""

    error: ConfigurationError
    at: datetime


class Configuration:
    """What the node runs on."""

    def __init__(
        self,
        *,
        started: Compiled,
        current: Compiled,
        load: Callable[[int], Compiled],
        keep: Callable[[Compiled, Compiled], None],
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        refused: ConfigurationError | None = None,
    ) -> None:
        """`load` compiles a given version from the sources; `keep` remembers `started` and `current` for a successor.

        `refused` says why the sources as they are could not be used when this process started.
        """
        self._started = started
        self._current = current
        self._load = load
        self._keep = keep
        self._now = now
        self._log = log
        self._followers: list[Follower] = []
        self._turn = asyncio.Lock()
        self._failure = Failure(refused, now()) if refused else None

    def __repr__(self) -> str:
        """Tell the version and whether a newer one was refused."""
        return f"<Configuration version={self.version}{' newer one refused' if self._failure else ''}>"

    @property
    def current(self) -> Compiled:
        """What is in force."""
        return self._current

    @property
    def version(self) -> int:
        """Rises with every change."""
        return self._current.snapshot.version

    @property
    def failure(self) -> Failure | None:
        """Why the last attempt to change it was refused; None if it was not."""
        return self._failure

    @property
    def waiting_for_restart(self) -> tuple[str, ...]:
        """Settings that are configured but not in force until the node is started anew."""
        return changes(self._started, self._current)

    def follow(self, follower: Follower) -> None:
        """Have every change told, to all followers in the order in which they came."""
        self._followers.append(follower)

    async def preview(self) -> Compiled:
        """What a reload would bring into force now; nothing changes. Raises ConfigurationError."""
        return await asyncio.to_thread(self._load, self.version + 1)

    async def reload(self, *, cause: str, is_asked_for: bool = True) -> Compiled:
        """Load the sources again. Raises ConfigurationError, and then nothing has changed but `failure`.

        Where somebody asks for it, settings that are all the same make a new version too: files that they name, such as
        certificates, may have changed. Where it is our own idea, they do not: somebody may have asked just before.
        """
        async with self._turn:
            try:
                # In a thread: files may lie on a slow disk, and the workers' questions must not wait for it.
                new = await asyncio.to_thread(self._load, self.version + 1)
            except ConfigurationError as error:
                self._failure = Failure(error, self._now())
                self._log.error("configuration refused, the old one stays", cause=cause, problems=str(error))
                raise
            self._failure = None
            if not is_asked_for and is_same(new, self._current):
                return self._current
            old, self._current = self._current, new
            self._keep(self._started, new)
            self._log.info("configuration loaded", cause=cause, version=self.version)
            if self.waiting_for_restart:
                self._log.warning("some settings need a restart", settings=list(self.waiting_for_restart))
            for follower in self._followers:
                follower(old, new)
            return new
