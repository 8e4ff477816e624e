"""The management API on a database of its own, asked without a server and without a network."""

import asyncio
import io
import json
import secrets
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher
from fastapi import FastAPI

from sluicegate.control.application import create_application
from sluicegate.control.configuration import Configuration
from sluicegate.control.consumers import Consumers
from sluicegate.control.context import Context
from sluicegate.control.logs import Logs
from sluicegate.control.metrics.sources import Sources
from sluicegate.control.metrics.tally import Tally
from sluicegate.control.offers import Offers
from sluicegate.control.passwords import Passwords
from sluicegate.control.prices.catalogue import bundled
from sluicegate.control.secrets import KeyRing
from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.token_directory import DeclaredTokens, declared_with_id
from sluicegate.control.workers import Workers
from sluicegate.domain.ids import IdSource
from sluicegate.domain.issuing import DEFAULT_RECIPE
from sluicegate.domain.owner_marks import owners_marked
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import AdminKey, LimitRecord, Organization, PriceOverride, Project, Role, Token, User
from sluicegate.domain.tokens import digest
from sluicegate.store.database import Database
from sluicegate.store.upgrade import upgrade
from tests.control.asgi import Answer, send
from tests.control.ledger import KnownLedger

ResultT = TypeVar("ResultT")

ROOT = "management-secret"
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As weak as Argon2id can be, for passwords that guard nothing."""


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, seconds: float) -> None:
        """Begin at so many Unix seconds."""
        self.seconds = seconds

    def now(self) -> int:
        """Unix milliseconds."""
        return int(self.seconds * 1000)


@dataclass
class World:
    """Two organisations with one of everything in each, and a key for each manager there can be."""

    keys: dict[str, str]
    own: dict[str, str]
    foreign: dict[str, str]


class Api:
    """One application, on one event loop and one database."""

    def __init__(
        self,
        directory: Path,
        configuration: Callable[[], Configuration],
        workers: Workers,
        *,
        source: str,
        application: Callable[[Context], FastAPI] = create_application,
    ) -> None:
        """Begin on a database that is migrated already; `application` makes the application, or lends one."""
        self.runner = asyncio.Runner()
        self.clock = Clock(1_795_262_400.0)
        self.announced: list[list[bytes] | None] = []
        self.marked: list[frozenset[str]] = []
        """The owners that were announced for their declared tokens, each time."""
        self.ledger = KnownLedger()
        try:
            self.database = self.run(Database.open("sqlite", directory))
        except BaseException:  # It is raised again: only the loop must not be left open.
            self.runner.close()
            raise
        self.key_ring = KeyRing((bytes(32),), random=secrets.token_bytes)
        sources: dict[str, IdSource] = {}

        def make_id(prefix: str) -> str:
            source = sources.setdefault(prefix, IdSource(prefix, clock=lambda: self.clock.seconds, salt=7))
            return source.next()

        self.tenancy = Tenancy(
            database=self.database,
            key_ring=self.key_ring,
            random=secrets.token_bytes,
            now=self.clock.now,
            make_id=make_id,
            announcing=self._announcing,
            recipe=lambda: DEFAULT_RECIPE,
            declared=lambda token_id: declared_with_id(self.context.declared, token_id),
        )
        self.log_lines = io.StringIO()
        self.key_file: dict[bytes, Principal] = {}
        current = configuration()
        consumers = Consumers()
        self.context = Context(
            current,
            workers,
            consumers,
            source,
            self.tenancy,
            Passwords(key=bytes(32), hasher=FAST),
            declared=(DeclaredTokens(current.current.tokens), DeclaredTokens(self.key_file)),
            key_uses=KeyUses(),
            ledger=self.ledger,
            offers=Offers(bundled),
            logs=Logs(self.log_lines, process="control", clock=lambda: 0.0),
            metrics=Sources(Tally(), workers, current, self.ledger, consumers, directory / "events"),
        )
        self.application = application(self.context)

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run something to its end, on the loop that the database is used on."""
        return self.runner.run(work)

    def close(self) -> None:
        """Close the database and the loop."""
        self.run(self.database.close())
        self.runner.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = ROOT,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask with this key; `body` is sent as JSON, bytes as they are."""
        return self.run(self.asked(method, path, key=key, body=body, headers=headers))

    async def asked(
        self,
        method: str,
        path: str,
        *,
        key: str | None = ROOT,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask, within the loop."""
        fields = {"x-request-id": "req_test", "x-forwarded-for": "192.0.2.7", **(headers or {})}
        if key is not None:
            fields.setdefault("authorization", f"Bearer {key}")
        sent = b""
        if isinstance(body, bytes):
            sent = body
        elif body is not None:
            sent = json.dumps(body).encode()
        if body is not None:
            fields.setdefault("content-type", "application/json")
        return await send(self.application, method, path, fields, sent)

    def make(self, method: str, path: str, body: Any, **options: Any) -> Any:
        """Ask, and return the decoded body of an answer that must be a success."""
        answer = self.ask(method, path, body=body, **options)
        assert answer.status in {200, 201}, answer
        return answer.json

    def add_key(self, role: Role, *, organization_id: str | None = None, **fields: Any) -> str:
        """Add an admin key; return its secret."""
        secret, record = self._admin_key(role, organization_id=organization_id, **fields)
        self.run(self._add([("admin_keys", record)]))
        return secret

    def _admin_key(self, role: Role, *, organization_id: str | None = None, **fields: Any) -> tuple[str, AdminKey]:
        secret = f"sk-test-{secrets.token_hex(16)}"
        record = AdminKey(
            id=self.tenancy.make_id("adm_"),
            digest=digest(secret.encode()),
            prefix="sk-test-",
            last_four=secret[-4:],
            name=role,
            role=role,
            organization_id=organization_id,
            created_at=self.clock.now(),
            updated_at=self.clock.now(),
            **fields,
        )
        return secret, record

    def world(self) -> World:
        """Make two organisations and their managers."""
        own, records = self._objects("own")
        foreign, others = self._objects("foreign")
        keys = {"root": ROOT}
        bounded: tuple[tuple[Role, str | None], ...] = (
            ("admin", None),
            ("organization_admin", "org_own"),
            ("viewer", "org_own"),
        )
        for role, organization_id in bounded:
            keys[role], record = self._admin_key(role, organization_id=organization_id)
            others.append(("admin_keys", record))
        self.run(self._add(records + others))
        return World(keys, own, foreign)

    async def _add(self, records: list[tuple[str, Any]]) -> None:
        # One kind at a time: a statement for each takes longer than everything else here.
        kinds: dict[str, list[Any]] = {}
        for repository, record in records:
            kinds.setdefault(repository, []).append(record)
        async with self.database.writing() as session:
            for repository, found in kinds.items():
                await getattr(session, repository).add_all(found)

    def _objects(self, name: str) -> tuple[dict[str, str], list[tuple[str, Any]]]:
        """An organisation with one of each kind: what they are called, and their records by repository."""
        times: dict[str, Any] = {"created_at": self.clock.now(), "updated_at": self.clock.now()}
        organization = Organization(id=f"org_{name}", name=name, **times)
        organization_id = organization.id
        project = Project(id=f"prj_{name}", organization_id=organization_id, name=name, **times)
        user = User(id=f"usr_{name}", organization_id=organization_id, email=f"{name}@example.com", **times)
        secret = f"sk-sg-{name}-{secrets.token_hex(16)}"
        token = Token(
            id=f"tok_{name}",
            digest=digest(secret.encode()),
            prefix="sk-sg-",
            last_four=secret[-4:],
            organization_id=organization_id,
            project_id=project.id,
            user_id=user.id,
            **times,
        )
        limit = LimitRecord(
            id=f"lim_{name}",
            organization_id=organization_id,
            scope="project",
            scope_id=project.id,
            metric="tokens",
            window="1h",
            maximum=1000,
            **times,
        )
        price = PriceOverride(
            id=f"prc_{name}",
            organization_id=organization_id,
            provider="openai",
            model="gpt-4o",
            price=Price(version=f"prc_{name}/1", rates=Rates(input=1, output=2)),
            **times,
        )
        admin_key = AdminKey(
            id=f"adm_{name}",
            digest=digest(f"unused {name}".encode()),
            prefix="sk-test-",
            last_four="used",
            name=name,
            role="viewer",
            organization_id=organization_id,
            **times,
        )
        names = {
            "org_id": organization_id,
            "organization_id": organization_id,
            "project_id": project.id,
            "user_id": user.id,
            "token_id": token.id,
            "key_id": token.id,
            "admin_key_id": admin_key.id,
            "limit_id": limit.id,
            "price_id": price.id,
            "scope_id": project.id,
            "provider": "openai",
            "request_id": f"req_{name}",
            "secret": secret,
        }
        records = [
            ("organizations", organization),
            ("projects", project),
            ("users", user),
            ("tokens", token),
            ("limits", limit),
            ("price_overrides", price),
            ("admin_keys", admin_key),
        ]
        return names, records

    @contextmanager
    def _announcing(self, digests: list[bytes] | None) -> Iterator[None]:
        owners = owners_marked(digests or ())
        self.marked.append(owners)
        if digests is None or len(digests) > len(owners):
            self.announced.append(None if digests is None else [one for one in digests if not owners_marked([one])])
        yield


class Lent:
    """One application for many tests, one after the other: to make it takes longer than most of them."""

    def __init__(self) -> None:
        """Make none yet."""
        self._application: FastAPI | None = None

    def __call__(self, context: Context) -> FastAPI:
        """The application, with this context from now on."""
        if self._application is None:
            self._application = create_application(context)
        self._application.state.context = context
        return self._application


def migrated(directory: Path) -> Path:
    """Make a database to copy from."""
    asyncio.run(upgrade("sqlite", directory))
    return directory


def copied(template: Path, directory: Path) -> Path:
    """Copy it: much quicker than to migrate anew."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in template.iterdir():
        shutil.copy(file, directory / file.name)
    return directory
