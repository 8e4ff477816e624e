"""The chain of audit entries."""

import hashlib

import pytest
from msgspec import structs

from sluicegate.domain.audit import GENESIS, AuditDraft, Break, Chain, chained, draft_of, entry_hash
from sluicegate.domain.tenants import AuditEntry

DRAFT = AuditDraft(
    at=1_760_000_000_000,
    actor="adm_1",
    actor_kind="admin_key",
    address="192.0.2.7",
    action="token.update",
    target_kind="token",
    target_id="tok_1",
    organization_id="org_1",
    request_id="req_1",
    before={"name": "Größe", "tier": ""},
    after={"tier": "gold", "name": "Größe"},
)


def _entries(count: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    previous = GENESIS
    for sequence in range(1, count + 1):
        entries.append(chained(previous, sequence, structs.replace(DRAFT, request_id=f"req_{sequence}")))
        previous = entries[-1].hash
    return entries


def test_the_hash_is_of_the_canonical_form() -> None:
    """The hash is SHA-256 over the hash before and JSON with sorted keys and without spaces: anybody can compute it."""
    said = (
        '{"action":"token.update","actor":"adm_1","actor_kind":"admin_key","address":"192.0.2.7",'
        '"after":{"name":"Größe","tier":"gold"},"at":1760000000000,"before":{"name":"Größe","tier":""},'
        '"organization_id":"org_1","request_id":"req_1","sequence":7,"target_id":"tok_1","target_kind":"token"}'
    )
    assert entry_hash(b"\x01" * 32, 7, DRAFT) == hashlib.sha256(b"\x01" * 32 + said.encode()).digest()


@pytest.mark.parametrize(
    "changed",
    [
        structs.replace(DRAFT, at=DRAFT.at + 1),
        structs.replace(DRAFT, actor="adm_2"),
        structs.replace(DRAFT, actor_kind="account"),
        structs.replace(DRAFT, address=""),
        structs.replace(DRAFT, action="token.delete"),
        structs.replace(DRAFT, target_kind="user"),
        structs.replace(DRAFT, target_id="tok_2"),
        structs.replace(DRAFT, organization_id=None),
        structs.replace(DRAFT, request_id="req_2"),
        structs.replace(DRAFT, before=None),
        structs.replace(DRAFT, after={**(DRAFT.after or {}), "tier": "silver"}),
    ],
)
def test_the_hash_covers_every_field(changed: AuditDraft) -> None:
    """A change of any field changes the hash, and so do the number and the hash before."""
    expected = entry_hash(GENESIS, 1, DRAFT)
    assert entry_hash(GENESIS, 1, changed) != expected
    assert entry_hash(GENESIS, 2, DRAFT) != expected
    assert entry_hash(b"\x01" * 32, 1, DRAFT) != expected


def test_the_order_of_keys_does_not_matter() -> None:
    """What a database gives back in another order has the same hash."""
    turned = structs.replace(DRAFT, after=dict(reversed(list((DRAFT.after or {}).items()))))
    assert entry_hash(GENESIS, 1, turned) == entry_hash(GENESIS, 1, DRAFT)


def test_an_entry_says_what_its_draft_said() -> None:
    """A draft gets its place in the chain, and is got back without it."""
    entry = chained(GENESIS, 1, DRAFT)
    assert (entry.sequence, entry.previous_hash, entry.hash) == (1, GENESIS, entry_hash(GENESIS, 1, DRAFT))
    assert draft_of(entry) == DRAFT


def test_a_chain_that_holds_is_followed_to_its_end() -> None:
    """Entries as they were written hold, in as many pieces as one likes."""
    entries = _entries(5)
    chain = Chain()
    assert chain.end(0, GENESIS) is None
    assert chain.follow(entries[:2]) is None
    assert chain.follow([]) is None
    assert chain.follow(entries[2:]) is None
    assert chain.end(5, entries[-1].hash) is None
    assert repr(chain) == "<Chain holds to 5>"


def test_a_changed_entry_breaks_the_chain() -> None:
    """An entry that was changed afterwards is found at its place."""
    entries = _entries(3)
    entries[1] = structs.replace(entries[1], actor="nobody")
    assert Chain().follow(entries) == Break(2, "was changed")


def test_a_changed_entry_with_a_new_hash_breaks_the_chain_behind_it() -> None:
    """Who computes the hash of the changed entry anew is found at the next one."""
    entries = _entries(3)
    entries[1] = chained(entries[0].hash, 2, structs.replace(DRAFT, actor="nobody"))
    assert Chain().follow(entries) == Break(3, "does not follow from the entry before it")


def test_a_removed_entry_breaks_the_chain() -> None:
    """An entry that was removed is named by its number, at the beginning too."""
    entries = _entries(3)
    assert Chain().follow([entries[0], entries[2]]) == Break(2, "is missing: the next one is 3")
    assert Chain().follow(entries[1:]) == Break(1, "is missing: the next one is 2")


def test_an_entry_that_was_put_in_breaks_the_chain() -> None:
    """An entry cannot come twice, nor between two others."""
    entries = _entries(2)
    assert Chain().follow([entries[0], entries[0], entries[1]]) == Break(2, "is missing: the next one is 1")


def test_the_end_is_compared_with_what_was_written() -> None:
    """Entries that were cut off at the end, added there, or all exchanged, are found by the last number and hash."""
    entries = _entries(3)
    chain = Chain()
    assert chain.follow(entries[:2]) is None
    assert chain.end(3, entries[2].hash) == Break(3, "is missing: 3 were written")
    assert chain.end(1, entries[0].hash) == Break(2, "was added to the end")
    assert chain.end(2, b"\x01" * 32) == Break(2, "is not the one that was written")
