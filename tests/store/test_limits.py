"""Limits that managers set."""

from typing import Any

import pytest

from sluicegate.store.database import Database, Session
from sluicegate.store.errors import AlreadyExistsError, MissingError
from sluicegate.store.repository import BATCH
from tests.store import records
from tests.store.place import Place


def test_all_fields_are_kept(place: Place) -> None:
    """Every field comes back as it was, and can be changed."""
    made = records.a_limit(
        1, scope="user", metric="usd", window="month@Europe/Berlin", maximum=2**60, enforcement="shadow"
    )

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.limits.add(made)
            assert await session.limits.get(made.id) == made

    place.run(use)


def test_a_scope_has_one_on_a_metric_and_window(place: Place) -> None:
    """A second one is refused by the name of its window; another metric, window or scope is another limit."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.limits.add(records.a_limit(1, scope_id="prj_1"))
            with pytest.raises(AlreadyExistsError) as refused:
                await session.limits.add(records.a_limit(2, scope_id="prj_1"))
            assert refused.value.field == "window"
            await session.limits.add(records.a_limit(3, scope_id="prj_1", window="2h"))
            await session.limits.add(records.a_limit(4, scope_id="prj_1", metric="requests"))
            await session.limits.add(records.a_limit(5, scope_id="prj_2"))
            with pytest.raises(MissingError):
                await session.limits.add(records.a_limit(6, organization_id="org_none"))
            assert await session.limits.count() == 4

    place.run(use)


def test_those_of_many_scopes_are_found(place: Place) -> None:
    """Each once, however many scopes are asked for at once; what no row can hold finds nothing."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.limits.add_all([records.a_limit(number) for number in range(BATCH + 3)])
            wanted = [f"prj_{number:05}" for number in range(1, BATCH + 2)]
            found = await session.limits.of_scopes([*wanted, "prj_none", "a\0b"])
            assert sorted(limit.scope_id for limit in found) == wanted
            assert await session.limits.of_scopes([]) == []
            assert await session.limits.of_scopes(["prj_none"]) == []

    place.run(use)


def test_lists_are_narrowed(place: Place) -> None:
    """By organisation, scope, whose they are, and metric."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(records.an_organization(1))
            await session.limits.add(records.a_limit(1, organization_id="org_00001"))
            await session.limits.add(records.a_limit(2, scope="user", scope_id="usr_1"))
            await session.limits.add(records.a_limit(3, metric="requests"))
            narrowings: tuple[tuple[dict[str, Any], list[str]], ...] = (
                ({"organization_id": "org_00001"}, ["lim_00001"]),
                ({"scope": "user"}, ["lim_00002"]),
                ({"scope_id": "usr_1"}, ["lim_00002"]),
                ({"metric": "requests"}, ["lim_00003"]),
                ({}, ["lim_00001", "lim_00002", "lim_00003"]),
            )
            for narrowing, expected in narrowings:
                assert [limit.id for limit in await session.limits.list(**narrowing)] == expected

    place.run(use)


async def _family(session: Session) -> None:
    """An organisation with a project, a user and a token of both, each with a limit; and limits of others."""
    own = {"organization_id": "org_00001"}
    await session.organizations.add(records.an_organization(1))
    await session.projects.add(records.a_project(1, **own))
    await session.users.add(records.a_user(1, **own))
    await session.tokens.add(records.a_token(1, project_id="prj_00001", user_id="usr_00001", expires_at=1, **own))
    for number, scope_id in enumerate(("org_00001", "prj_00001", "usr_00001", "tok_00001"), 1):
        await session.limits.add(records.a_limit(number, scope_id=scope_id, **own))
    await session.limits.add(records.a_limit(9, scope_id="prj_00009"))


@pytest.mark.parametrize(
    ("repository", "record_id", "left"),
    [
        ("organizations", "org_00001", {"prj_00009"}),
        ("projects", "prj_00001", {"org_00001", "usr_00001", "prj_00009"}),
        ("users", "usr_00001", {"org_00001", "prj_00001", "prj_00009"}),
    ],
)
def test_limits_go_with_whose_they_are(place: Place, repository: str, record_id: str, left: set[str]) -> None:
    """Those of what is deleted and of its tokens; nobody else's."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _family(session)
            assert await getattr(session, repository).delete(record_id)
            assert {limit.scope_id for limit in await session.limits.list()} == left

    place.run(use)


def test_limits_go_with_purged_tokens(place: Place) -> None:
    """What is removed because it is long over leaves nothing behind."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _family(session)
            assert await session.tokens.purge(2) == 1
            assert "tok_00001" not in {limit.scope_id for limit in await session.limits.list()}
            assert await session.limits.count() == 4
            await session.limits.delete_of([])
            assert await session.limits.count() == 4

    place.run(use)
