"""Sealing everything anew with the newest key: in small steps, again and again, beside whoever else writes."""

import secrets

import pytest
from msgspec.structs import replace

from sluicegate.control.secrets.key_ring import KeyRing, UnknownKeyError, head_of, key_id_of
from sluicegate.control.secrets.rotation import Rotated, reseal, used_key_ids
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.credentials import row_of, set_credential
from tests.control.actors import ROOT
from tests.control.vault import KEY, OWN_PROJECT, Vault

OLD, NEW, NEWER = KEY, bytes(range(32)), bytes(range(1, 33))
ACTOR = Actor("system", "test", "root")


@pytest.fixture
def sealed(vault: Vault) -> Vault:
    """Five secrets, sealed with the old key."""
    for number in range(5):
        vault.run(set_credential(vault.tenancy, ROOT, OWN_PROJECT, f"provider{number}", f"sk-secret-{number}"))
    return vault


def ring(*keys: bytes) -> KeyRing:
    """A ring of these keys."""
    return KeyRing(keys, random=secrets.token_bytes)


def rotate(vault: Vault, keys: KeyRing, batch: int = 2) -> Rotated:
    """Seal everything with the first of the keys."""
    return vault.run(reseal(vault.database, keys, actor=ACTOR, at=5, batch=batch))


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_everything_is_sealed_with_the_new_key(sealed: Vault, batch: int) -> None:
    """Whatever fits into one transaction; the new key alone opens it all, and the times stay as they were."""
    before = sealed.credentials()
    assert rotate(sealed, ring(NEW, OLD), batch) == Rotated(key_id_of(NEW), 5)
    after = sealed.credentials()
    assert [ring(NEW).open(row.ciphertext, row_of(row)) for row in after] == [b"sk-secret-%d" % n for n in range(5)]
    assert {row.key_id for row in after} == {key_id_of(NEW)}
    assert all(row.ciphertext.startswith(head_of(row.key_id)) for row in after)
    assert [row.updated_at for row in after] == [row.updated_at for row in before]
    assert sealed.run(used_key_ids(sealed.database)) == {key_id_of(NEW)}


def test_doing_it_again_does_nothing(sealed: Vault) -> None:
    """What is sealed with the newest key already is left alone, and not told again."""
    rotate(sealed, ring(NEW, OLD))
    before, told = sealed.credentials(), len(sealed.audit())
    assert rotate(sealed, ring(NEW, OLD)) == Rotated(key_id_of(NEW), 0)
    assert sealed.credentials() == before
    assert len(sealed.audit()) == told


class _EndError(Exception):
    """The end of a process in the middle."""


def test_an_interrupted_rotation_goes_on_where_it_was(sealed: Vault) -> None:
    """Meanwhile everything can be opened with both keys; nothing is done twice."""
    left = iter(range(3))

    def random(size: int) -> bytes:
        if next(left, None) is None:
            raise _EndError
        return secrets.token_bytes(size)

    with pytest.raises(_EndError):
        rotate(sealed, KeyRing((NEW, OLD), random=random))
    assert sealed.run(used_key_ids(sealed.database)) == {key_id_of(NEW), key_id_of(OLD)}
    halfway = sealed.credentials()
    assert [row.key_id == key_id_of(NEW) for row in halfway] == [True, True, False, False, False]
    for row in halfway:
        assert ring(NEW, OLD).open(row.ciphertext, row_of(row)).startswith(b"sk-secret-")
    assert rotate(sealed, ring(NEW, OLD)).resealed == 3


def test_each_step_is_in_the_audit_log(sealed: Vault) -> None:
    """Which key, and which secrets: in the transaction of the step itself."""
    rotate(sealed, ring(NEW, OLD), 3)
    steps = [entry for entry in sealed.audit() if entry.action == "secrets.rotate"]
    assert [entry.after and len(entry.after["credentials"]) for entry in steps] == [3, 2]
    assert {(entry.target_id, entry.actor, entry.actor_kind) for entry in steps} == {(key_id_of(NEW), "test", "system")}


def test_what_cannot_be_opened_is_told_and_left(sealed: Vault) -> None:
    """Changed, or sealed with a key that is not here; the rest is done nevertheless, however small the steps."""
    rows = sealed.credentials()
    sealed.overwrite(replace(rows[0], ciphertext=rows[0].ciphertext[:-1] + b"?"))
    ciphertext, key_id = ring(NEWER).seal(b"sk-lost", row_of(rows[1]))
    sealed.overwrite(replace(rows[1], ciphertext=ciphertext, key_id=key_id))
    done = rotate(sealed, ring(NEW, OLD), 1)
    assert done.resealed == 3
    assert [row_of(row) in reason for row, reason in zip(rows, done.unreadable, strict=False)] == [True, True]
    assert key_id_of(NEWER) in done.unreadable[1]
    assert sealed.run(used_key_ids(sealed.database)) == {key_id_of(NEW), key_id_of(OLD), key_id_of(NEWER)}


def test_a_key_that_comes_meanwhile_is_gone_over_to(sealed: Vault) -> None:
    """Somebody may rotate once more before this rotation is done: everything ends up with the newest."""
    later = iter([None, (NEWER, NEW, OLD)])
    keys = KeyRing((NEW, OLD), random=secrets.token_bytes, refresh=lambda: next(later, None))
    assert rotate(sealed, keys, 1).key_id == key_id_of(NEWER)
    assert sealed.run(used_key_ids(sealed.database)) == {key_id_of(NEWER)}


def test_secrets_set_meanwhile_are_not_lost(sealed: Vault) -> None:
    """What the gateway seals with the old key while the rotation runs is found by the next one."""
    rotate(sealed, ring(NEW, OLD))
    sealed.run(set_credential(sealed.tenancy, ROOT, OWN_PROJECT, "late", "sk-secret-late"))
    row = next(row for row in sealed.credentials() if row.provider == "late")
    with pytest.raises(UnknownKeyError):
        ring(NEW).open(row.ciphertext, row_of(row))
    assert rotate(sealed, ring(NEW, OLD)).resealed == 1
    assert sealed.run(used_key_ids(sealed.database)) == {key_id_of(NEW)}


def test_an_empty_database_uses_no_key(vault: Vault) -> None:
    """Nothing is sealed, so nothing is needed."""
    assert vault.run(used_key_ids(vault.database)) == set()
    assert rotate(vault, ring(NEW)) == Rotated(key_id_of(NEW), 0)
