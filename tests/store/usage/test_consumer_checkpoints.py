"""How far consumers have come."""

import pytest

from sluicegate.store.database import Database
from sluicegate.store.errors import UnstorableError
from tests.store.place import Place


def test_each_consumer_has_what_it_put_last(place: Place) -> None:
    """What is put replaces what was there under this name, and nothing else."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            kept = session.consumer_checkpoints
            assert await kept.get("node-1/request-log") is None
            await kept.put("node-1/request-log", b"{}")
            await kept.put("node-2/request-log", b"\x00\xff")
            await kept.put("node-1/request-log", b"more")
        async with database.reading() as session:
            assert await session.consumer_checkpoints.get("node-1/request-log") == b"more"
            assert await session.consumer_checkpoints.get("node-2/request-log") == b"\x00\xff"
            assert repr(session.consumer_checkpoints) == "<ConsumerCheckpoints>"

    place.run(use)
    [(updated,)] = place.execute("SELECT min(updated_at) FROM consumer_checkpoints")
    assert isinstance(updated, int)
    assert updated > 1_700_000_000_000


async def _put_both(database: Database) -> None:
    async with database.writing() as session:
        await session.consumer_checkpoints.put("name", b"new")
        await session.consumer_checkpoints.put("a\0b", b"")


def test_it_is_kept_with_what_else_the_transaction_does(place: Place) -> None:
    """A transaction that is undone leaves the old one."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.consumer_checkpoints.put("name", b"old")
        with pytest.raises(UnstorableError):
            await _put_both(database)
        async with database.reading() as session:
            assert await session.consumer_checkpoints.get("name") == b"old"

    place.run(use)


def test_names_must_fit(place: Place) -> None:
    """A name that no row can have is refused, and has nothing."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            assert await session.consumer_checkpoints.get("a\0b") is None
            for name in ("a\0b", "x" * 129):
                with pytest.raises(UnstorableError):
                    await session.consumer_checkpoints.put(name, b"")

    place.run(use)
