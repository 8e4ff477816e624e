"""What a database says when it refuses to write."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs
from sqlalchemy.exc import IntegrityError

from sluicegate.domain.tenants import Account, Organization, Project, User
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import AlreadyExistsError, MissingError
from sluicegate.store.refusals import refusal
from tests.store.place import Place

USER = User(id="usr_1", organization_id="org_default", email="a@example.com", created_at=1, updated_at=1)
ACCOUNT = Account(id="acc_1", login="a", password_hash="", role="root", created_at=1, updated_at=1)


async def _put(session: Session) -> None:
    await session.idempotency.put("k", "s", request_digest=b"", status=200, body=b"", created_at=1)


Adding = Callable[[Session], Awaitable[None]]


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        (
            lambda session: session.users.add(USER),
            lambda session: session.users.add(structs.replace(USER, email="b@example.com")),
            "id",
        ),
        (
            lambda session: session.users.add(USER),
            lambda session: session.users.add(structs.replace(USER, id="usr_2")),
            "email",
        ),
        (
            lambda session: session.accounts.add(ACCOUNT),
            lambda session: session.accounts.add(structs.replace(ACCOUNT, id="acc_2")),
            "login",
        ),
        (_put, _put, "key"),
    ],
    ids=["primary key", "unique within an owner", "unique", "primary key of two columns"],
)
def test_what_exists_already_is_named(place: Place, first: Adding, second: Adding, field: str) -> None:
    """A second record with a value that must be unique is refused with that field, and the transaction goes on."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await first(session)
            with pytest.raises(AlreadyExistsError) as refused:
                await second(session)
            assert refused.value.field == field
            await session.organizations.add(Organization(id="org_1", name="One", created_at=1, updated_at=1))
        async with database.reading() as session:
            assert await session.organizations.get("org_1") is not None

    place.run(use)


def test_an_owner_must_exist(place: Place) -> None:
    """A record of an owner that is not there is refused, and the transaction goes on."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            with pytest.raises(MissingError, match="what it belongs to does not exist"):
                await session.projects.add(
                    Project(id="prj_1", organization_id="org_none", name="One", created_at=1, updated_at=1)
                )
            assert await session.projects.get("prj_1") is None

    place.run(use)


def test_all_are_added_or_none(place: Place) -> None:
    """Of many records one of which is refused, none is added."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            with pytest.raises(AlreadyExistsError):
                await session.accounts.add_all([ACCOUNT, ACCOUNT])
            assert await session.accounts.list() == []

    place.run(use)


def test_a_driver_that_names_no_constraint_means_an_owner() -> None:
    """What SQLite says of a foreign key names nothing, and is about an owner that is missing."""
    error = IntegrityError("INSERT", None, Exception("FOREIGN KEY constraint failed"))
    assert isinstance(refusal(error), MissingError)
