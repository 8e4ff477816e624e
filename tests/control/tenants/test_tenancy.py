"""The transaction that use cases change things in."""

from http import HTTPStatus
from typing import Any

import pytest
from msgspec.structs import replace

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor
from sluicegate.domain.tenants import DEFAULT_PROJECT, Project
from tests.control.api import Api

ACTOR = Actor("root", "root", "root", None, "192.0.2.7", "req_1")


async def default_project(api: Api) -> Project:
    """The project that is always there."""
    async with api.database.reading() as session:
        project = await session.projects.get(DEFAULT_PROJECT)
    assert project is not None
    return project


def test_everything_happens_or_nothing(api: Api) -> None:
    """A use case that fails leaves no change, no audit entry, and tells no worker."""

    async def fail() -> None:
        async with api.tenancy.changing(ACTOR) as transaction:
            before = await default_project(api)
            await transaction.session.projects.update(replace(before, name="lost", version=before.version + 1))
            await transaction.forget([b"1" * 32])
            await transaction.audit(
                "project.update", target_kind="project", target_id="x", organization_id=None, before=None, after=None
            )
            raise ProblemError(HTTPStatus.CONFLICT, "no")

    async def look() -> tuple[str, int, int]:
        async with api.database.reading() as session:
            entries = await session.audit.list(limit=10)
            return (await default_project(api)).name, len(entries), await session.changes.last()

    before = api.run(look())
    with pytest.raises(ProblemError):
        api.run(fail())
    assert api.run(look()) == before
    assert api.announced == []


@pytest.mark.parametrize(
    ("digests", "expected"), [([b"1" * 32], [[b"1" * 32]]), (None, [None]), ([], [])], ids=["some", "all", "none"]
)
def test_workers_are_told_around_the_commit(digests: Any, expected: Any, api: Api) -> None:
    """What shall be forgotten is announced once, whether some tokens or all."""

    async def forget() -> None:
        async with api.tenancy.changing(ACTOR) as transaction:
            assert repr(transaction) == "<Transaction root root>"
            await transaction.forget(digests)
            assert api.announced == []

    api.run(forget())
    assert api.announced == expected


@pytest.mark.parametrize(("step", "status"), [("add", 409), ("conflict", 412), ("missing", 404)])
def test_refusals_of_the_store_become_problems(step: str, status: int, api: Api) -> None:
    """What is there already is a 409, what has another version a 412, what is gone a 404."""

    async def change() -> None:
        project = await default_project(api)
        async with api.tenancy.changing(ACTOR) as transaction:
            if step == "add":
                await transaction.session.projects.add(project)
            elif step == "conflict":
                await transaction.session.projects.update(replace(project, version=project.version + 2))
            else:
                await transaction.session.projects.update(replace(project, id="prj_gone", version=project.version + 1))

    with pytest.raises(ProblemError) as refused:
        api.run(change())
    assert refused.value.status == status
