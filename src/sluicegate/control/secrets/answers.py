"""Answers kept for repeated requests may hold a new secret: they follow the master keys, a few at a time.

One that none of the keys opens is emptied: its request was carried out, and a repetition is told just that.
"""

from sluicegate.control.secrets.key_ring import KeyRing, SealError, head_of
from sluicegate.control.tenants.tenancy import CARRIED_OUT
from sluicegate.store.database import Database


def answer_row(key: str, scope: str) -> str:
    """The row that an answer is sealed for."""
    return f"idempotency/{scope}/{key}"


async def reseal_answers(database: Database, key_ring: KeyRing, batch: int) -> None:
    """Seal every answer with the first key of the ring, `batch` of them in one transaction. Raises SealError."""
    while True:
        async with database.writing() as session:
            found = await session.idempotency.not_sealed_with(head_of(key_ring.key_id), batch)
            for key, scope, answer in found:
                row = answer_row(key, scope)
                try:
                    plain = key_ring.open(answer.body, row)
                except SealError:
                    status, sealed = CARRIED_OUT, b""
                else:
                    status, sealed = answer.status, key_ring.seal(plain, row)[0]
                await session.idempotency.replace(key, scope, before=answer.body, status=status, body=sealed)
        if len(found) < batch:
            return
