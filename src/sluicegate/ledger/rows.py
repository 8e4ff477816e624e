"""Accounts and leases as rows of two tables, and what a batch changes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import asdict

from sluicegate.domain.leases import Account, Lease, Operation, Outcome, apply

_slots = msgspec.json.Decoder(dict[int, int])


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows to be written, and the leases to be deleted, as `of_account` and `of_holder`."""

    accounts: list[dict[str, Any]] = field(default_factory=list)
    leases: list[dict[str, Any]] = field(default_factory=list)
    forgotten: list[dict[str, Any]] = field(default_factory=list)


def applied(
    before: Mapping[str, Account], operations: Sequence[Operation], moment: int
) -> tuple[dict[str, Account], list[Outcome]]:
    """These accounts after a batch at this moment (Unix milliseconds), and what came of it. Raises WindowError."""
    after = dict(before)
    outcomes: list[Outcome] = []
    for operation in operations:
        after[operation.account], outcome = apply(operation.account, after[operation.account], operation, moment)
        outcomes.append(outcome)
    return after, outcomes


def changes(before: Mapping[str, Account], after: Mapping[str, Account]) -> Changes:
    """What differs. An account's own row always does: it has seen a later time."""
    rows = Changes()
    for name, account in after.items():
        old = before[name]
        slots = msgspec.json.encode(account.slots).decode()
        rows.accounts.append({"account": name, "slots": slots, "seen_at": account.seen_at})
        rows.leases.extend(
            {"account": name, "holder": holder, **asdict(lease)}
            for holder, lease in account.leases.items()
            if old.leases.get(holder) != lease
        )
        rows.forgotten.extend(
            {"of_account": name, "of_holder": holder} for holder in old.leases if holder not in account.leases
        )
    return rows


def account_of(slots: str, seen_at: int) -> Account:
    """An account as its row tells it, without its leases. `seen_at` is in Unix milliseconds."""
    return Account(slots=_slots.decode(slots), leases={}, seen_at=seen_at)


def lease_of(granted: int, settled: int, returned: int, position: int, expires_at: int, is_closed: int) -> Lease:
    """A lease, of the columns of its row in their order. `expires_at` is in Unix milliseconds."""
    return Lease(granted, settled, returned, position, expires_at, bool(is_closed))
