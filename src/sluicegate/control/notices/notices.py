"""Taking notices and writing them: whoever tells one goes on at once.

Rule 1. A notice is written before it is remembered as told, so a crash in between tells it twice, with the same id.
Rule 2. While the disk refuses, they are kept in memory up to a bound; beyond it the newest are dropped and counted.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from sluicegate.control.notices.remembered import Remembered
from sluicegate.control.resolution.trouble import Trouble
from sluicegate.domain.events import Fact, Notice, NoticeName
from sluicegate.events.notices import NoticeSegments

_LOGGED: Final[Mapping[NoticeName, str]] = {
    "budget.threshold": "a limit is used up to a threshold",
    "circuit.opened": "a deployment is left alone: it failed too often",
    "circuit.closed": "over: a deployment is left alone",
    "token.withering": "a token withers soon: nobody uses it",
    "request.degraded": "requests are admitted without the ledger",
}
"""What the log of the program says."""
MOST_WAITING: Final = 10_000
RETRY: Final = 1.0
"""Seconds until the disk is tried again."""


class Telling(Protocol):
    """Who takes notices."""

    def tell(
        self, event: NoticeName, subject: str, *, occasion: str, organization_id: str = "", facts: Mapping[str, Fact]
    ) -> None:
        """Have it written soon."""
        ...

    def is_new(self, key: str, until: int) -> bool:
        """Whether nothing was told by this key; from now on it was."""
        ...

    def forget(self, key: str) -> None:
        """It may be told again."""
        ...


class Notices:
    """All notices of one control process. `run` must be running for them to be written."""

    def __init__(
        self,
        segments: NoticeSegments,
        remembered: Remembered,
        *,
        now: Callable[[], int],
        log: FilteringBoundLogger,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """`now` is Unix milliseconds."""
        self._segments = segments
        self._remembered = remembered
        self._now = now
        self._log = log
        self._most_waiting = most_waiting
        self._trouble = Trouble("notices cannot be written", log)
        self._waiting: deque[Notice] = deque()
        self._due = asyncio.Event()
        # A thread that writes goes on when whoever waits for it is cancelled.
        self._turn = threading.Lock()
        self.dropped = 0
        """How many were lost because the disk refused for too long."""

    def __repr__(self) -> str:
        """Tell how much waits, and what is wrong, if anything."""
        return f"<Notices waiting={len(self._waiting)} dropped={self.dropped} {self._trouble}>"

    def tell(
        self,
        event: NoticeName,
        subject: str,
        *,
        occasion: str,
        organization_id: str = "",
        facts: Mapping[str, Fact],
    ) -> None:
        """Have it written soon, and say so in the log.

        What has the same event, subject and occasion has the same id, on every node.
        """
        log = self._log.info if event == "circuit.closed" else self._log.warning
        log(_LOGGED[event], subject=subject, facts=dict(facts))
        if len(self._waiting) >= self._most_waiting:
            if not self.dropped:
                self._log.error("notices are lost: they cannot be written for too long")
            self.dropped += 1
            return
        name = f"ntc_{sha256(f'{event}|{subject}|{occasion}'.encode()).hexdigest()[:28]}"
        self._waiting.append(
            Notice(name, moment_text(self._now()), event, subject, organization_id=organization_id, facts=dict(facts))
        )
        self._due.set()

    def is_new(self, key: str, until: int) -> bool:
        """Whether nothing was told by this key; from now on it was, until that moment (Unix milliseconds)."""
        return self._remembered.is_new(key, until)

    def forget(self, key: str) -> None:
        """What was told by this key may be told again."""
        self._remembered.forget(key)

    async def run(self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(RETRY)) -> None:
        """Write for ever; at the end, what is left."""
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                while not await self.write():
                    await pause()
        finally:
            self._attempt(self._remembered.take())
            with self._turn:
                self._segments.close()

    async def write(self) -> bool:
        """Write what waits; False where the disk refuses, which is logged once."""
        # In a thread: the disk may be slow, and the workers' questions must not wait for it.
        return await asyncio.to_thread(self._attempt, self._remembered.take())

    def _attempt(self, remembered: bytes | None) -> bool:
        with self._turn:
            batch = tuple(self._waiting)
            try:
                if batch:
                    self._segments.append(batch)
                    # Whatever came meanwhile stands behind them.
                    for _ in batch:
                        self._waiting.popleft()
                if remembered is not None:
                    self._remembered.store(remembered)
            except OSError as error:
                self._remembered.is_changed = True
                self._trouble.began(error)
                return False
            self._trouble.ended()
            return True


def moment_text(milliseconds: int) -> str:
    """Unix milliseconds as events write them: `2026-11-21T10:00:00.123Z`."""
    second, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"
