"""Records that tokens belong to."""

import pytest

from sluicegate.domain.tenants import Organization, Project, Token, User
from sluicegate.store.changes import MANY
from sluicegate.store.database import Database, Session
from tests.store.place import Place


def _token(
    number: int, *, organization_id: str = "org_1", project_id: str | None = None, user_id: str | None = None
) -> Token:
    return Token(
        id=f"tok_{number:05}",
        digest=number.to_bytes(32),
        prefix="sk-sg-",
        last_four="abcd",
        organization_id=organization_id,
        project_id=project_id,
        user_id=user_id,
        created_at=1,
        updated_at=1,
    )


async def _fill(session: Session) -> None:
    await session.organizations.add(Organization(id="org_1", name="One", created_at=1, updated_at=1))
    await session.projects.add(Project(id="prj_1", organization_id="org_1", name="One", created_at=1, updated_at=1))
    await session.users.add(
        User(id="usr_1", organization_id="org_1", email="a@example.com", created_at=1, updated_at=1)
    )
    await session.tokens.add_all(
        [_token(1), _token(2, project_id="prj_1"), _token(3, user_id="usr_1"), _token(4, organization_id="org_default")]
    )


@pytest.mark.parametrize(
    ("kind_of_owner", "owner", "gone"),
    [("organizations", "org_1", {1, 2, 3}), ("projects", "prj_1", {2}), ("users", "usr_1", {3})],
)
def test_tokens_go_with_their_owner_and_are_told(place: Place, kind_of_owner: str, owner: str, gone: set[int]) -> None:
    """Deleting an owner deletes its tokens and no others, and logs each of them as changed."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _fill(session)
        async with database.writing() as session:
            assert await getattr(session, kind_of_owner).delete(owner) is True
            assert await getattr(session, kind_of_owner).delete(owner) is False
        async with database.reading() as session:
            left = {token.id for token in await session.tokens.list()}
            assert left == {f"tok_{number:05}" for number in {1, 2, 3, 4} - gone}
            told = {change.digest for change in await session.changes.since(0, 10)}
            assert told == {number.to_bytes(32) for number in gone}

    place.run(use)


def test_an_owner_without_tokens_tells_nothing(place: Place) -> None:
    """Where no token was deleted, nobody must look anything up."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            assert await session.projects.delete("prj_default") is True
            assert await session.projects.delete("a\0b") is False
            assert await session.changes.last() == 0

    place.run(use)


def test_very_many_tokens_are_told_in_one_line(place: Place) -> None:
    """When more tokens go than are told one by one, one line says that all may have changed."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _fill(session)
            await session.tokens.add_all([_token(number, user_id="usr_1") for number in range(5, MANY + 10)])
        async with database.writing() as session:
            assert await session.users.delete("usr_1")
        async with database.reading() as session:
            assert [change.digest for change in await session.changes.since(0, 10)] == [None]
            assert await session.tokens.count(organization_id="org_1") == 2

    place.run(use)
