"""What each organisation may spend on this node in a UTC day while the ledger cannot be asked.

It is lent like any lease, in figures that are cumulative over a holder's life. The file behind it is always ahead of
what was lent, by a piece: who dies in between loses the rest of the piece, and never lends anything twice.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.trouble import Trouble
from sluicegate.wire.link import AskLease, Loan

FILE = "allowance.json"

DAY: Final = 86_400_000
"""Milliseconds."""
_PIECES: Final = 50
"""A day's allowance is written down in so many pieces: a crash costs two percent of it."""


class Drawn(Struct, frozen=True):
    """What the file says: what may have been lent on a day (whole days since 1970), by organisation."""

    day: int = 0
    amounts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Borrower:
    """What one holder has of one organisation's allowance; `fresh` is what of it was lent today."""

    granted: int
    returned: int
    fresh: int = 0


class Allowance:
    """The allowances of all organisations on one node."""

    def __init__(self, path: Path, *, now: Callable[[], int], log: FilteringBoundLogger) -> None:
        """`now` is Unix milliseconds. The file is read when it is needed first."""
        self._path = path
        self._now = now
        self._trouble = Trouble("the allowance for times without the ledger cannot be kept", log)
        self._log = log
        self._turn = asyncio.Lock()
        self._written: Drawn | None = None
        self._drawn: dict[str, int] = {}
        self._borrowers: dict[tuple[str, str], _Borrower] = {}

    def __repr__(self) -> str:
        """Tell how much was lent today, and what is wrong, if anything."""
        return f"<Allowance {self._drawn} {self._trouble}>"

    async def lend(self, holder: str, ask: AskLease) -> Loan:
        """Lend as a ledger does: what is needed or nothing, up to what is wanted, smaller pieces near the end.

        `used` is what this node has lent today and was not given back. Where the file cannot be written nothing is
        lent.
        """
        async with self._turn:
            try:
                written = await self._today()
                return await self._lend(written, holder, ask)
            except OSError as error:
                self._trouble.began(error)
                return Loan(ask.account, ask.seen, ask.maximum, 0, None)

    async def _lend(self, written: Drawn, holder: str, ask: AskLease) -> Loan:
        organization = ask.organization
        key = (organization, holder)
        # A predecessor of this process may have lent to it: what it says it has, and what it says it gave back.
        borrower = self._borrowers.setdefault(key, _Borrower(ask.seen, ask.returned))
        back = max(0, ask.returned - borrower.returned)
        borrower.returned += back
        # What was lent yesterday is given back to yesterday.
        back = min(back, borrower.fresh)
        borrower.fresh -= back
        drawn = self._drawn.get(organization, 0) - back
        unseen = borrower.granted - ask.seen
        amount = granted(ask.maximum - drawn, ask.needed - unseen, ask.wanted - unseen)
        if drawn + amount > written.amounts.get(organization, 0):
            piece = max(drawn + amount, min(ask.maximum, drawn + amount + ask.maximum // _PIECES))
            await self._write(Drawn(written.day, {**written.amounts, organization: piece}))
        self._drawn[organization] = drawn + amount
        borrower.granted += amount
        borrower.fresh += amount
        self._trouble.ended()
        return Loan(ask.account, borrower.granted, drawn + amount, 0, (written.day + 1) * DAY)

    async def _today(self) -> Drawn:
        """What is written down for today; a new day begins with nothing. A clock set back does not begin one."""
        written = self._written
        if written is None:
            written = self._written = await asyncio.to_thread(self._read)
            self._drawn = dict(written.amounts)
        today = self._now() // DAY
        if today > written.day:
            written = self._written = Drawn(today)
            self._drawn = {}
            for borrower in self._borrowers.values():
                borrower.fresh = 0
        return written

    def _read(self) -> Drawn:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Drawn)
        except FileNotFoundError:
            return Drawn()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise OSError(f"{self._path} is damaged, and will do when it is deleted: {error}") from error

    async def _write(self, drawn: Drawn) -> None:
        await asyncio.to_thread(self._store, msgspec.json.encode(drawn))
        self._written = drawn

    def _store(self, data: bytes) -> None:
        hidden = self._path.with_name(f".{self._path.name}.new")
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        hidden.replace(self._path)


def granted(free: int, needed: int, wanted: int) -> int:
    """How much of what is free to lend: all that is wanted as long as that is little of it, else what is needed."""
    if needed > free or wanted <= 0:
        return 0
    return max(0, needed, min(wanted, free // 4))
