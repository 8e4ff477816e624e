"""Running migrations."""

import asyncio
import subprocess
import sys

from sluicegate.store import engines
from sluicegate.store.address import parse
from sluicegate.store.running import run
from sluicegate.store.upgrade import Direction, State, state, upgrade
from sluicegate.store.version import NEWEST, version_of
from tests.store.place import Place

_CRASH = """
import asyncio, os, sys
from pathlib import Path
from sluicegate.store import engines
from sluicegate.store.address import parse
from sluicegate.store.running import run
from sluicegate.store.version import version_of

async def crash():
    async with engines.migrator(parse(sys.argv[1], Path(sys.argv[2]))).begin() as connection:
        await connection.run_sync(run, "upgrade", sys.argv[3])
        assert await version_of(connection) == sys.argv[3]
        os._exit(9)

asyncio.run(crash())
"""


def _run(place: Place, *steps: tuple[Direction, str]) -> str | None:
    """Take these steps in one transaction; return the version after them."""

    async def taken() -> str | None:
        engine = engines.migrator(parse(place.url, place.directory))
        try:
            async with engine.begin() as connection:
                for direction, target in steps:
                    await connection.run_sync(run, direction, target)
                return await version_of(connection)
        finally:
            await engine.dispose()

    return asyncio.run(taken())


def test_each_step_leads_to_its_version(empty_place: Place) -> None:
    """Migrations run one by one, up and down, in the transaction of the connection."""
    assert _run(empty_place, ("upgrade", "0001")) == "0001"
    assert _run(empty_place, ("upgrade", NEWEST), ("downgrade", "0001"), ("upgrade", NEWEST)) == NEWEST
    assert empty_place.execute("SELECT count(*) FROM projects") == [(1,)]


def test_a_crash_leaves_the_version_before(empty_place: Place) -> None:
    """A program that dies in the middle of a migration leaves the database as it was, and the next one can go on."""
    command = [sys.executable, "-c", _CRASH, empty_place.url, str(empty_place.directory)]
    assert subprocess.run([*command, "0001"], timeout=60, check=False).returncode == 9
    assert asyncio.run(state(empty_place.url, empty_place.directory)) == State(None)
    assert _run(empty_place, ("upgrade", "0001")) == "0001"
    assert subprocess.run([*command, NEWEST], timeout=60, check=False).returncode == 9
    assert asyncio.run(upgrade(empty_place.url, empty_place.directory)) == State("0001")
    assert asyncio.run(state(empty_place.url, empty_place.directory)).is_current
