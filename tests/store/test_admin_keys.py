"""Keys of managers."""

import asyncio

import pytest

from sluicegate.store.database import Database
from sluicegate.store.errors import AlreadyExistsError, MissingError
from tests.store import records
from tests.store.place import Place


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back with its value and type."""
    made = records.an_admin_key(
        1, role="viewer", organization_id="org_default", status="revoked", expires_at=5, last_used_at=6, version=7
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.admin_keys.add(made)
            assert await session.admin_keys.get(made.id) == made

    place.run(use)


def test_one_is_found_by_its_digest(place: Place) -> None:
    """A key is found by its exact digest, in whatever state it is; a digest is taken once."""
    revoked = records.an_admin_key(2, status="revoked")

    async def use(database: Database) -> None:
        async with database.writing() as session:
            keys = session.admin_keys
            await keys.add_all([records.an_admin_key(1), revoked])
            assert await keys.by_digest(records.a_digest(1)) == records.an_admin_key(1)
            assert await keys.by_digest(records.a_digest(2)) == revoked
            for digest in (
                records.a_digest(3),
                b"",
                b"' OR ''='",
                records.a_digest(1)[:-1],
                records.a_digest(1) + b"\0",
            ):
                assert await keys.by_digest(digest) is None
            with pytest.raises(AlreadyExistsError) as refused:
                await keys.add(records.an_admin_key(3, digest=records.a_digest(1)))
            assert refused.value.field == "digest"

    place.run(use)


def test_the_latest_use_stays(place: Place) -> None:
    """A use is noted without a new version, an earlier one changes nothing, and a change leaves it alone."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            keys = session.admin_keys
            await keys.add_all([records.an_admin_key(1), records.an_admin_key(2)])
            for at, latest in ((50, 50), (40, 50), (60, 60)):
                await keys.touch("adm_00001", at)
                assert await keys.get("adm_00001") == records.an_admin_key(1, last_used_at=latest)
            await keys.update(records.an_admin_key(1, name="new", last_used_at=1, version=2))
            assert await keys.get("adm_00001") == records.an_admin_key(1, name="new", last_used_at=60, version=2)
            for nobody in ("adm_none", "%", "a\0b", "\ud800", "' OR ''='"):
                await keys.touch(nobody, 99)
            assert await keys.get("adm_00002") == records.an_admin_key(2)

    place.run(use)


def test_uses_at_once_leave_the_latest(place: Place) -> None:
    """Of uses that are noted at the same time the latest stays."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.admin_keys.add(records.an_admin_key(1))

        async def note(at: int) -> None:
            async with database.writing() as session:
                await session.admin_keys.touch("adm_00001", at)

        await asyncio.gather(*map(note, (3, 9, 1, 7)))
        async with database.reading() as session:
            assert await session.admin_keys.get("adm_00001") == records.an_admin_key(1, last_used_at=9)

    place.run(use)


def test_lists_are_narrowed_by_organisation(place: Place) -> None:
    """A list of an organisation has its own keys only, not those that may do everything."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.admin_keys.add_all(
                [records.an_admin_key(1), records.an_admin_key(2, role="viewer", organization_id="org_default")]
            )
            narrowed = await session.admin_keys.list(organization_id="org_default")
            assert [key.id for key in narrowed] == ["adm_00002"]
            assert await session.admin_keys.count(organization_id="org_default", search="key 1") == 0
            with pytest.raises(MissingError):
                await session.admin_keys.add(records.an_admin_key(3, organization_id="org_none"))

    place.run(use)
