"""The database, the keys to the secrets in it, and the ledger, opened for as long as a control process runs."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sluicegate.config.compile import Compiled
from sluicegate.control.limits.opening import ledger_of
from sluicegate.control.secrets import KeyRing
from sluicegate.control.secrets.master_key import open_key_ring
from sluicegate.control.secrets.rotation import used_key_ids
from sluicegate.control.tenants.tenancy import Announcing, Tenancy
from sluicegate.domain.ids import IdSource
from sluicegate.domain.issuing import TokenRecipe, recipe
from sluicegate.domain.principal import Principal
from sluicegate.ledger.interface import Ledger
from sluicegate.store.database import Database
from sluicegate.store.upgrade import upgrade

_SALT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Storage:
    """What is kept beyond this process. `upgraded_from` is the version that an older program left, if one did."""

    database: Database
    key_ring: KeyRing
    ledger: Ledger
    upgraded_from: str | None = None


@asynccontextmanager
async def opened(started: Compiled, *, now: Callable[[], float]) -> AsyncIterator[Storage]:
    """Migrate the database, open it and the ledger, and find the master key. `now` gives Unix seconds.

    Raises NewerDatabaseError, MasterKeyError, and what the driver raises where there is no database.
    """
    settings, directory = started.settings, started.server.data_dir
    state = await upgrade(settings.database_url, directory)
    database = await Database.open(settings.database_url, directory)
    try:
        key_ring = await _key_ring(started, database, directory, now)
        ledger = ledger_of(settings, directory)
        try:
            yield Storage(database, key_ring, ledger, None if state.is_current else state.found)
        finally:
            await ledger.close()
    finally:
        await database.close()


def tenancy(
    storage: Storage,
    *,
    now: Callable[[], float],
    current: Callable[[], Compiled],
    announcing: Announcing,
    declared: Callable[[str], Principal | None] = lambda _token_id: None,
) -> Tenancy:
    """The use cases' ports on an open storage. `current` is the configuration in force, `now` gives Unix seconds,
    `declared` the token that a file declares by its id."""
    ids = Ids(clock=now)

    def current_recipe() -> TokenRecipe:
        return recipe(current().settings.issuing.prefix)

    return Tenancy(
        database=storage.database,
        key_ring=storage.key_ring,
        random=secrets.token_bytes,
        now=lambda: int(now() * 1000),
        make_id=ids.make,
        announcing=announcing,
        recipe=current_recipe,
        declared=declared,
    )


class Ids:
    """Identifiers of every kind, each kind with a salt of its own."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """`clock` gives Unix seconds."""
        self._clock = clock
        self._sources: dict[str, IdSource] = {}

    def __repr__(self) -> str:
        """Tell of which kinds some were made."""
        return f"<Ids {sorted(self._sources)}>"

    def make(self, prefix: str) -> str:
        """Return a new identifier with this prefix, `tok_` for example."""
        source = self._sources.get(prefix)
        if source is None:
            salt = int.from_bytes(secrets.token_bytes(_SALT_BYTES))
            source = self._sources[prefix] = IdSource(prefix, clock=self._clock, salt=salt)
        return source.next()


async def _key_ring(started: Compiled, database: Database, directory: Path, now: Callable[[], float]) -> KeyRing:
    setting = started.settings.master_key
    used = await used_key_ids(database)
    return open_key_ring(
        None if setting is None else setting.get_secret_value(),
        directory,
        has_ciphertext=bool(used),
        used=used,
        random=secrets.token_bytes,
        now=now(),
    )
