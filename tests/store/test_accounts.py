"""Accounts of managers."""

import pytest

from sluicegate.store.database import Database
from sluicegate.store.errors import AlreadyExistsError, MissingError, UnstorableError
from tests.store import records
from tests.store.place import Place


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back with its value and type."""
    made = records.an_account(
        1, role="organization_admin", organization_id="org_default", status="suspended", version=7
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.accounts.add(made)
            assert await session.accounts.get(made.id) == made

    place.run(use)


def test_one_is_found_by_its_login(place: Place) -> None:
    """An account is found by its login exactly as it is written; what is no login finds none."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            accounts = session.accounts
            await accounts.add_all([records.an_account(1), records.an_account(2, login="Zoë@example.com")])
            assert await accounts.by_login("login1") == records.an_account(1)
            assert await accounts.by_login("Zoë@example.com") == records.an_account(2, login="Zoë@example.com")
            for login in ("LOGIN1", "login_", "login%", "' OR ''='", "login1\0", "\ud800", "", "x" * 10_000):
                assert await accounts.by_login(login) is None

    place.run(use)


def test_logins_are_unique(place: Place) -> None:
    """A login is taken once, also by a change, and is at most 320 characters long."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            accounts = session.accounts
            await accounts.add_all([records.an_account(1), records.an_account(2)])
            for refused in (
                accounts.add(records.an_account(3, login="login1")),
                accounts.update(records.an_account(2, login="login1", version=2)),
            ):
                with pytest.raises(AlreadyExistsError) as error:
                    await refused
                assert error.value.field == "login"
            with pytest.raises(UnstorableError, match="longer than 320"):
                await accounts.add(records.an_account(3, login="x" * 321))
            assert await accounts.get("acc_00002") == records.an_account(2)

    place.run(use)


def test_lists_are_narrowed_by_organisation(place: Place) -> None:
    """A list of an organisation has its own accounts only; a password is not searched."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            accounts = session.accounts
            await accounts.add_all(
                [records.an_account(1), records.an_account(2, role="viewer", organization_id="org_default")]
            )
            assert [account.id for account in await accounts.list(organization_id="org_default")] == ["acc_00002"]
            assert await accounts.count(organization_id="org_default") == 1
            assert await accounts.list(search="argon2id") == []
            with pytest.raises(MissingError):
                await accounts.add(records.an_account(3, organization_id="org_none"))

    place.run(use)
