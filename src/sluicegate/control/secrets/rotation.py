"""From old master keys to the newest: every sealed secret is opened and sealed anew, a few at a time.

It may be ended at any moment and begun again: what is left to do is what is still sealed with an older key. The gateway
serves meanwhile: it opens with every key, and looks for a new one when it meets one it does not know.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from sluicegate.control.secrets.answers import reseal_answers
from sluicegate.control.secrets.key_ring import KeyRing, SealError
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.audit import record
from sluicegate.control.tenants.credentials import row_of
from sluicegate.domain.tenants import ProviderCredential
from sluicegate.store.database import Database, Session

BATCH = 100
"""Secrets in one transaction: a few milliseconds, for which others wait who want to write."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was done. `unreadable` are the rows that could not be opened, each with the reason."""

    key_id: str
    resealed: int
    unreadable: tuple[str, ...] = ()


async def used_key_ids(database: Database) -> frozenset[str]:
    """Ids of the master keys that something in the database is sealed with; none where nothing is."""
    async with database.reading() as session:
        return frozenset(await session.credentials.key_ids())


async def reseal(database: Database, key_ring: KeyRing, *, actor: Actor, at: int, batch: int = BATCH) -> Rotated:
    """Seal everything with the first key of the ring. `at` is Unix milliseconds, for the audit log.

    Kept answers are sealed anew as well, and not counted: who rotates knows nothing of them.
    """
    unreadable: dict[str, str] = {}
    resealed = 0
    while True:
        # Anew each time: somebody may add yet another key meanwhile.
        key_id = key_ring.key_id
        async with database.writing() as session:
            found = await session.credentials.all_with_other_key(key_id, batch + len(unreadable))
            left = [credential for credential in found if credential.id not in unreadable]
            done = [credential for credential in left if await _resealed(session, key_ring, credential, unreadable)]
            if done:
                after = {"key_id": key_id, "credentials": [credential.id for credential in done]}
                await record(
                    session, actor, "secrets.rotate", at=at, target_kind="master_key", target_id=key_id, after=after
                )
        resealed += len(done)
        if not left:
            await reseal_answers(database, key_ring, batch)
            return Rotated(key_id, resealed, tuple(unreadable.values()))


async def _resealed(
    session: Session, key_ring: KeyRing, credential: ProviderCredential, unreadable: dict[str, str]
) -> bool:
    row = row_of(credential)
    try:
        plain = key_ring.open(credential.ciphertext, row)
    except SealError as error:
        unreadable[credential.id] = str(error)
        return False
    ciphertext, key_id = key_ring.seal(plain, row)
    # Not `updated_at`: for its owner nothing has changed.
    await session.credentials.update(
        replace(credential, ciphertext=ciphertext, key_id=key_id, version=credential.version + 1)
    )
    return True
