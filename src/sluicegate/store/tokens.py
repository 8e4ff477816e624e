"""Tokens."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sluicegate.domain.tenants import FailureMode, Status, Token
from sluicegate.store.changes import MANY, Changes
from sluicegate.store.clock import now
from sluicegate.store.limits import Limits
from sluicegate.store.repository import BATCH, Repository
from sluicegate.store.schema import organizations, projects, tokens, users
from sluicegate.store.totals import Share, Totals
from sluicegate.store.values import is_storable, padded


class ResolvedToken(Struct, frozen=True):
    """A token, and of its owners whether they are active and what bounds them. None: it has no such owner, or bound.

    Amounts are nano-dollars, of the calendar month, and of the day where budgets cannot be checked.
    """

    token: Token
    organization_status: Status
    project_status: Status | None
    user_status: Status | None
    monthly_budget: int | None = None
    monthly_limit: int | None = None
    time_zone: str = "UTC"
    failure_mode: FailureMode = "closed"
    fallback_daily_limit: int | None = None
    project_model: str | None = None
    body_share: float | None = None
    body_bytes: int | None = None
    """Those of the project."""

    @property
    def model(self) -> str | None:
        """What every request of it is answered by: its own model, else its project's."""
        return self.project_model if self.token.model is None else self.token.model


class TokenTotals(Struct, frozen=True):
    """How many tokens an owner has, and how much they were used. `last_used_at` in Unix milliseconds.

    An organisation was used by the tokens that are gone too.
    """

    tokens: int
    requests: int
    last_used_at: int | None


class Tokens(Repository[Token]):
    """Tokens, known by their digest. `update` leaves `request_count` and `last_used_at` alone: `touch` writes them."""

    table = tokens
    record = Token
    searched = ("name", "prefix", "last_four")
    filters = frozenset({"organization_id", "project_id", "user_id", "status"})
    packed = frozenset({"metadata", "models", "paths", "request_headers", "tags"})
    counted = frozenset({"request_count", "last_used_at"})

    def __init__(self, connection: AsyncConnection, changes: Changes) -> None:
        """`changes` of the same transaction."""
        super().__init__(connection)
        self._changes = changes
        self._totals = Totals(connection)

    async def add_all(self, records: Sequence[Token]) -> None:
        """Add all, or none, as all repositories do."""
        await super().add_all(records)
        await self._totals.add(map(_counted, records))

    async def delete(self, record_id: str) -> bool:
        """Remove a token; return whether there was one."""
        stored = await self.get(record_id)
        if stored is None:
            return False
        await self._totals.remove([(stored.organization_id, stored.request_count)])
        return await super().delete(record_id)

    async def update(self, record: Token) -> None:
        """Write a changed token, as all repositories do."""
        stored = await self.get(record.id)
        if stored is not None:
            record = replace(record, request_count=stored.request_count, last_used_at=stored.last_used_at)
        await super().update(record)
        if stored is not None and stored.organization_id != record.organization_id:
            await self._totals.remove([(stored.organization_id, stored.request_count)])
            await self._totals.add([_counted(record)])

    async def by_digests(self, digests: Sequence[bytes]) -> dict[bytes, ResolvedToken]:
        """Those tokens that there are, with one query for `BATCH` of them."""
        found: dict[bytes, ResolvedToken] = {}
        wanted = list(dict.fromkeys(digests))
        for start in range(0, len(wanted), BATCH):
            some = tokens.c.digest.in_(padded(wanted[start : start + BATCH]))
            for row in await self._connection.execute(_RESOLVE.where(some)):
                token = self._record(row)
                found[token.digest] = ResolvedToken(token, *row[_OWN_COLUMNS:])
        return found

    async def touch(self, uses: Iterable[tuple[str, int, int]]) -> list[bytes]:
        """Note uses: of each token its id, when it was used last (Unix milliseconds), and by how many requests.

        Counts are added up, the latest use stays. Returns the digests of those that have reached `max_requests` by it.
        """
        used: dict[str, tuple[int, int]] = {}
        for token_id, at, requests in uses:
            if not is_storable(token_id):
                continue
            latest, count = used.get(token_id, (0, 0))
            used[token_id] = (max(latest, at), count + requests)
        spent: list[bytes] = []
        ids = sorted(used)
        for start in range(0, len(ids), BATCH):
            some = tokens.c.id.in_(padded(ids[start : start + BATCH]))
            rows = await self._connection.execute(select(tokens).where(some))
            written: list[dict[str, Any]] = []
            changes: list[Share] = []
            for token in map(self._record, rows):
                latest, count = used[token.id]
                after = replace(
                    token,
                    last_used_at=max(latest, token.last_used_at or 0),
                    request_count=token.request_count + count,
                )
                written.append(
                    {
                        "token_id": token.id,
                        "used": after.last_used_at,
                        "requests": after.request_count,
                        "dead": dead_at(after),
                    }
                )
                changes.append(Share(token.organization_id, 0, count, after.last_used_at))
                if token.max_requests is not None and token.request_count < token.max_requests <= after.request_count:
                    spent.append(token.digest)
            if written:
                await self._connection.execute(_TOUCH, written)
                await self._totals.add(changes)
        return spent

    async def revoke_all(
        self, *, project_id: str | None = None, user_id: str | None = None, organization_id: str | None = None
    ) -> list[bytes]:
        """Revoke all that belong to this owner and are not revoked yet; return their digests.

        Raises TypeError unless exactly one owner is given.
        """
        owner = _only({"project_id": project_id, "user_id": user_id, "organization_id": organization_id})
        if not is_storable(owner[1]):
            return []
        at = now(self._connection)
        statement = (
            update(tokens)
            .where(tokens.c[owner[0]] == owner[1], tokens.c.status != "revoked")
            .values(
                status="revoked",
                updated_at=at,
                version=tokens.c.version + 1,
                dead_at=case((tokens.c.dead_at < at, tokens.c.dead_at), else_=at),
            )
            .returning(tokens.c.digest)
        )
        return list((await self._connection.execute(statement)).scalars())

    async def reset_requests(self, *, user_id: str) -> list[bytes]:
        """Count the requests of a user's tokens from zero again; return the digests of those that had any."""
        if not is_storable(user_id):
            return []
        await self._totals.forget_requests(user_id)
        columns = tokens.c
        statement = (
            update(tokens)
            .where(columns.user_id == user_id, columns.request_count > 0)
            .values(request_count=0, requests_before=0)
            .returning(columns.digest)
        )
        return list((await self._connection.execute(statement)).scalars())

    async def totals(self, *, organization_id: str | None = None, user_id: str | None = None) -> TokenTotals:
        """Sums over the tokens of one owner. Raises TypeError unless exactly one owner is given."""
        name, owner = _only({"organization_id": organization_id, "user_id": user_id})
        if not is_storable(owner):
            return TokenTotals(tokens=0, requests=0, last_used_at=None)
        if name == "organization_id":
            found = await self._totals.of(owner)
            return TokenTotals(found.tokens, found.requests, found.last_used_at)
        columns = tokens.c
        statement = select(
            func.count().label("tokens"),
            func.coalesce(func.sum(columns.request_count), 0).label("requests"),
            func.max(columns.last_used_at).label("used"),
        ).where(columns[name] == owner)
        row = (await self._connection.execute(statement)).one()
        return TokenTotals(tokens=row.tokens, requests=int(row.requests), last_used_at=row.used)

    async def purge(self, before: int, limit: int = 500) -> int:
        """Remove at most `limit` tokens that have been of no use since before `before`; return how many.

        Such a token is expired, retired, withered or revoked. `before` in Unix milliseconds.
        """
        columns = tokens.c
        old = select(columns.id).where(columns.dead_at < before).order_by(columns.dead_at).limit(min(limit, MANY))
        told = (columns.id, columns.digest, columns.organization_id, columns.request_count)
        removed = delete(tokens).where(columns.id.in_(old)).returning(*told)
        gone = (await self._connection.execute(removed)).all()
        await self._totals.remove((row.organization_id, row.request_count) for row in gone)
        await Limits(self._connection).delete_of(row.id for row in gone)
        await self._changes.append([row.digest for row in gone])
        return len(gone)

    async def ending(self, after: int, after_id: str | None, until: int, limit: int) -> list[Token]:
        """At most `limit` active tokens that end after `after` and not after `until`, in order of end and id.

        With `after_id` also those that end just then and have a greater id: that is how to read on. Moments are Unix
        milliseconds.
        """
        columns = tokens.c
        later = columns.dead_at > after
        if after_id is not None:
            later = (columns.dead_at >= after) & (later | (columns.id > after_id))
        chosen = select(tokens).where(later, columns.dead_at <= until, columns.status == "active")
        rows = await self._connection.execute(chosen.order_by(columns.dead_at, columns.id).limit(limit))
        return [self._record(row) for row in rows]

    def _values(self, record: Token) -> dict[str, Any]:
        return {**super()._values(record), "dead_at": dead_at(record)}


_OWN_COLUMNS = len(tokens.columns)

_RESOLVE = (
    select(
        tokens,
        organizations.c.status.label("organization_status"),
        projects.c.status.label("project_status"),
        users.c.status.label("user_status"),
        organizations.c.monthly_budget,
        users.c.monthly_limit,
        organizations.c.time_zone,
        organizations.c.failure_mode,
        organizations.c.fallback_daily_limit,
        projects.c.model.label("project_model"),
        projects.c.body_share,
        projects.c.body_bytes,
    )
    .join(organizations, organizations.c.id == tokens.c.organization_id)
    .outerjoin(projects, projects.c.id == tokens.c.project_id)
    .outerjoin(users, users.c.id == tokens.c.user_id)
)

_TOUCH = (
    update(tokens)
    .where(tokens.c.id == bindparam("token_id"))
    .values(last_used_at=bindparam("used"), request_count=bindparam("requests"), dead_at=bindparam("dead"))
)


def _counted(token: Token) -> Share:
    """What a token adds to the totals of its organisation."""
    return Share(token.organization_id, 1, token.request_count, token.last_used_at)


def _only(owners: Mapping[str, str | None]) -> tuple[str, str]:
    """The one that is given."""
    given = [(name, value) for name, value in owners.items() if value is not None]
    if len(given) != 1:
        raise TypeError(f"exactly one of {', '.join(owners)} must be given")
    return given[0]


def dead_at(token: Token) -> int | None:
    """From when on a token is of no use, as far as is known: Unix milliseconds, or None."""
    ends = [end for end in (token.expires_at, token.retires_at) if end is not None]
    if token.idle_seconds is not None:
        ends.append(max(token.created_at, token.last_used_at or 0) + token.idle_seconds * 1000)
    if token.status == "revoked":
        ends.append(token.updated_at)
    return min(ends, default=None)
