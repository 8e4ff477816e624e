"""All tokens of a node: those of the configuration, of the key file and of the database, put together."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.config.schema import Settings
from sluicegate.control.clocks import Clocks
from sluicegate.control.key_file.declared import DeclaredKeys
from sluicegate.control.resolution.stored import stored_resolution
from sluicegate.control.resolution.uses import Used
from sluicegate.control.storage import Storage
from sluicegate.control.tenants.credentials import credentials_of
from sluicegate.control.token_directory import Declared, DeclaredTokens, declared_with_id
from sluicegate.domain.default_limits import Defaults
from sluicegate.domain.principal import Principal
from sluicegate.store.address import PostgreSQLAddress


class KnownTokens:
    """Whose each is (`resolution`), which of them files declare (`declared`), and how much they are used."""

    def __init__(
        self,
        storage: Storage,
        *,
        node: str,
        started: Compiled,
        current: Callable[[], Compiled],
        observe: Callable[[Sequence[Used]], None],
        clocks: Clocks,
        log: FilteringBoundLogger,
    ) -> None:
        """`started` is what the node was started with, `current` gives what is in force; `observe` is shown every
        exchange. The key file is loaded, nothing else happens yet. Raises KeyFileError, OSError."""
        self._current = current
        self._clocks = clocks
        self._show = observe
        self._configured = DeclaredTokens(current().tokens)
        self._keys = self._key_file(started.settings, log)
        self.declared: tuple[Declared, ...] = (self._configured, *([self._keys] if self._keys is not None else []))
        self.resolution = stored_resolution(
            storage.database,
            declared=self.declared,
            credentials=lambda session, projects: credentials_of(session, storage.key_ring, projects, log=log),
            data_dir=started.server.data_dir,
            node=node,
            is_shared=isinstance(storage.database.address, PostgreSQLAddress),
            clock=clocks.monotonic,
            now=clocks.unix_milliseconds,
            log=log,
            observe=self._observe,
            defaults=self._limit_defaults,
        )

    def __repr__(self) -> str:
        """Tell where they are from."""
        return f"<KnownTokens {list(self.declared)} {self.resolution!r}>"

    def with_id(self, token_id: str) -> Principal | None:
        """The token that a file declares by this id; None if none does."""
        return declared_with_id(self.declared, token_id)

    def change(self, old: Compiled, new: Compiled) -> None:
        """Another configuration is in force: workers forget what it says otherwise of tokens."""
        forgotten = self._configured.replace(new.tokens)
        self.resolution.announce(forgotten if new.limit_defaults == old.limit_defaults else None)

    async def run(self) -> None:
        """Answer whose tokens are, and follow the key file, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.resolution.run())
            if self._keys is not None:
                tasks.create_task(self._keys.follow())
                tasks.create_task(self._keys.keep_written())

    def _key_file(self, settings: Settings, log: FilteringBoundLogger) -> DeclaredKeys | None:
        """The keys of the configured file, loaded; None where there is none."""
        if settings.key_file is None:
            return None
        keys = DeclaredKeys(
            Path(settings.key_file),
            now=self._clocks.unix,
            log=log,
            changed=self._forget,
            defaults=self._limit_defaults,
            model=settings.key_file_model,
        )
        keys.load()
        return keys

    def _limit_defaults(self) -> Defaults:
        return self._current().limit_defaults

    def _forget(self, digests: tuple[bytes, ...]) -> None:
        """The key file was edited."""
        self.resolution.announce(digests)

    def _observe(self, events: Sequence[Used]) -> None:
        """Show them on, and note the uses of the key file's tokens."""
        self._show(events)
        if self._keys is not None:
            for event in events:
                self._keys.record(event.token, event.metadata.total_tokens, self._clocks.unix())
