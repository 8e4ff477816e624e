"""Projects' own keys for providers."""

import pytest

from sluicegate.domain.tenants import DEFAULT_PROJECT
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import AlreadyExistsError, MissingError
from sluicegate.store.repository import BATCH
from tests.store import records
from tests.store.place import Place


async def _some(session: Session) -> None:
    """Two projects with two credentials each, and one without any."""
    await session.projects.add_all([records.a_project(number) for number in (1, 2, 3)])
    await session.credentials.add_all(
        [
            records.a_credential(1, project_id="prj_00001"),
            records.a_credential(2, project_id="prj_00002", key_id="key-2"),
            records.a_credential(3, project_id="prj_00001", key_id="key-2"),
            records.a_credential(4, project_id="prj_00002", key_id="key-3"),
        ]
    )


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back as it was, the ciphertext byte by byte, however long it is."""
    made = records.a_credential(1, ciphertext=bytes(range(256)) * 400, key_id="ü", version=3)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.credentials.add_all([made, records.a_credential(2, ciphertext=b"")])
            assert await session.credentials.get(made.id) == made
            assert await session.credentials.get("crd_00002") == records.a_credential(2, ciphertext=b"")

    place.run(use)


def test_a_provider_has_one_in_a_project(place: Place) -> None:
    """A second credential for a provider is refused in one project, and taken in another."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _some(session)
            with pytest.raises(AlreadyExistsError) as refused:
                await session.credentials.add(records.a_credential(5, project_id="prj_00001", provider="provider-1"))
            assert refused.value.field == "provider"
            await session.credentials.add(records.a_credential(5, project_id="prj_00002", provider="provider-1"))
            with pytest.raises(MissingError):
                await session.credentials.add(records.a_credential(6, project_id="prj_none"))
            assert await session.credentials.count() == 5

    place.run(use)


def test_those_of_projects_are_found(place: Place) -> None:
    """Credentials are found by project, or by several at once, each once and in the order of their ids."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _some(session)
            found = session.credentials
            assert [one.id for one in await found.for_project("prj_00001")] == ["crd_00001", "crd_00003"]
            assert await found.for_project(DEFAULT_PROJECT) == []
            assert await found.for_project("a\0b") == []
            several = await found.for_projects(["prj_00002", "prj_none", "prj_00001", "prj_00002", "a\0b", "\ud800"])
            assert [one.id for one in several] == ["crd_00001", "crd_00002", "crd_00003", "crd_00004"]
            assert several[0] == records.a_credential(1, project_id="prj_00001")
            for nothing in ([], ["prj_00003"], ["a\0b"], ["') OR 1=1 --"]):
                assert await found.for_projects(nothing) == []

    place.run(use)


def test_a_project_can_have_many(place: Place) -> None:
    """More credentials of a project than are read at once are all found."""
    made = [records.a_credential(number) for number in range(1, BATCH + 3)]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.credentials.add_all(made)
            assert await session.credentials.for_project(DEFAULT_PROJECT) == made

    place.run(use)


def test_what_a_rotation_has_still_to_do_is_found(place: Place) -> None:
    """Credentials sealed with another key than the newest are found in steps, until there are none."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            assert await session.credentials.key_ids() == set()
            await _some(session)
            found = session.credentials
            assert await found.key_ids() == {"key-1", "key-2", "key-3"}
            first = await found.all_with_other_key("key-2", 1)
            assert first == [records.a_credential(1, project_id="prj_00001")]
            await found.update(
                records.a_credential(1, project_id="prj_00001", ciphertext=b"new", key_id="key-2", version=2)
            )
            rest = await found.all_with_other_key("key-2", 10)
            assert rest == [records.a_credential(4, project_id="prj_00002", key_id="key-3")]
            assert await found.delete("crd_00004")
            assert await found.all_with_other_key("key-2", 10) == []
            assert await found.key_ids() == {"key-2"}
            assert len(await found.all_with_other_key("' OR ''='", 10)) == 3

    place.run(use)


def test_lists_are_narrowed_by_project(place: Place) -> None:
    """A list or count of a project has its own only."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _some(session)
            narrowed = await session.credentials.list(project_id="prj_00002", after="crd_00002")
            assert [one.id for one in narrowed] == ["crd_00004"]
            assert await session.credentials.count(project_id="prj_00002") == 2

    place.run(use)
