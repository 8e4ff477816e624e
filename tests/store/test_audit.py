"""The audit log."""

import asyncio
import hashlib
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from sluicegate.domain.audit import GENESIS, AuditDraft, AuditFilter, Break, Chain, chained, draft_of, entry_hash
from sluicegate.domain.tenants import AuditEntry
from sluicegate.store.database import Database
from sluicegate.store.errors import UnstorableError
from tests.store import records
from tests.store.place import Place

FULL = AuditDraft(
    at=5,
    actor="adm_ü",
    actor_kind="admin_key",
    address="2001:db8::1",
    action="token.create",
    target_kind="token",
    target_id="tok_00001",
    organization_id="org_gone",
    request_id="req-1",
    before={},
    after={"z": 1.5, "a": [None, True, "😀\0"], "n": 2**63, "m": {"b": 1, "a": 2}, "e": 1e300},
)


def _allow_anything(place: Place) -> None:
    """Take the triggers away, as somebody with all rights on the database can."""
    if place.is_sqlite:
        for event in ("update", "delete"):
            place.execute(f"DROP TRIGGER audit_no_{event}")
        return
    place.execute("ALTER TABLE audit DISABLE TRIGGER ALL")


def _fill(place: Place, count: int = 5) -> list[AuditEntry]:
    async def use(database: Database) -> list[AuditEntry]:
        async with database.writing() as session:
            return await session.audit.append_all([records.a_draft(number) for number in range(1, count + 1)])

    return place.run(use)


async def _verified(database: Database) -> Chain | Break:
    async with database.reading() as session:
        return await session.audit.verify()


def test_entries_are_chained(place: Place) -> None:
    """Entries are numbered from 1, and each has the hash of the one before it, across calls and transactions."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            first = await session.audit.append(FULL)
            assert await session.audit.append_all([]) == []
            rest = await session.audit.append_all([records.a_draft(1), records.a_draft(2)])
        async with database.writing() as session:
            last = await session.audit.append(FULL)
        entries = [first, *rest, last]
        assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
        previous = GENESIS
        for entry in entries:
            assert entry.previous_hash == previous
            assert entry.hash == entry_hash(previous, entry.sequence, draft_of(entry))
            previous = entry.hash
        async with database.reading() as session:
            kept = [entry async for entry in session.audit.iterate(batch=2)]
            assert kept == entries
            assert draft_of(kept[0]) == FULL
            chain = await session.audit.verify()
            assert isinstance(chain, Chain)
            assert (chain.sequence, chain.hash) == (4, last.hash)

    place.run(use)


def test_the_hash_can_be_recomputed_by_others() -> None:
    """The hash is SHA-256 over the hash before and compact JSON with sorted keys, as it is documented."""
    said = msgspec.json.encode({"sequence": 3, **msgspec.structs.asdict(records.a_draft(1))}, order="deterministic")
    assert entry_hash(GENESIS, 3, records.a_draft(1)) == hashlib.sha256(bytes(32) + said).digest()
    assert said.startswith(b'{"action":"project.update","actor":"adm_00001",')


def test_an_empty_log_holds(place: Place) -> None:
    """There is nothing wrong with a log without entries."""
    chain = place.run(_verified)
    assert isinstance(chain, Chain)
    assert chain.sequence == 0


def test_pages_are_newest_first(place: Place) -> None:
    """Pages lead back in time with `before_sequence`, and forth with `after_sequence`; each is newest first."""
    _fill(place)

    async def use(database: Database) -> None:
        async with database.reading() as session:

            async def numbers(**page: Any) -> list[int]:
                return [entry.sequence for entry in await session.audit.list(**page)]

            assert await numbers() == [5, 4, 3, 2, 1]
            assert await numbers(limit=2) == [5, 4]
            assert await numbers(limit=2, before_sequence=4) == [3, 2]
            assert await numbers(limit=2, before_sequence=2) == [1]
            assert await numbers(limit=2, after_sequence=2) == [4, 3]
            assert await numbers(after_sequence=5) == []
            assert await numbers(after_sequence=1, before_sequence=5, limit=2) == [4, 3]

    place.run(use)


def test_lists_are_narrowed(place: Place) -> None:
    """Every filter narrows, and all of them together; a search looks in all that an entry says, in any case."""
    other = records.a_draft(
        9,
        actor="acc_Ölaf",
        action="user.delete",
        target_kind="user",
        target_id="usr_1",
        organization_id="org_1",
        request_id="req-100%",
        address="192.0.2.1",
        before={"name": "Zoë_X"},
        after={"quota": 77},
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.audit.append_all([records.a_draft(1), other, records.a_draft(2, organization_id="org_1")])
        async with database.reading() as session:

            async def numbers(**narrowing: Any) -> list[int]:
                return [entry.sequence for entry in await session.audit.list(AuditFilter(**narrowing))]

            assert await numbers(actor="adm_00001") == [3, 1]
            assert await numbers(action="user.delete") == [2]
            assert await numbers(target_kind="project") == [3, 1]
            assert await numbers(target_id="usr_1") == [2]
            assert await numbers(organization_id="org_1") == [3, 2]
            assert await numbers(organization_id="org_1", actor="adm_00001", target_kind="project") == [3]
            assert await numbers(since=records.AT + 2) == [3, 2]
            assert await numbers(until=records.AT + 2) == [1]
            assert await numbers(since=records.AT + 2, until=records.AT + 9) == [3]
            for part in ("ölAF", "USER.d", "Usr_1", "REQ-100%", "192.0.2", "zoË_x", "quota", "77"):
                assert await numbers(search=part) == [2], part
            assert await numbers(search="") == [3, 2, 1]
            for nothing in ("100%%", "a\0b", "\ud800", "' OR 1=1 --", "_sure", "x" * 60_000):
                assert await numbers(search=nothing) == []
                assert await numbers(actor=nothing) == []
                assert await numbers(organization_id=nothing) == []

    place.run(use)


REFUSED: tuple[tuple[str, Any], ...] = (
    ("actor", "a\0"),
    ("request_id", "\ud800"),
    ("target_id", "x" * 321),
    ("at", 2**63),
    ("before", {"a": object()}),
    ("after", {"a": "\ud800"}),
)


def test_what_cannot_be_kept_is_refused(place: Place) -> None:
    """A draft that no database can keep is refused with all that come with it, and takes no number."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for field, value in REFUSED:
                with pytest.raises(UnstorableError) as refused:
                    await session.audit.append_all([records.a_draft(1), records.a_draft(2, **{field: value})])
                assert refused.value.field == field
            assert (await session.audit.append(records.a_draft(3))).sequence == 1

    place.run(use)


def test_an_undone_transaction_leaves_no_gap(place: Place) -> None:
    """Entries of a transaction that failed are gone with it, and the chain goes on from the one before."""
    _fill(place, 1)

    async def use(database: Database) -> None:
        async def fail() -> None:
            async with database.writing() as session:
                await session.audit.append_all([records.a_draft(2), records.a_draft(3)])
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with database.writing() as session:
            assert (await session.audit.append(records.a_draft(4))).sequence == 2
        assert isinstance(await _verified(database), Chain)

    place.run(use)


def test_writers_at_once_make_one_chain(place: Place) -> None:
    """Entries that are written at the same time form one chain, and those of one call stay together."""

    async def use(database: Database) -> None:
        async def write(number: int) -> list[int]:
            async with database.writing() as session:
                written = await session.audit.append_all([records.a_draft(number)] * 3)
                return [entry.sequence for entry in written]

        numbers = sorted(await asyncio.gather(*map(write, range(5))))
        assert numbers == [[3 * turn + 1, 3 * turn + 2, 3 * turn + 3] for turn in range(5)]
        chain = await _verified(database)
        assert isinstance(chain, Chain)
        assert chain.sequence == 15

    place.run(use)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x' WHERE sequence = 2", "DELETE FROM audit"])
def test_the_database_refuses_to_change_entries(place: Place, statement: str) -> None:
    """The database itself lets nobody change or remove an entry."""
    entries = _fill(place)
    with pytest.raises(DBAPIError, match="the audit log can only grow"):
        place.execute(statement)

    async def use(database: Database) -> None:
        async with database.reading() as session:
            assert [entry async for entry in session.audit.iterate()] == entries

    place.run(use)


@pytest.mark.parametrize(
    ("statement", "sequence", "reason"),
    [
        ("UPDATE audit SET actor = 'x' WHERE sequence = 2", 2, "was changed"),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 5", 5, "was changed"),
        ("UPDATE audit SET after = '{}' WHERE sequence = 1", 1, "was changed"),
        ("UPDATE audit SET organization_id = '' WHERE sequence = 3", 3, "was changed"),
        ("DELETE FROM audit WHERE sequence = 3", 3, "is missing"),
        ("DELETE FROM audit WHERE sequence = 1", 1, "is missing"),
        ("DELETE FROM audit WHERE sequence = 5", 5, "is missing: 5 were written"),
        ("DELETE FROM audit", 1, "is missing: 5 were written"),
        ("UPDATE heads SET sequence = 4 WHERE name = 'audit'", 5, "was added to the end"),
    ],
)
def test_tampering_is_noticed(place: Place, statement: str, sequence: int, reason: str) -> None:
    """Whoever changes or removes entries behind the store's back is told on, at the right place."""
    _fill(place)
    _allow_anything(place)
    place.execute(statement)
    found = place.run(_verified)
    assert isinstance(found, Break)
    assert (found.sequence, found.reason[: len(reason)]) == (sequence, reason)


def test_a_forged_entry_is_noticed(place: Place) -> None:
    """An entry that was changed together with its own hash does not fit the one after it, or the end on record."""
    entries = _fill(place)
    _allow_anything(place)

    def forge(sequence: int) -> Break | Chain:
        entry = entries[sequence - 1]
        forged = chained(entry.previous_hash, sequence, replace(draft_of(entry), actor="x"))
        digest = f"X'{forged.hash.hex()}'" if place.is_sqlite else f"decode('{forged.hash.hex()}', 'hex')"
        place.execute(f"UPDATE audit SET actor = 'x', hash = {digest} WHERE sequence = {sequence}")
        return place.run(_verified)

    assert forge(5) == Break(5, "is not the one that was written")
    assert forge(2) == Break(3, "does not follow from the entry before it")
