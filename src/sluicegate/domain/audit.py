"""The chain of audit entries: each entry's hash covers what it says and the hash before it.

So an entry that is changed, removed or put in afterwards breaks the chain at its place.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from sluicegate.domain.tenants import AuditEntry

GENESIS = bytes(32)
"""What the first entry takes for the hash before it."""


class AuditDraft(Struct, frozen=True, kw_only=True):
    """An entry that has no place in the chain yet. `at` in Unix milliseconds; `before` and `after` without secrets."""

    at: int
    actor: str
    actor_kind: str
    address: str = ""
    action: str
    target_kind: str
    target_id: str
    organization_id: str | None = None
    request_id: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class AuditFilter(Struct, frozen=True, kw_only=True):
    """What a list of entries is narrowed by, where it is not None.

    `since` (inclusive) and `until` (exclusive) in Unix milliseconds; `search` is part of what an entry says, in any
    case.
    """

    actor: str | None = None
    action: str | None = None
    target_kind: str | None = None
    target_id: str | None = None
    organization_id: str | None = None
    since: int | None = None
    until: int | None = None
    search: str | None = None


ALL_ENTRIES = AuditFilter()


class Break(Struct, frozen=True):
    """The first place where the chain does not hold: the entry's number, and what is wrong there."""

    sequence: int
    reason: str


def entry_hash(previous_hash: bytes, sequence: int, draft: AuditDraft) -> bytes:
    """SHA-256 over the hash before, and the entry's number and fields as JSON with its keys sorted."""
    fields = {name: getattr(draft, name) for name in AuditDraft.__struct_fields__}
    said = msgspec.json.encode({"sequence": sequence, **fields}, order="deterministic")
    return hashlib.sha256(previous_hash + said).digest()


def chained(previous_hash: bytes, sequence: int, draft: AuditDraft) -> AuditEntry:
    """Give a draft its place in the chain."""
    fields = {name: getattr(draft, name) for name in AuditDraft.__struct_fields__}
    digest = entry_hash(previous_hash, sequence, draft)
    return AuditEntry(sequence=sequence, previous_hash=previous_hash, hash=digest, **fields)


def draft_of(entry: AuditEntry) -> AuditDraft:
    """What an entry says, without its place."""
    return AuditDraft(**{name: getattr(entry, name) for name in AuditDraft.__struct_fields__})


class Chain:
    """Follows entries from the first one on, and tells where they first do not fit together."""

    __slots__ = ("hash", "sequence")

    def __init__(self) -> None:
        """Begin before the first entry."""
        self.sequence = 0
        self.hash = GENESIS

    def __repr__(self) -> str:
        """Tell how far it holds."""
        return f"<Chain holds to {self.sequence}>"

    def follow(self, entries: Iterable[AuditEntry]) -> Break | None:
        """Take the next entries; return the first that breaks the chain."""
        for entry in entries:
            expected = self.sequence + 1
            if entry.sequence != expected:
                return Break(expected, f"is missing: the next one is {entry.sequence}")
            if entry.previous_hash != self.hash:
                return Break(expected, "does not follow from the entry before it")
            if entry_hash(self.hash, expected, draft_of(entry)) != entry.hash:
                return Break(expected, "was changed")
            self.sequence, self.hash = expected, entry.hash
        return None

    def end(self, sequence: int, last_hash: bytes) -> Break | None:
        """Compare with what is on record as the last entry: those at the end can be cut off without breaking it."""
        if sequence != self.sequence:
            first = min(sequence, self.sequence) + 1
            missing = sequence > self.sequence
            return Break(first, f"is missing: {sequence} were written" if missing else "was added to the end")
        if last_hash != self.hash:
            return Break(sequence, "is not the one that was written")
        return None
