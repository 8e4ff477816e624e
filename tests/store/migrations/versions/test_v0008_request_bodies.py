"""Bodies of requests, added and taken away again."""

import asyncio

from sluicegate.store.upgrade import downgrade, upgrade
from tests.store.place import Place


def test_projects_want_none_and_the_way_back_is_open(place: Place) -> None:
    """A project that was there before keeps nothing; without the tables it is there still."""
    while asyncio.run(downgrade(place.url, place.directory)).found != "0008":
        pass
    assert len(place.execute("SELECT id FROM projects")) == 1
    asyncio.run(upgrade(place.url, place.directory))
    assert place.execute("SELECT body_share, body_bytes FROM projects") == [(0.0, 16_384)]
    assert place.execute("SELECT count(*) FROM request_bodies") == [(0,)]
