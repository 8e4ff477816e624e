"""The audit log: what was changed, by whom, chained by hashes. Lines are added, never changed or removed."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.audit import ALL_ENTRIES, AuditDraft, AuditFilter, Break, Chain, chained
from sluicegate.domain.tenants import AuditEntry
from sluicegate.store import heads
from sluicegate.store.repository import BATCH
from sluicegate.store.schema import audit
from sluicegate.store.values import check, contains, is_storable, packed, searchable

_NAME = "audit"
_PACKED = ("before", "after")
_COMPARED = ("actor", "action", "target_kind", "target_id", "organization_id")


class Audit:
    """Entries are numbered from 1 in the order of their commits, without a gap."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Audit>"

    async def append(self, draft: AuditDraft) -> AuditEntry:
        """Add an entry, to be committed with the change it tells of. Raises UnstorableError."""
        return (await self.append_all([draft]))[0]

    async def append_all(self, drafts: Sequence[AuditDraft]) -> list[AuditEntry]:
        """Add entries in this order. Raises UnstorableError."""
        if not drafts:
            return []
        for draft in drafts:
            check(audit, _row(draft))
        last = await heads.advance(self._connection, _NAME, len(drafts))
        previous = (await heads.read(self._connection, _NAME)).hash
        entries = []
        for sequence, draft in enumerate(drafts, last - len(drafts) + 1):
            entry = chained(previous, sequence, draft)
            entries.append(entry)
            previous = entry.hash
        rows = [_row(entry) for entry in entries]
        await self._connection.execute(insert(audit), rows)
        await heads.put_hash(self._connection, _NAME, previous)
        return entries

    async def list(
        self,
        wanted: AuditFilter = ALL_ENTRIES,
        *,
        before_sequence: int | None = None,
        after_sequence: int | None = None,
        limit: int = 50,
    ) -> list[AuditEntry]:
        """A page of entries, newest first. With `after_sequence` alone: those that came right after it."""
        equal = {name: getattr(wanted, name) for name in _COMPARED}
        if not all(is_storable(value) for value in (wanted.search, *equal.values())):
            return []
        columns = audit.c
        statement = select(audit)
        for name, value in equal.items():
            if value is not None:
                statement = statement.where(columns[name] == value)
        if wanted.since is not None:
            statement = statement.where(columns.at >= wanted.since)
        if wanted.until is not None:
            statement = statement.where(columns.at < wanted.until)
        if wanted.search:
            statement = statement.where(contains(audit, wanted.search))
        if after_sequence is not None:
            statement = statement.where(columns.sequence > after_sequence)
        if before_sequence is not None:
            statement = statement.where(columns.sequence < before_sequence)
        is_forward = after_sequence is not None and before_sequence is None
        order = columns.sequence if is_forward else columns.sequence.desc()
        found = [_entry(row) for row in await self._connection.execute(statement.order_by(order).limit(limit))]
        return found[::-1] if is_forward else found

    async def iterate(self, batch: int = BATCH) -> AsyncIterator[AuditEntry]:
        """All entries, oldest first, read a batch at a time."""
        after = 0
        while page := await self.list(after_sequence=after, limit=batch):
            for entry in reversed(page):
                yield entry
            after = page[0].sequence

    async def verify(self) -> Chain | Break:
        """Follow the chain from the first entry to the last; return it, or the first place where it does not hold."""
        head = await heads.read(self._connection, _NAME)
        chain = Chain()
        async for entry in self.iterate():
            if found := chain.follow([entry]):
                return found
        return chain.end(head.sequence, head.hash) or chain


def _row(entry: AuditDraft | AuditEntry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in type(entry).__struct_fields__}
    for name in _PACKED:
        values[name] = None if values[name] is None else packed(name, values[name])
    said = (entry.actor, entry.action, entry.target_kind, entry.target_id, entry.request_id, entry.address)
    values["search"] = searchable((*said, values["before"] or "", values["after"] or ""))
    return values


def _entry(row: Row[Any]) -> AuditEntry:
    values = {name: getattr(row, name) for name in AuditEntry.__struct_fields__}
    for name in _PACKED:
        values[name] = None if values[name] is None else msgspec.json.decode(values[name])
    return AuditEntry(**values)
