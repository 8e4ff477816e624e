"""Projects of organisations."""

from typing import Any

import pytest
from msgspec.structs import replace

from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, DEFAULT_PROJECT
from sluicegate.store.database import Database
from sluicegate.store.errors import MissingError
from tests.store import records
from tests.store.place import Place


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back with its value and type."""
    made = records.a_project(1, description="d\nd", status="suspended", metadata={"a": {"b": []}}, model="m", version=3)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.projects.add(made)
            assert await session.projects.get(made.id) == made

    place.run(use)


def test_lists_are_narrowed_by_owner_and_status(place: Place) -> None:
    """Filters narrow together; a search looks in names and descriptions, but not at the seam of the two."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(records.an_organization(1))
            await session.projects.add_all(
                [
                    records.a_project(1, organization_id="org_00001", name="Alpha", description="Beta"),
                    records.a_project(2, organization_id="org_00001", status="suspended", name="alphabet"),
                    records.a_project(3, name="Gamma", description="no ALPHA"),
                ]
            )
            projects = session.projects

            async def ids(**narrowing: Any) -> list[str]:
                found = [project.id for project in await projects.list(**narrowing)]
                assert await projects.count(**narrowing) == len(found)
                return found

            assert await ids(organization_id="org_00001") == ["prj_00001", "prj_00002"]
            assert await ids(organization_id="org_00001", status="active") == ["prj_00001"]
            assert await ids(status="active") == ["prj_00001", "prj_00003", DEFAULT_PROJECT]
            assert await ids(search="alpha") == ["prj_00001", "prj_00002", "prj_00003"]
            assert await ids(search="alpha", organization_id="org_00001") == ["prj_00001", "prj_00002"]
            assert await ids(search="alpha", organization_id="org_00001", status="suspended") == ["prj_00002"]
            assert await ids(search="beta", organization_id=DEFAULT_ORGANIZATION) == []
            assert await ids(search="alphabeta") == []

    place.run(use)


def test_its_organisation_must_exist(place: Place) -> None:
    """A project of an organisation that is not there is neither added nor moved there."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            with pytest.raises(MissingError):
                await session.projects.add(records.a_project(1, organization_id="org_none"))
            await session.projects.add(records.a_project(1))
            with pytest.raises(MissingError):
                await session.projects.update(records.a_project(1, organization_id="org_none", version=2))
            assert await session.projects.get("prj_00001") == records.a_project(1)

    place.run(use)


def test_tokens_and_credentials_go_with_it(place: Place) -> None:
    """Deleting a project deletes its tokens and credentials, tells of the tokens, and leaves its user and siblings."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.projects.add_all([records.a_project(1), records.a_project(2)])
            await session.users.add(records.a_user(1))
            await session.tokens.add_all(
                [
                    records.a_token(1, project_id="prj_00001"),
                    records.a_token(2, project_id="prj_00001", user_id="usr_00001"),
                    records.a_token(3, project_id="prj_00002", user_id="usr_00001"),
                    records.a_token(4),
                ]
            )
            await session.credentials.add_all(
                [records.a_credential(1, project_id="prj_00001"), records.a_credential(2, project_id="prj_00002")]
            )
        async with database.writing() as session:
            assert await session.projects.delete("prj_00001") is True
            assert await session.projects.delete("prj_00001") is False
        async with database.reading() as session:
            told = {change.digest for change in await session.changes.since(0, 10)}
            assert told == {records.a_digest(1), records.a_digest(2)}
            assert [token.id for token in await session.tokens.list()] == ["tok_00003", "tok_00004"]
            assert [credential.id for credential in await session.credentials.list()] == ["crd_00002"]
            assert await session.users.get("usr_00001") is not None

    place.run(use)


def test_a_project_added_meanwhile_is_no_orphan(place: Place) -> None:
    """A project whose organisation goes before it is added is refused: nothing is left without its owner."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(records.an_organization(1))
        async with database.reading() as session:
            owner = await session.organizations.get("org_00001")
            assert owner is not None
        async with database.writing() as session:
            await session.organizations.delete(owner.id)
        async with database.writing() as session:
            with pytest.raises(MissingError):
                await session.projects.add(replace(records.a_project(1), organization_id=owner.id))
        async with database.reading() as session:
            assert await session.projects.count() == 1

    place.run(use)
