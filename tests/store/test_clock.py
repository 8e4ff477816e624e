"""The database's clock."""

from datetime import UTC, datetime

from sqlalchemy import select

from sluicegate.store.clock import now
from sluicegate.store.database import Database
from tests.store.place import Place


def test_the_clock_is_in_unix_milliseconds(place: Place) -> None:
    """What the database says lies between what this machine's clock says before and after."""

    async def read(database: Database) -> object:
        async with database._readers.connect() as connection:
            return (await connection.execute(select(now(connection)))).scalar_one()

    before = datetime.now(UTC).timestamp() * 1000
    told = place.run(read)
    after = datetime.now(UTC).timestamp() * 1000
    assert type(told) is int
    # SQLite rounds, PostgreSQL too.
    assert before - 1 <= told <= after + 1
