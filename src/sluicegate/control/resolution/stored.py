"""What resolution asks of the database, as it is kept in `store`."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from sluicegate.control.database_checkpoint import TransactionalStore
from sluicegate.control.resolution.judgement import principal_of
from sluicegate.control.resolution.resolution import Resolution
from sluicegate.control.resolution.uses import NAME, Use, Used, Uses, counter
from sluicegate.control.tenants import bounds
from sluicegate.control.tenants.declared import Said, said_of
from sluicegate.control.token_directory import Declared
from sluicegate.domain.default_limits import Defaults
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Change
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.reader import SegmentReader
from sluicegate.store.address import SQLiteAddress
from sluicegate.store.data_version import DataVersion
from sluicegate.store.database import Database, Session

Credentials = Callable[[Session, Collection[str]], Awaitable[Mapping[str, tuple[tuple[str, str], ...]]]]
"""The provider keys of projects: by project, provider and key."""


def stored_resolution(
    database: Database,
    *,
    declared: Sequence[Declared],
    credentials: Credentials,
    data_dir: Path,
    node: str,
    is_shared: bool,
    clock: Callable[[], float],
    now: Callable[[], int],
    log: FilteringBoundLogger,
    observe: Callable[[Sequence[Used]], None] = lambda _events: None,
    defaults: Callable[[], Defaults] = Defaults,
) -> Resolution:
    """Resolution on a database; `observe` is shown every exchange, `defaults` are the limits of whoever has no others.

    `node` is this node's name, `clock` is monotonic seconds, `now` Unix milliseconds. Raises OSError.
    """
    reader = SegmentReader(data_dir / "events")
    file = data_dir / "checkpoints" / f"{NAME}.json"
    checkpoints = TransactionalStore(database, node=node, consumer=NAME, file=file, log=log)
    stored = Stored(database, checkpoints, credentials=credentials, now=now, defaults=defaults)
    return Resolution(
        declared=declared,
        query=stored.principals,
        changes=stored,
        uses=lambda announce: counter(
            Uses(add=stored.add_uses, announce=announce, observe=observe), reader, checkpoints, clock=clock, log=log
        ),
        is_shared=is_shared,
        clock=clock,
        now=now,
        log=log,
        owners=stored.owners,
    )


class Stored:
    """The queries, each in a transaction of its own. They raise what `trouble.FAILURES` names."""

    def __init__(
        self,
        database: Database,
        checkpoints: TransactionalStore,
        *,
        credentials: Credentials,
        now: Callable[[], int],
        defaults: Callable[[], Defaults] = Defaults,
    ) -> None:
        """`checkpoints` are those of whoever counts uses. `now` is Unix milliseconds, `defaults` the limits of whoever
        has no others."""
        self._database = database
        self._checkpoints = checkpoints
        self._credentials = credentials
        self._now = now
        self._defaults = defaults
        address = database.address
        self._version = DataVersion(address) if isinstance(address, SQLiteAddress) else None

    def __repr__(self) -> str:
        """Tell which database."""
        return f"<Stored {self._database!r}>"

    async def principals(self, digests: Sequence[bytes]) -> Mapping[bytes, Principal]:
        """The principals of these digests; those that no token has are missing."""
        async with self._database.reading() as session:
            found = await session.tokens.by_digests(list(digests))
            projects = {each.token.project_id for each in found.values() if each.token.project_id is not None}
            keys = await self._credentials(session, projects) if projects else {}
            explicit = await bounds.explicit_of(session, found.values()) if found else {}
        now, defaults = self._now(), self._defaults()
        return {
            digest: principal_of(
                resolved,
                keys.get(resolved.token.project_id or "", ()),
                now,
                bounds.limits_of(resolved, explicit, defaults),
            )
            for digest, resolved in found.items()
        }

    async def owners(self, principals: Collection[Principal]) -> Sequence[Said]:
        """What is said of each of these declared tokens and their owners."""
        async with self._database.reading() as session:
            said = await said_of(session, principals)
            projects = {one.project.id for one in said if one.project is not None}
            keys = await self._credentials(session, projects) if projects else {}
        return [one if one.project is None else replace(one, credentials=keys.get(one.project.id, ())) for one in said]

    async def last(self) -> int:
        """The sequence of the newest change."""
        async with self._database.reading() as session:
            return await session.changes.last()

    async def since(self, sequence: int, limit: int) -> Sequence[Change]:
        """The first changes after that one, at most `limit`, as `store.changes.Changes.since` tells them."""
        async with self._database.reading() as session:
            return await session.changes.since(sequence, limit)

    async def prune(self, before: int) -> None:
        """Delete the changes older than `before`."""
        async with self._database.writing() as session:
            await session.changes.prune(before)

    def version(self) -> int | None:
        """Differs from the last one if anybody committed in between; None where only a look can tell."""
        return None if self._version is None else self._version.look()

    def close(self) -> None:
        """Let go of what `version` holds open."""
        if self._version is not None:
            self._version.close()

    async def add_uses(self, uses: Sequence[Use], checkpoint: Checkpoint) -> Sequence[bytes]:
        """Count uses, once; return the digests of the tokens spent by them, when other nodes can see it."""
        async with self._checkpoints.behind(checkpoint) as session:
            spent = await session.tokens.touch(list(uses))
            if spent:
                await session.changes.append(spent)
        return spent
