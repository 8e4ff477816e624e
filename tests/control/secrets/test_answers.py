"""Kept answers follow the master keys."""

import secrets

from sluicegate.control.secrets.answers import answer_row, reseal_answers
from sluicegate.control.secrets.key_ring import KeyRing
from sluicegate.control.secrets.rotation import reseal
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.tenancy import CARRIED_OUT
from sluicegate.store.idempotency import StoredAnswer
from tests.control.vault import Vault

OLD, NEW, GONE = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))


def ring(*keys: bytes) -> KeyRing:
    """A ring of these keys."""
    return KeyRing(keys, random=secrets.token_bytes)


async def _keep(vault: Vault, key: str, body: bytes) -> None:
    async with vault.database.writing() as session:
        await session.idempotency.put(key, "s", request_digest=bytes(32), status=201, body=body, created_at=1)


def keep(vault: Vault, key: str, keys: KeyRing) -> None:
    """Keep an answer, sealed with these keys."""
    vault.run(_keep(vault, key, keys.seal(key.encode(), answer_row(key, "s"))[0]))


async def _kept(vault: Vault, key: str) -> StoredAnswer:
    async with vault.database.reading() as session:
        found = await session.idempotency.get(key, "s")
    assert found is not None
    return found


def opened(vault: Vault, key: str, keys: KeyRing) -> bytes:
    """What is kept, opened with these keys."""
    return keys.open(vault.run(_kept(vault, key)).body, answer_row(key, "s"))


def test_answers_are_sealed_with_the_new_key(vault: Vault) -> None:
    """The new key alone opens them all, however few fit into a transaction; a rotation does it, without secrets too."""
    for number in range(5):
        keep(vault, f"a{number}", ring(OLD))
    vault.run(reseal_answers(vault.database, ring(NEW, OLD), 2))
    assert [opened(vault, f"a{number}", ring(NEW)) for number in range(5)] == [b"a%d" % number for number in range(5)]
    vault.run(reseal(vault.database, ring(OLD, NEW), actor=Actor("system", "test", "root"), at=5))
    assert opened(vault, "a4", ring(OLD)) == b"a4"


def test_an_answer_that_nobody_can_open_is_emptied(vault: Vault) -> None:
    """What was sealed with a key that is gone: it stays known that the request was carried out."""
    keep(vault, "lost", ring(GONE))
    keep(vault, "kept", ring(OLD))
    vault.run(reseal_answers(vault.database, ring(NEW, OLD), 1))
    lost = vault.run(_kept(vault, "lost"))
    assert (lost.status, lost.body, lost.created_at) == (CARRIED_OUT, b"", 1)
    assert opened(vault, "kept", ring(NEW)) == b"kept"
