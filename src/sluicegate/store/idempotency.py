"""Answers to requests that carry an idempotency key."""

from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.store.errors import MissingError
from sluicegate.store.refusals import execute_or_refuse
from sluicegate.store.schema import idempotency
from sluicegate.store.values import check, is_storable


class StoredAnswer(Struct, frozen=True):
    """What was answered. `request_digest` tells whether it was the same request; `created_at` Unix milliseconds."""

    request_digest: bytes
    status: int
    body: bytes
    created_at: int


class Idempotency:
    """Answers by key and scope; a scope is who asked for what."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Idempotency>"

    async def get(self, key: str, scope: str) -> StoredAnswer | None:
        """What was answered, if anything was."""
        if not (is_storable(key) and is_storable(scope)):
            return None
        row = (await self._connection.execute(select(idempotency).where(_is(key, scope)))).one_or_none()
        return None if row is None else _answer(row)

    async def put(
        self, key: str, scope: str, *, request_digest: bytes, status: int, body: bytes, created_at: int
    ) -> None:
        """Store the answer to a key that was not used yet, given at `created_at` (Unix milliseconds).

        Raises AlreadyExistsError("key"), UnstorableError.
        """
        row: dict[str, Any] = {
            "key": key,
            "scope": scope,
            "request_digest": request_digest,
            "status": status,
            "body": body,
            "created_at": created_at,
        }
        check(idempotency, row)
        await execute_or_refuse(self._connection, insert(idempotency), [row])

    async def finish(self, key: str, scope: str, *, status: int, body: bytes) -> None:
        """Replace the answer. Raises MissingError."""
        statement = update(idempotency).where(_is(key, scope)).values(status=status, body=body)
        is_known = is_storable(key) and is_storable(scope)
        if not is_known or (await self._connection.execute(statement)).rowcount == 0:
            raise MissingError("nothing is stored for this idempotency key")

    async def not_sealed_with(self, head: bytes, limit: int) -> list[tuple[str, str, StoredAnswer]]:
        """At most `limit` answers that do not begin with these bytes, with key and scope; claims are none yet."""
        columns = idempotency.c
        statement = (
            select(columns.key, columns.scope, *_ANSWER)
            .where(columns.body != b"", func.substr(columns.body, 1, len(head)) != head)
            .limit(limit)
        )
        rows = await self._connection.execute(statement)
        return [(row.key, row.scope, _answer(row)) for row in rows]

    async def replace(self, key: str, scope: str, *, before: bytes, status: int, body: bytes) -> bool:
        """Put another answer in the place of this one; return whether it was still there."""
        statement = update(idempotency).where(_is(key, scope), idempotency.c.body == before)
        return (await self._connection.execute(statement.values(status=status, body=body))).rowcount > 0

    async def delete(self, key: str, scope: str) -> bool:
        """Forget the answer; return whether there was one."""
        if not (is_storable(key) and is_storable(scope)):
            return False
        return (await self._connection.execute(delete(idempotency).where(_is(key, scope)))).rowcount > 0

    async def prune(self, before: int, limit: int = 500) -> int:
        """Forget at most `limit` answers given before `before`, Unix milliseconds; return how many."""
        columns = idempotency.c
        old = (
            select(columns.key, columns.scope)
            .where(columns.created_at < before)
            .order_by(columns.created_at)
            .limit(limit)
        )
        statement = delete(idempotency).where(tuple_(columns.key, columns.scope).in_(old))
        return (await self._connection.execute(statement)).rowcount


_ANSWER = [idempotency.c[name] for name in StoredAnswer.__struct_fields__]


def _answer(row: Row[Any]) -> StoredAnswer:
    return StoredAnswer(row.request_digest, row.status, row.body, row.created_at)


def _is(key: str, scope: str) -> ColumnElement[bool]:
    return and_(idempotency.c.key == key, idempotency.c.scope == scope)
