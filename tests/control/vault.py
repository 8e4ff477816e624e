"""A database with one's own project and somebody else's, and the use cases on it, without the web around them."""

import asyncio
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sluicegate.control.secrets.key_ring import KeyRing
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.domain.ids import IdSource
from sluicegate.domain.issuing import DEFAULT_RECIPE
from sluicegate.domain.tenants import AuditEntry, Organization, Project, ProviderCredential, Token
from sluicegate.store.database import Database

ResultT = TypeVar("ResultT")

OWN, FOREIGN = "own", "foreign"
OWN_PROJECT, FOREIGN_PROJECT = "prj_own", "prj_foreign"
OWN_DIGEST, FOREIGN_DIGEST = OWN.encode().ljust(32), FOREIGN.encode().ljust(32)
"""Of the one token of each project."""
KEY = bytes(32)
"""What the use cases seal with."""


class Vault:
    """One event loop and one database."""

    def __init__(self, directory: Path) -> None:
        """Begin on a database that is migrated already."""
        self.runner = asyncio.Runner()
        self.milliseconds = 1_795_262_400_000
        self.announced: list[list[bytes] | None] = []
        self.database = self.run(Database.open("sqlite", directory))
        ids = IdSource("", clock=lambda: self.milliseconds / 1000, salt=7)
        self.tenancy = Tenancy(
            database=self.database,
            key_ring=KeyRing((KEY,), random=secrets.token_bytes),
            random=secrets.token_bytes,
            now=lambda: self.milliseconds,
            make_id=lambda prefix: prefix + ids.next(),
            announcing=self._announcing,
            recipe=lambda: DEFAULT_RECIPE,
        )
        for name in (OWN, FOREIGN):
            self.run(self._add(name))

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run something to its end, on the loop that the database is used on."""
        return self.runner.run(work)

    def close(self) -> None:
        """Close the database and the loop."""
        self.run(self.database.close())
        self.runner.close()

    def credentials(self) -> list[ProviderCredential]:
        """All rows with keys for providers."""

        async def read() -> list[ProviderCredential]:
            async with self.database.reading() as session:
                return list(await session.credentials.list())

        return self.run(read())

    def audit(self) -> list[AuditEntry]:
        """The audit log, oldest first."""

        async def read() -> list[AuditEntry]:
            async with self.database.reading() as session:
                return list(await session.audit.list(limit=200))[::-1]

        return self.run(read())

    def overwrite(self, credential: ProviderCredential) -> None:
        """Put a row in the place of the one of its id, as who writes the database beside us could."""

        async def write() -> None:
            async with self.database.writing() as session:
                await session.credentials.delete(credential.id)
                await session.credentials.add(credential)

        self.run(write())

    async def _add(self, name: str) -> None:
        now = self.milliseconds
        organization = Organization(id=f"org_{name}", name=name, created_at=now, updated_at=now)
        project = Project(id=f"prj_{name}", organization_id=organization.id, name=name, created_at=now, updated_at=now)
        token = Token(
            id=f"tok_{name}",
            digest=name.encode().ljust(32),
            prefix="sk-sg-",
            last_four="last",
            organization_id=organization.id,
            project_id=project.id,
            created_at=now,
            updated_at=now,
        )
        async with self.database.writing() as session:
            await session.organizations.add(organization)
            await session.projects.add(project)
            await session.tokens.add(token)

    @contextmanager
    def _announcing(self, digests: list[bytes] | None) -> Iterator[None]:
        self.announced.append(digests)
        yield
