"""Tokens: what is stored of them, and how they are looked up."""

from typing import Any

import pytest

from sluicegate.domain.tenants import Token
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import AlreadyExistsError, MissingError, UnstorableError
from sluicegate.store.repository import BATCH
from sluicegate.store.tokens import ResolvedToken, dead_at
from tests.store import records
from tests.store.place import Place

OWNERS = {"project_id": "prj_00001", "user_id": "usr_00001", "organization_id": "org_00001"}


async def _owners(session: Session, **statuses: str) -> None:
    """One organisation with a project and a user."""
    active = {"organization": "active", "project": "active", "user": "active"} | statuses
    await session.organizations.add(records.an_organization(1, status=active["organization"]))
    await session.projects.add(records.a_project(1, organization_id="org_00001", status=active["project"]))
    await session.users.add(records.a_user(1, organization_id="org_00001", status=active["user"]))


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back with its value and type."""
    made = records.a_token(
        1,
        **OWNERS,
        tier="gold",
        status="suspended",
        expires_at=1,
        idle_seconds=2,
        retires_at=3,
        replaced_by="tok_00002",
        max_requests=4,
        request_count=5,
        model="m",
        models=("a*", "ü"),
        paths=("/v1/**",),
        request_headers=("x-a",),
        tags=("t", "t"),
        metadata={"a": {"b": [None]}},
        last_used_at=6,
        version=7,
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _owners(session)
            await session.tokens.add(made)
            assert await session.tokens.get(made.id) == made

    place.run(use)


def test_digests_are_unique(place: Place) -> None:
    """A digest is taken once, also when tokens are added together or changed."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await tokens.add_all([records.a_token(1), records.a_token(2)])
            for refused in (
                tokens.add(records.a_token(3, digest=records.a_digest(1))),
                tokens.add_all([records.a_token(4), records.a_token(5, digest=records.a_digest(4))]),
                tokens.update(records.a_token(2, digest=records.a_digest(1), version=2)),
            ):
                with pytest.raises(AlreadyExistsError) as error:
                    await refused
                assert error.value.field == "digest"
            assert [token.id for token in await tokens.list()] == ["tok_00001", "tok_00002"]

    place.run(use)


@pytest.mark.parametrize("owner", OWNERS)
def test_its_owners_must_exist(place: Place, owner: str) -> None:
    """A token of an owner that is not there is refused."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            with pytest.raises(MissingError):
                await session.tokens.add(records.a_token(1, **{owner: "none"}))
            assert await session.tokens.count() == 0

    place.run(use)


def test_lists_are_narrowed(place: Place) -> None:
    """Filters narrow together and with a search of names, prefixes and last letters, and pages keep to them."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await _owners(session)
            await tokens.add_all(
                [
                    records.a_token(1, **OWNERS, name="alpha"),
                    records.a_token(2, organization_id="org_00001", status="revoked", name="Alphabet"),
                    records.a_token(3, project_id="prj_default", name="beta", last_four="ALPH"),
                    records.a_token(4, status="suspended", name="", prefix="alph_"),
                    records.a_token(5, organization_id="org_00001", user_id="usr_00001"),
                ]
            )

            async def ids(**narrowing: str | None) -> list[str]:
                found = [token.id[-1] async for token in tokens.iterate(1, **narrowing)]
                assert await tokens.count(**narrowing) == len(found)
                return found

            assert await ids() == ["1", "2", "3", "4", "5"]
            assert await ids(organization_id="org_00001") == ["1", "2", "5"]
            assert await ids(organization_id="org_00001", status="active") == ["1", "5"]
            assert await ids(user_id="usr_00001") == ["1", "5"]
            assert await ids(user_id="usr_00001", project_id="prj_00001") == ["1"]
            assert await ids(project_id="prj_default", status=None) == ["3"]
            assert await ids(status="revoked") == ["2"]
            assert await ids(status="suspended", organization_id="org_00001") == []
            assert await ids(search="alph") == ["1", "2", "3", "4"]
            assert await ids(search="ALPHA") == ["1", "2"]
            assert await ids(search="alph", organization_id="org_00001", status="active") == ["1"]
            assert await ids(search="alph_") == ["4"]

    place.run(use)


@pytest.mark.parametrize("suspended", [None, "organization", "project", "user"])
def test_a_digest_leads_to_a_token_and_what_its_owners_are(place: Place, suspended: str | None) -> None:
    """Digests are looked up together, with the status of each owner; None where there is no such owner."""
    token, alone = records.a_token(1, **OWNERS), records.a_token(2)
    statuses = {} if suspended is None else {suspended: "suspended"}
    expected: Any = {f"{name}_status": statuses.get(name, "active") for name in ("organization", "project", "user")}
    expected |= {"body_share": 0.0, "body_bytes": 16_384}

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _owners(session, **statuses)
            await session.tokens.add_all([token, alone])
        async with database.reading() as session:
            found = await session.tokens.by_digests([token.digest, records.a_digest(9), alone.digest, token.digest])
            assert found == {
                token.digest: ResolvedToken(token, **expected),
                alone.digest: ResolvedToken(alone, "active", None, None),
            }
            for nothing in ([], [b""], [b"' OR ''='"], [records.a_digest(7)] * 3):
                assert await session.tokens.by_digests(nothing) == {}

    place.run(use)


def test_many_digests_are_looked_up(place: Place) -> None:
    """More digests than one statement takes are all found."""
    made = [records.a_token(number) for number in range(1, BATCH + 4)]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.tokens.add_all(made)
            found = await session.tokens.by_digests([token.digest for token in made])
            assert {digest: resolved.token for digest, resolved in found.items()} == {
                token.digest: token for token in made
            }
            assert len([token async for token in session.tokens.iterate()]) == len(made)

    place.run(use)


@pytest.mark.parametrize("owner", OWNERS)
def test_an_owners_tokens_are_revoked_together(place: Place, owner: str) -> None:
    """All of an owner's tokens that are not revoked are, each as a new version; others stay; it works once."""
    one: Any = {owner: OWNERS[owner]}

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await _owners(session)
            await tokens.add_all(
                [
                    records.a_token(1, **OWNERS),
                    records.a_token(2, **OWNERS, status="suspended"),
                    records.a_token(3, **OWNERS, status="revoked"),
                    records.a_token(4, project_id="prj_default"),
                ]
            )
            revoked = await tokens.revoke_all(**one)
            assert sorted(revoked) == [records.a_digest(1), records.a_digest(2)]
            assert await tokens.revoke_all(**one) == []
            first = await tokens.get("tok_00001")
            assert first is not None
            assert (first.status, first.version) == ("revoked", 2)
            assert first.updated_at > records.AT
            assert await tokens.get("tok_00003") == records.a_token(3, **OWNERS, status="revoked")
            assert await tokens.get("tok_00004") == records.a_token(4, project_id="prj_default")
            # From now on it is of no use, so that it will be purged.
            assert await tokens.purge(first.updated_at, limit=10) == 1
            assert await tokens.purge(first.updated_at + 60_000, limit=10) == 2

    place.run(use)


def test_exactly_one_owner_is_named(place: Place) -> None:
    """To revoke or sum up nobody's tokens, or those of two owners, is a mistake; strange names have none."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await tokens.add(records.a_token(1, request_count=1))
            for owners in ({}, {"user_id": "a", "organization_id": "b"}):
                with pytest.raises(TypeError, match="exactly one of project_id, user_id, organization_id"):
                    await tokens.revoke_all(**owners)
                with pytest.raises(TypeError, match="exactly one of organization_id, user_id"):
                    await tokens.totals(**owners)
            for name in ("' OR ''='", "%", "a\0b", "a\ud800", "", "x" * 1000):
                assert await tokens.revoke_all(user_id=name) == []
                assert await tokens.revoke_all(organization_id=name) == []
                assert await tokens.revoke_all(project_id=name) == []
                assert await tokens.reset_requests(user_id=name) == []
                assert (await tokens.totals(user_id=name)).tokens == 0
                assert await tokens.touch([(name, 1, 1)]) == []
            assert await tokens.get("tok_00001") == records.a_token(1, request_count=1)

    place.run(use)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"expires_at": 50}, 50),
        ({"expires_at": 50, "retires_at": 40}, 40),
        ({"idle_seconds": 2}, 2_100),
        ({"idle_seconds": 2, "last_used_at": 500}, 2_500),
        ({"idle_seconds": 2, "last_used_at": 50}, 2_100),
        ({"status": "revoked"}, 200),
        ({"status": "revoked", "expires_at": 150}, 150),
        ({"status": "suspended"}, None),
    ],
)
def test_the_earliest_end_counts(fields: dict[str, object], expected: int | None) -> None:
    """A token is of no use from the first of its ends on: expiry, retirement, withering, revocation."""
    assert dead_at(records.a_token(1, created_at=100, updated_at=200, **fields)) == expected


def test_purging_goes_in_steps(place: Place) -> None:
    """Tokens past retention are removed oldest first, a step at a time, and told; others stay."""
    dead = [records.a_token(number, expires_at=100 * number) for number in range(1, 6)]
    living: list[Token] = [
        records.a_token(6),
        records.a_token(7, status="suspended"),
        records.a_token(8, expires_at=600),
    ]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.tokens.add_all([*dead[::-1], *living])
        async with database.writing() as session:
            assert await session.tokens.purge(100) == 0
            assert await session.changes.last() == 0
            assert await session.tokens.purge(600, limit=2) == 2
            assert [token.id for token in await session.tokens.list(limit=1)] == ["tok_00003"]
            assert await session.tokens.purge(600, limit=2) == 2
            assert await session.tokens.purge(600, limit=2) == 1
            assert await session.tokens.purge(600, limit=2) == 0
            assert await session.tokens.list() == living
            told = [change.digest for change in await session.changes.since(0, 10)]
            assert sorted(filter(None, told)) == [token.digest for token in dead]

    place.run(use)


def test_those_that_end_in_a_while_are_found(place: Place) -> None:
    """Active ones, in order of their end, a page at a time, also where several end at the same moment."""
    ends = {1: 300, 2: 100, 3: 200, 4: 200, 5: 200, 6: 301}

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await tokens.add_all([records.a_token(number, expires_at=end) for number, end in ends.items()])
            await tokens.add_all([records.a_token(7), records.a_token(8, expires_at=200, status="suspended")])
            found: list[str] = []
            after, last = 100, None
            while page := await tokens.ending(after, last, 300, 2):
                found += [token.id for token in page]
                after, last = page[-1].expires_at or 0, page[-1].id
            assert found == ["tok_00003", "tok_00004", "tok_00005", "tok_00001"]
            assert [token.id for token in await tokens.ending(99, None, 100, 10)] == ["tok_00002"]
            assert await tokens.ending(301, None, 1_000, 10) == []

    place.run(use)


def test_a_changed_end_counts(place: Place) -> None:
    """What a change makes end, or not end, is purged, or not."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            tokens = session.tokens
            await tokens.add_all([records.a_token(1, expires_at=100), records.a_token(2)])
            await tokens.update(records.a_token(1, expires_at=None, version=2))
            await tokens.update(records.a_token(2, status="revoked", updated_at=200, version=2))
            assert await tokens.purge(10_000) == 1
            assert [token.id for token in await tokens.list()] == ["tok_00001"]

    place.run(use)


def test_lists_must_be_text(place: Place) -> None:
    """Patterns that JSON or UTF-8 cannot say are refused with their field."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for field in ("models", "paths", "request_headers", "tags"):
                with pytest.raises(UnstorableError) as refused:
                    await session.tokens.add(records.a_token(1, **{field: ("\ud800",)}))
                assert refused.value.field == field
            # A NUL in JSON is written with an escape, so it is kept.
            await session.tokens.add(records.a_token(1, tags=("a\0b",)))
            kept = await session.tokens.get("tok_00001")
            assert kept is not None
            assert kept.tags == ("a\0b",)

    place.run(use)
