"""What a ledger does: apply a batch of operations, each to one account, and tell what came of each.

Rule 1. `used + leased ≤ maximum` of every hard limit, at every moment, whatever is lost, late or repeated.
Rule 2. Every operation may be repeated: its second application changes nothing.
Rule 3. The operations of a batch on one account are applied in their order and together; accounts are independent.
Rule 4. Time is the ledger's: one clock for all nodes that share it, and no account sees it run backwards, but where it
        is put right by more than an hour.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from sluicegate.domain.leases import Balance, Held, Operation, Outcome


class LedgerUnavailableError(Exception):
    """The ledger's store cannot be reached, or answers too late. Whether a batch was applied is not known."""


class UnsuitableServerError(Exception):
    """It answers, but no ledger can be kept there. The message says why and what to change."""


class Ledger(Protocol):
    """The single truth about limits."""

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply a batch; the outcomes are in the operations' order.

        Raises LedgerUnavailableError, after which the batch may be repeated, and WindowError for an account's name that
        is none, with nothing applied.
        """
        ...

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """Each account's balance as of now; an unknown one is empty. Raises LedgerUnavailableError."""
        ...

    async def held(self, node: str) -> list[Held]:
        """All leases of a node's holders, in order of account and holder, for its control process to go on with.

        A holder's node is what stands before the `/` in its name. Closed leases are among them: they tell positions.
        Raises LedgerUnavailableError.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class CheckedLedger(Ledger, Protocol):
    """A ledger on a server that somebody else has set up, perhaps for other uses."""

    async def check(self) -> list[str]:
        """What its operator should know. Raises UnsuitableServerError, and LedgerUnavailableError if nobody answers."""
        ...
