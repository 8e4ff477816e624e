"""How long reads of the database take when it is full: `python -m sluicegate.bench.store --database URL`.

The database is made full first, which takes minutes with a million tokens; one that is full already is taken as it is.
Half the tokens and users are one organisation's, the rest is spread over fifty: large owners are what is slow.
"""

import argparse
import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sluicegate.bench.findings import Findings, write
from sluicegate.bench.measure import machine
from sluicegate.domain.audit import AuditDraft, AuditFilter
from sluicegate.domain.tenants import LimitRecord, Organization, Project, Token, User
from sluicegate.store.database import Database, Session
from sluicegate.store.upgrade import upgrade

BUDGET_MILLISECONDS = 200.0
"""What any answer of the management API may take."""

_BATCH = 5000
_DAY = 86_400_000
_BEGINNING = 1_795_000_000_000
_SMALL = 50
"""Organisations that share what the large one does not have."""
_PROJECTS = 200
_RARE = 10_007
"""Every so manieth record has what is searched for in vain elsewhere."""

_UNLIMITED = 10
"""Of so many tokens, one has a limit."""

_BIG = f"org_{0:028x}"
"""The large organisation. Ids are as long as real ones: indexes are as wide as they are."""


class Size(NamedTuple):
    """How many of each there are."""

    tokens: int
    users: int
    entries: int = 20_000


class Measured(NamedTuple):
    """One read: the fastest, the median and the 99th percentile of some runs, in milliseconds."""

    name: str
    fastest: float
    median: float
    p99: float


Read = Callable[[Session], Awaitable[Any]]


def digest_of(number: int) -> bytes:
    """Of the token of this number."""
    return hashlib.sha256(b"token %d" % number).digest()


def organizations() -> list[Organization]:
    """A large one and small ones."""
    return [
        Organization(id=f"org_{n:028x}", name=f"Organisation {n}", created_at=_BEGINNING, updated_at=_BEGINNING)
        for n in range(_SMALL + 1)
    ]


def projects() -> list[Project]:
    """Some, half of them of the large organisation."""
    return [
        Project(
            id=f"prj_{n:028x}",
            organization_id=_owner(n),
            name=f"Project {n}",
            created_at=_BEGINNING,
            updated_at=_BEGINNING,
        )
        for n in range(_PROJECTS)
    ]


def users(count: int) -> Iterator[User]:
    """All users, in the order of their age."""
    for n in range(count):
        yield User(
            id=f"usr_{n:028x}",
            organization_id=_owner(n),
            email=f"person{n}@example.com",
            name=f"{_rare(n)}Person {n}",
            status="suspended" if n % 1000 == 1 else "active",
            created_at=_BEGINNING + n,
            updated_at=_BEGINNING + n,
        )


def tokens(size: Size) -> Iterator[Token]:
    """All tokens, in the order of their age: some expire, some are revoked, few are suspended."""
    for n in range(size.tokens):
        yield Token(
            id=f"tok_{n:028x}",
            digest=digest_of(n),
            prefix="sk-sg-",
            last_four=f"{n % 10000:04d}",
            organization_id=_owner(n),
            project_id=f"prj_{n % _PROJECTS:028x}",
            user_id=f"usr_{n % size.users:028x}",
            name=f"{_rare(n)}{'legacy ' if n < size.tokens * 3 // 10 else ''}token of a laptop {_place(n)}",
            status="revoked" if n % 100 == 3 else "suspended" if n % 10_000 == 4 else "active",
            expires_at=_BEGINNING + _DAY * (n % 400) if n % 2 else None,
            request_count=n % 50,
            last_used_at=_BEGINNING + n,
            metadata={"machine": n},
            created_at=_BEGINNING + n,
            updated_at=_BEGINNING + n,
        )


def limits(size: Size) -> Iterator[LimitRecord]:
    """Of every so manieth token, one."""
    for n in range(0, size.tokens, _UNLIMITED):
        yield LimitRecord(
            id=f"lim_{n:028x}",
            organization_id=_owner(n),
            scope="token",
            scope_id=f"tok_{n:028x}",
            metric="tokens",
            window="1d",
            maximum=1_000_000,
            created_at=_BEGINNING + n,
            updated_at=_BEGINNING + n,
        )


def drafts(count: int) -> Iterator[AuditDraft]:
    """Entries of the audit log."""
    for n in range(count):
        yield AuditDraft(
            at=_BEGINNING + n,
            actor=f"adm_{n % 7}",
            actor_kind="admin_key",
            action=("token.create", "token.revoke", "user.update")[n % 3],
            target_kind="token",
            target_id=f"tok_{n:028x}",
            organization_id=_owner(n),
            after={"name": f"{_rare(n)}token"},
        )


async def fill(database: Database, size: Size, tell: Callable[[str], None]) -> None:
    """Make it full, unless there are tokens in it."""
    async with database.reading() as session:
        if await session.tokens.list(limit=1):
            tell("is full already")
            return
    async with database.writing() as session:
        await session.organizations.add_all(organizations())
        await session.projects.add_all(projects())
    for name, records in (("users", users(size.users)), ("limits", limits(size)), ("tokens", tokens(size))):
        for batch in _batches(records):
            async with database.writing() as session:
                await getattr(session, name).add_all(batch)
            tell(f"{name}: up to {batch[-1].id}")
    for entries in _batches(drafts(size.entries)):
        async with database.writing() as session:
            await session.audit.append_all(entries)


def reads(size: Size) -> list[tuple[str, Read]]:
    """What is timed: every read of every repository, at the beginning, in the middle and at the end of long lists."""
    big, small, project = _BIG, f"org_{7:028x}", f"prj_{0:028x}"
    user = f"usr_{size.users // 2:028x}"
    middle, nothing = f"tok_{size.tokens // 2:028x}", "xyzzy"
    edits = AuditFilter(actor="adm_3", action="user.update")
    some = [digest_of(n) for n in range(0, size.tokens, max(1, size.tokens // 100))]
    scopes = [f"tok_{n:028x}" for n in range(100)]
    strangers = [digest_of(-1 - n) for n in range(100)]
    return [
        ("tokens.by_digests, 1", lambda s: s.tokens.by_digests(some[-1:])),
        ("tokens.by_digests, 100", lambda s: s.tokens.by_digests(some)),
        ("tokens.by_digests, 100 unknown", lambda s: s.tokens.by_digests(strangers)),
        ("tokens.get", lambda s: s.tokens.get(middle)),
        ("tokens.list", lambda s: s.tokens.list(limit=200)),
        ("tokens.list after the middle", lambda s: s.tokens.list(after=middle, limit=200)),
        ("tokens.list of a large organisation", lambda s: s.tokens.list(organization_id=big, after=middle, limit=200)),
        ("tokens.list of a small organisation", lambda s: s.tokens.list(organization_id=small, limit=200)),
        ("tokens.list, suspended", lambda s: s.tokens.list(status="suspended", limit=200)),
        (
            "tokens.list, suspended, of a large organisation",
            lambda s: s.tokens.list(organization_id=big, status="suspended", limit=200),
        ),
        ("tokens.list of a project", lambda s: s.tokens.list(project_id=project, status="revoked", limit=200)),
        ("tokens.list of a user", lambda s: s.tokens.list(user_id=user)),
        *searches(size),
        ("tokens.count of a search", lambda s: s.tokens.count(search="rare")),
        ("tokens.count", lambda s: s.tokens.count()),
        ("tokens.count of a large organisation", lambda s: s.tokens.count(organization_id=big)),
        ("tokens.totals of a large organisation", lambda s: s.tokens.totals(organization_id=big)),
        ("tokens.totals of a small organisation", lambda s: s.tokens.totals(organization_id=small)),
        ("tokens.totals of a user", lambda s: s.tokens.totals(user_id=user)),
        ("users.get", lambda s: s.users.get(user)),
        ("users.by_email", lambda s: s.users.by_email(big, "person0@example.com")),
        ("users.list", lambda s: s.users.list(after=user, limit=200)),
        ("users.list of a large organisation", lambda s: s.users.list(organization_id=big, after=user, limit=200)),
        ("users.list, suspended", lambda s: s.users.list(status="suspended", limit=200)),
        ("users.list by address", lambda s: s.users.list(email="person77@example.com")),
        ("users.list, search, in none", lambda s: s.users.list(search=nothing)),
        ("users.list, search, in few", lambda s: s.users.list(search="rare", limit=200)),
        (
            "users.list, search, in a large organisation",
            lambda s: s.users.list(organization_id=big, search="77@example", limit=200),
        ),
        ("users.count", lambda s: s.users.count()),
        ("projects.list", lambda s: s.projects.list(organization_id=big, limit=200)),
        ("organizations.list", lambda s: s.organizations.list(limit=200)),
        ("credentials.for_project", lambda s: s.credentials.for_project(project)),
        ("limits.list of a large organisation", lambda s: s.limits.list(organization_id=big, limit=200)),
        ("limits.of_scopes, 100", lambda s: s.limits.of_scopes(scopes)),
        ("price_overrides.of_model", lambda s: s.price_overrides.of_model(big, "openai", "gpt-4o-mini")),
        ("admin_keys.by_digest", lambda s: s.admin_keys.by_digest(some[0])),
        ("accounts.by_login", lambda s: s.accounts.by_login("nobody")),
        ("request_bodies.get, of none", lambda s: s.request_bodies.get("req_none")),
        ("audit.list", lambda s: s.audit.list(limit=200)),
        ("audit.list of an actor and action", lambda s: s.audit.list(edits, limit=200)),
        ("audit.list, search, in none", lambda s: s.audit.list(AuditFilter(search=nothing))),
        ("changes.since the last", lambda s: s.changes.since(0, 100)),
        ("idempotency.get", lambda s: s.idempotency.get("key", "scope")),
    ]


def searches(size: Size) -> list[tuple[str, Read]]:
    """Searches among all tokens: of what is in all, few or none of them, and together with filters and places."""
    big, small = _BIG, f"org_{7:028x}"
    middle, nothing = f"tok_{size.tokens // 2:028x}", "xyzzy"
    return [
        ("tokens.list, search, in all", lambda s: s.tokens.list(search="LAPTOP", limit=200)),
        ("tokens.list, search, in few", lambda s: s.tokens.list(search="rare", limit=200)),
        ("tokens.list, search, in none", lambda s: s.tokens.list(search=nothing)),
        ("tokens.list, search, two letters, in none", lambda s: s.tokens.list(search="zq")),
        (
            "tokens.list, search, in a large organisation",
            lambda s: s.tokens.list(organization_id=big, search=nothing),
        ),
        (
            "tokens.list, search, in a small organisation",
            lambda s: s.tokens.list(organization_id=small, search=nothing),
        ),
        (
            "tokens.list, search, in all of a small organisation, from the middle",
            lambda s: s.tokens.list(organization_id=small, after=middle, search="laptop", limit=200),
        ),
        (
            "tokens.list, search, in few, from the middle, suspended",
            lambda s: s.tokens.list(after=middle, search="rare", status="suspended", limit=200),
        ),
        (
            "tokens.list, search, in many, from behind them",
            lambda s: s.tokens.list(after=middle, search="legacy", limit=200),
        ),
        (
            "tokens.list, search, in all but of a large organisation",
            lambda s: s.tokens.list(organization_id=big, search="at home", limit=200),
        ),
        ("tokens.list, search, no letters of ours, in none", lambda s: s.tokens.list(search="語😀")),
    ]


async def measure(database: Database, read: Read, runs: int) -> tuple[float, float, float]:
    """The fastest, the median and the 99th of a hundred runs in milliseconds, each with its transaction."""
    took = []
    for _ in range(runs):
        begin = time.perf_counter()
        async with database.reading() as session:
            await read(session)
        took.append((time.perf_counter() - begin) * 1000)
    took.sort()
    return took[0], took[len(took) // 2], took[len(took) * 99 // 100]


async def run(url: str, directory: Path, size: Size, runs: int, tell: Callable[[str], None]) -> list[Measured]:
    """Make the database full and measure all reads."""
    await upgrade(url, directory)
    database = await Database.open(url, directory)
    try:
        await fill(database, size, tell)
        return [Measured(name, *await measure(database, read, runs)) for name, read in reads(size)]
    finally:
        await database.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 if a read takes longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m sluicegate.bench.store", description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, sqlite:///path or postgresql://…")
    parser.add_argument("--directory", type=Path, default=Path("build/store"), help="where SQLite's file is")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7, help="of each read; their median counts")
    parser.add_argument("--json", action="store_true", help="results as JSON")
    parser.add_argument("--output", type=Path, help="directory for a page and a JSON file of the results")
    given = parser.parse_args(arguments)
    size = Size(given.tokens, given.users)
    results = asyncio.run(run(given.database, given.directory, size, given.runs, lambda line: _say(sys.stderr, line)))
    if given.json:
        _say(sys.stdout, json.dumps([result._asdict() for result in results], indent=2))
    else:
        for result in results:
            _say(sys.stdout, f"{result.median:9.2f} {result.p99:9.2f} ms  {result.name}")
    if given.output is not None:
        write(_findings(given.database, size, given.runs, results), given.output, f"store-{_kind(given.database)}")
    slow = [result.name for result in results if result.median > BUDGET_MILLISECONDS]
    for name in slow:
        _say(sys.stderr, f"over {BUDGET_MILLISECONDS:.0f} ms: {name}")
    return 1 if slow else 0


def _findings(database: str, size: Size, runs: int, results: Sequence[Measured]) -> Findings:
    rows = tuple(
        {
            "read": one.name,
            "fastest, ms": round(one.fastest, 2),
            "median, ms": round(one.median, 2),
            "p99, ms": round(one.p99, 2),
        }
        for one in results
    )
    method = (
        f"{size.tokens:,} tokens, {size.users:,} users, {size.entries:,} audit entries; half are one organisation's.",
        f"Each read is a transaction of its own, {runs} times; the database is on the same machine.",
        f"Made with `python -m sluicegate.bench.store`; a median over {BUDGET_MILLISECONDS:.0f} ms fails it.",
    )
    return Findings(f"Reads of a full database, {_kind(database)}", machine(datetime.now(UTC)), method, rows)


def _kind(database: str) -> str:
    return "sqlite" if database.startswith("sqlite") else "postgresql"


def _say(stream: Any, line: str) -> None:
    stream.write(f"{line}\n")


def _owner(number: int) -> str:
    """Half of all are the large organisation's."""
    return _BIG if number % 2 == 0 else f"org_{1 + number // 2 % _SMALL:028x}"


def _rare(number: int) -> str:
    return "rare " if number % _RARE == 5 else ""


def _place(number: int) -> str:
    """What all tokens of one organisation are called, and none of another."""
    return "at work" if _owner(number) == _BIG else "at home"


def _batches(records: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := [record for _, record in zip(range(_BATCH), records, strict=False)]:
        yield batch


if __name__ == "__main__":
    sys.exit(main())
