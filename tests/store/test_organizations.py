"""Organisations: the top of the tree, with which everything below goes."""

import pytest

from sluicegate.domain.tenants import DEFAULT_ORGANIZATION
from sluicegate.store.changes import MANY
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import UnstorableError
from tests.store import records
from tests.store.place import Place


async def _two_trees(session: Session) -> None:
    """Organisations 1 and 2, each with one of everything."""
    for number in (1, 2):
        owner = f"org_{number:05}"
        await session.organizations.add(records.an_organization(number))
        await session.projects.add(records.a_project(number, organization_id=owner))
        await session.users.add(records.a_user(number, organization_id=owner))
        of_both = {"project_id": f"prj_{number:05}", "user_id": f"usr_{number:05}"}
        await session.tokens.add(records.a_token(number, organization_id=owner))
        await session.tokens.add(records.a_token(10 + number, organization_id=owner, **of_both))
        await session.credentials.add(records.a_credential(number, project_id=f"prj_{number:05}"))
        await session.admin_keys.add(records.an_admin_key(number, organization_id=owner, role="viewer"))
        await session.accounts.add(records.an_account(number, organization_id=owner, role="viewer"))


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back with its value and type."""
    made = records.an_organization(
        1,
        status="suspended",
        monthly_budget=2**53 + 1,
        failure_mode="open",
        fallback_daily_limit=0,
        metadata={"a": [1, 2.5, None, True, {"ü": "\0"}]},
        version=7,
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(made)
            assert await session.organizations.get(made.id) == made

    place.run(use)


def test_metadata_must_be_json(place: Place) -> None:
    """What JSON cannot say is refused with its field, and so is text that UTF-8 cannot."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for metadata in ({"a": object()}, {"a": "\ud800"}, {1j: 1}):
                with pytest.raises(UnstorableError) as refused:
                    await session.organizations.add(records.an_organization(1, metadata=metadata))
                assert refused.value.field == "metadata"
            assert await session.organizations.get("org_00001") is None

    place.run(use)


def test_lists_are_narrowed_by_status(place: Place) -> None:
    """A list of one status has those only, and counts them only."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add_all(
                [records.an_organization(1), records.an_organization(2, status="suspended")]
            )
            suspended = await session.organizations.list(status="suspended")
            assert [organization.id for organization in suspended] == ["org_00002"]
            active = await session.organizations.list(status="active")
            assert [organization.id for organization in active] == ["org_00001", DEFAULT_ORGANIZATION]
            assert await session.organizations.count(status="active") == 2
            assert await session.organizations.count(status="suspended", search="isation 1") == 0

    place.run(use)


def test_everything_goes_with_it(place: Place) -> None:
    """Deleting an organisation deletes all that belongs to it and nothing else, and tells of each of its tokens."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _two_trees(session)
        async with database.writing() as session:
            assert await session.organizations.delete("org_00001") is True
        async with database.reading() as session:
            told = [change.digest for change in await session.changes.since(0, 10)]
            assert sorted(filter(None, told)) == [records.a_digest(1), records.a_digest(11)]
            assert len(told) == 2
            assert [record.id for record in await session.organizations.list()] == ["org_00002", "org_default"]
            assert [record.id for record in await session.projects.list()] == ["prj_00002", "prj_default"]
            assert [record.id for record in await session.users.list()] == ["usr_00002"]
            assert [record.id for record in await session.tokens.list()] == ["tok_00002", "tok_00012"]
            assert [record.id for record in await session.credentials.list()] == ["crd_00002"]
            assert [record.id for record in await session.admin_keys.list()] == ["adm_00002"]
            assert [record.id for record in await session.accounts.list()] == ["acc_00002"]

    place.run(use)


@pytest.mark.parametrize(("count", "lines"), [(MANY, MANY), (MANY + 1, 1)])
def test_many_tokens_are_told_in_one_line(place: Place, count: int, lines: int) -> None:
    """Up to so many tokens are told one by one, more of them as “all”."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(records.an_organization(1))
            await session.tokens.add_all(
                [records.a_token(number, organization_id="org_00001") for number in range(1, count + 1)]
            )
            assert await session.organizations.delete("org_00001") is True
            told = await session.changes.since(0, MANY + 2)
            assert len(told) == lines
            assert (told[0].digest is None) == (lines == 1)
            assert await session.tokens.count() == 0

    place.run(use)


def test_what_is_not_there_tells_nothing(place: Place) -> None:
    """Deleting what is not there appends nothing to the change log."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for name in ("org_none", "a\0b", "", "' OR 1=1 --"):
                assert await session.organizations.delete(name) is False
            assert await session.changes.last() == 0
            assert await session.organizations.get(DEFAULT_ORGANIZATION) is not None

    place.run(use)


def test_a_deletion_that_fails_tells_nothing(place: Place) -> None:
    """When the transaction of a deletion is undone, so is what it told, and no number of the log is lost."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _two_trees(session)

        async def fail() -> None:
            async with database.writing() as session:
                await session.organizations.delete("org_00001")
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with database.reading() as session:
            assert await session.changes.last() == 0
            assert await session.tokens.count(organization_id="org_00001") == 2

    place.run(use)
