"""A project's own model: what an upgrade makes of projects that are there, and what going back leaves."""

import asyncio

from msgspec.structs import replace

from sluicegate.store.database import Database
from sluicegate.store.upgrade import downgrade, upgrade
from tests.store import records
from tests.store.place import Place


async def _give_a_model(database: Database) -> None:
    async with database.writing() as session:
        await session.projects.add(records.a_project(1, model="smart"))
        await session.tokens.add_all([records.a_token(number, project_id="prj_00001") for number in (1, 2)])


async def _look(database: Database) -> None:
    async with database.writing() as session:
        stored = await session.projects.get("prj_00001")
        assert stored == records.a_project(1)
        assert await session.tokens.totals(organization_id="org_default") is not None
        await session.projects.update(replace(stored, model="small", version=2))
        assert await session.projects.get("prj_00001") == records.a_project(1, model="small", version=2)


def test_projects_stay_and_have_no_model_at_first(place: Place) -> None:
    """Going back drops the models alone; after the next upgrade projects are there without one, and can have one."""
    place.run(_give_a_model)
    while asyncio.run(downgrade(place.url, place.directory)).found != "0005":
        pass
    assert place.execute("SELECT id FROM projects WHERE name = 'Project 1'") == [("prj_00001",)]
    assert len(place.execute("SELECT id FROM tokens")) == 2
    asyncio.run(upgrade(place.url, place.directory))
    place.run(_look)
