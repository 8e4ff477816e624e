"""The request log: what an upgrade makes, and what going back leaves."""

import asyncio

from sluicegate.domain.request_blocks import blocks_of
from sluicegate.domain.usage_sums import alike, by_subject, packed
from sluicegate.store.database import Database
from sluicegate.store.upgrade import downgrade, upgrade
from sluicegate.store.usage.request_search import RequestFilter
from tests.store.events import an_event
from tests.store.place import Place

MADE = ("request_blocks", "request_pieces", "rollups", "rollup_batches", "consumer_checkpoints")


async def _use(database: Database) -> None:
    event = an_event(tags=("a",))
    async with database.writing() as session:
        assert await session.request_log.search(RequestFilter(), limit=5) == []
        await session.request_log.add(blocks_of([event]))
        await session.rollups.add(by_subject(alike([event])))
        await session.rollups.put_by(packed(alike([event])))
        await session.consumer_checkpoints.put("name", b"{}")


def test_it_goes_and_comes_back_empty(place: Place) -> None:
    """Going back removes all of it; after the next upgrade it is there again, empty, from the first number on."""
    place.run(_use)
    while asyncio.run(downgrade(place.url, place.directory)).found != "0007":
        pass
    assert place.execute("SELECT name FROM heads WHERE name = 'request_log'") == []
    asyncio.run(upgrade(place.url, place.directory))
    assert [place.execute(f"SELECT count(*) FROM {name}") for name in MADE] == [[(0,)]] * len(MADE)
    place.run(_use)
    assert place.execute("SELECT sequence FROM request_blocks") == [(1,)]
