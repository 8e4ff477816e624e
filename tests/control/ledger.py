"""A ledger that knows only what a test says was used."""

from collections.abc import Sequence

from sluicegate.domain.leases import Balance, Held, Operation, Outcome, Reset
from sluicegate.ledger.interface import LedgerUnavailableError


class KnownLedger:
    """Shows what is in `used`, forgets what is reset, and is away when it is told to be."""

    def __init__(self) -> None:
        """Nothing was used."""
        self.used: dict[str, int] = {}
        self.resets: list[str] = []
        self.is_away = False
        self.absences = 0

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Carry out resets; the use cases send nothing else."""
        self._require_present()
        for operation in operations:
            assert isinstance(operation, Reset)
            self.resets.append(operation.account)
            self.used.pop(operation.account, None)
        return [
            Outcome(
                account=operation.account,
                used=0,
                leased=0,
                granted=0,
                position=0,
                frees_at=None,
                now=0,
                is_applied=True,
            )
            for operation in operations
        ]

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """What is used of each; where anything is, a window from 1 s to 2 s after 1970."""
        self._require_present()
        return [
            Balance(account, self.used[account], 0, 1_000, 2_000)
            if account in self.used
            else Balance(account, 0, 0, None, None)
            for account in accounts
        ]

    async def held(self, node: str) -> list[Held]:
        """No leases."""
        del node
        return []

    async def close(self) -> None:
        """Nothing is open."""

    def _require_present(self) -> None:
        if self.is_away:
            raise LedgerUnavailableError("the ledger is away")
