"""Everything that leads to notices on one node, put together."""

from collections.abc import Callable, Sequence
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.control.notices.budgets import Budgets
from sluicegate.control.notices.circuits import Circuits
from sluicegate.control.notices.degraded import Degraded
from sluicegate.control.notices.notices import Notices
from sluicegate.control.notices.remembered import FILE, Remembered
from sluicegate.control.notices.withering import Withering
from sluicegate.domain.tenants import Token
from sluicegate.events.notices import NoticeSegments
from sluicegate.store.database import Database


class Warnings:
    """The sources, each to be shown what it needs; `notices` must be running for anything to be written."""

    def __init__(
        self,
        data_dir: Path,
        database: Database,
        *,
        node: str,
        boot: str,
        current: Callable[[], Compiled],
        now: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        """`boot` names this start of the process; `now` is Unix milliseconds."""
        self._database = database
        self.notices = Notices(
            NoticeSegments(data_dir / "events", boot),
            Remembered(data_dir / FILE, now=now, log=log),
            now=now,
            log=log,
        )
        self.budgets = Budgets(self.notices, percents=lambda: current().settings.notices.budget_percents, now=now)
        self.circuits = Circuits(self.notices, node=node, now=now)
        self.degraded = Degraded(self.notices, now=now)
        self.withering = Withering(
            self._ending,
            self.notices,
            declared=lambda: tuple(current().tokens.values()),
            ahead=lambda: current().settings.notices.token_seconds,
            now=now,
        )

    def __repr__(self) -> str:
        """Tell the state of its parts."""
        return f"<Warnings {self.notices!r} {self.budgets!r} {self.withering!r}>"

    async def _ending(self, after: int, after_id: str | None, until: int, limit: int) -> Sequence[Token]:
        async with self._database.reading() as session:
            return await session.tokens.ending(after, after_id, until, limit)
