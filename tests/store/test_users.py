"""Users of organisations."""

import asyncio
from typing import Any

import pytest

from sluicegate.domain.tenants import DEFAULT_ORGANIZATION
from sluicegate.store.database import Database
from sluicegate.store.errors import AlreadyExistsError, MissingError, UnstorableError
from tests.store import records
from tests.store.place import Place


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back with its value and type."""
    made = records.a_user(1, status="suspended", monthly_limit=10**18, metadata={"a": 1.0, "b": -(2**63)}, version=3)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.users.add(made)
            assert await session.users.get(made.id) == made

    place.run(use)


def test_addresses_are_unique_in_an_organisation(place: Place) -> None:
    """An address is taken once in an organisation, and again in another, also when a user is changed."""
    email = "user1@example.com"

    async def use(database: Database) -> None:
        async with database.writing() as session:
            users = session.users
            await session.organizations.add(records.an_organization(1))
            await users.add_all([records.a_user(1), records.a_user(2)])
            await users.add(records.a_user(3, email=email, organization_id="org_00001"))
            for refused in (
                users.add(records.a_user(4, email=email)),
                users.update(records.a_user(2, email=email, version=2)),
                users.update(records.a_user(3, email=email, organization_id=DEFAULT_ORGANIZATION, version=2)),
            ):
                with pytest.raises(AlreadyExistsError) as error:
                    await refused
                assert error.value.field == "email"
            assert await users.get("usr_00002") == records.a_user(2)

    place.run(use)


def test_one_is_found_by_address(place: Place) -> None:
    """A user is found by organisation and address together, as they are written; what cannot be stored finds none."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            users = session.users
            await session.organizations.add(records.an_organization(1))
            mine, foreign = records.a_user(1), records.a_user(2, email="user1@example.com", organization_id="org_00001")
            await users.add_all([mine, foreign])
            assert await users.by_email(DEFAULT_ORGANIZATION, "user1@example.com") == mine
            assert await users.by_email("org_00001", "user1@example.com") == foreign
            for organization_id, email in [
                (DEFAULT_ORGANIZATION, "USER1@example.com"),
                (DEFAULT_ORGANIZATION, "user_@example.com"),
                (DEFAULT_ORGANIZATION, "' OR ''='"),
                (DEFAULT_ORGANIZATION, "user1@example.com\0"),
                ("org_00001\ud800", "user1@example.com"),
                ("org_none", "user1@example.com"),
            ]:
                assert await users.by_email(organization_id, email) is None

    place.run(use)


def test_lists_are_narrowed(place: Place) -> None:
    """Filters narrow together, with a search of addresses and names too."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            users = session.users
            await session.organizations.add(records.an_organization(1))
            await users.add_all(
                [
                    records.a_user(1, name="Ann"),
                    records.a_user(2, name="Joann", status="suspended"),
                    records.a_user(3, name="Ann", organization_id="org_00001", email="user1@example.com"),
                    records.a_user(4, name="", email="anna@example.org"),
                ]
            )

            async def ids(**narrowing: Any) -> list[str]:
                found = [user.id for user in await users.list(**narrowing)]
                assert await users.count(**narrowing) == len(found)
                return found

            assert await ids(organization_id="org_00001") == ["usr_00003"]
            assert await ids(email="user1@example.com") == ["usr_00001", "usr_00003"]
            assert await ids(email="user1@example.com", organization_id="org_00001") == ["usr_00003"]
            assert await ids(status="suspended") == ["usr_00002"]
            assert await ids(status="active", organization_id=DEFAULT_ORGANIZATION) == ["usr_00001", "usr_00004"]
            assert await ids(search="ANN") == ["usr_00001", "usr_00002", "usr_00003", "usr_00004"]
            assert await ids(search="ann", status="active", organization_id=DEFAULT_ORGANIZATION) == [
                "usr_00001",
                "usr_00004",
            ]
            assert await ids(search="@example.org") == ["usr_00004"]
            assert [user.id async for user in users.iterate(1, organization_id="org_00001")] == ["usr_00003"]

    place.run(use)


def test_what_is_indexed_is_bounded(place: Place) -> None:
    """An address has 320 characters at most; a longer one is refused with its field, not cut."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.users.add(records.a_user(1, email="ä" * 320))
            with pytest.raises(UnstorableError, match="longer than 320 characters") as refused:
                await session.users.add(records.a_user(2, email="a" * 321))
            assert refused.value.field == "email"
            assert await session.users.by_email(DEFAULT_ORGANIZATION, "ä" * 320) == records.a_user(1, email="ä" * 320)

    place.run(use)


def test_tokens_go_with_it(place: Place) -> None:
    """Deleting a user deletes the user's tokens and tells of them; the project and its other tokens stay."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.users.add_all([records.a_user(1), records.a_user(2)])
            await session.tokens.add_all(
                [
                    records.a_token(1, user_id="usr_00001", project_id="prj_default"),
                    records.a_token(2, user_id="usr_00002", project_id="prj_default"),
                    records.a_token(3, project_id="prj_default"),
                ]
            )
        async with database.writing() as session:
            assert await session.users.delete("usr_00001") is True
        async with database.reading() as session:
            assert [change.digest for change in await session.changes.since(0, 10)] == [records.a_digest(1)]
            assert [token.id for token in await session.tokens.list()] == ["tok_00002", "tok_00003"]
            assert [user.id for user in await session.users.list()] == ["usr_00002"]

    place.run(use)


def test_one_address_is_given_once_at_once(place: Place) -> None:
    """Of several who add the same address at the same time one succeeds, and the others are told the field."""

    async def use(database: Database) -> None:
        async def add(number: int) -> str:
            try:
                async with database.writing() as session:
                    await session.users.add(records.a_user(number, email="same@example.com"))
            except AlreadyExistsError as error:
                return error.field
            return "added"

        outcomes = await asyncio.gather(*map(add, range(1, 6)))
        assert sorted(outcomes) == ["added", *["email"] * 4]
        async with database.reading() as session:
            assert await session.users.count(email="same@example.com") == 1

    place.run(use)


def test_its_organisation_must_exist(place: Place) -> None:
    """A user of an organisation that is not there is refused."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            with pytest.raises(MissingError):
                await session.users.add(records.a_user(1, organization_id="org_none"))
            assert await session.users.list() == []

    place.run(use)
