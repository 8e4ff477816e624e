"""Bodies of requests."""

from sluicegate.domain.request_bodies import RequestBodies
from sluicegate.store.database import Database
from tests.store.place import Place


def some(number: int, at: int = 0) -> RequestBodies:
    """Bodies of a request that began `at` Unix milliseconds."""
    return RequestBodies(f"req_{number:04d}", at, "org_1", "prj_1", '{"a": "ü😀"}', "answer", False, True)


def test_bodies_come_back_as_they_were(place: Place) -> None:
    """By the request's id; others have none."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.request_bodies.add([some(1), some(2)])
            await session.request_bodies.add([])
        async with database.reading() as session:
            kept = session.request_bodies
            assert await kept.get("req_0002") == some(2)
            assert await kept.get("req_0003") is None
            assert await kept.get("a\0") is None
            assert repr(kept) == "<KeptBodies>"

    place.run(use)


def test_the_oldest_go(place: Place) -> None:
    """What is older than a moment, and what is more than so many; only so many at a time."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            kept = session.request_bodies
            await kept.add([some(number, at=number) for number in range(10)])
            assert await kept.prune(4, 100, 3) == 3
            assert await kept.prune(4, 100, 3) == 1
            assert await kept.prune(4, 100, 3) == 0
            assert await kept.prune(0, 2, 3) == 3
            assert await kept.prune(0, 2, 3) == 1
            assert [number for number in range(10) if await kept.get(f"req_{number:04d}")] == [8, 9]

    place.run(use)
