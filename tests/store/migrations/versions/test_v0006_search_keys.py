"""PostgreSQL's search keys: of what is there when they are made, and without the extension that was needed before."""

import asyncio

import pytest

from sluicegate.store.database import Database
from sluicegate.store.upgrade import downgrade, upgrade
from tests.store import records
from tests.store.kinds import ids
from tests.store.place import Place

OURS = "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%search_keys' OR indexname LIKE '%\\_ids'"
THEIRS = "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%trigrams'"


async def _fill(database: Database) -> None:
    async with database.writing() as session:
        await session.users.add(records.a_user(1, name="Größe"))
        await session.tokens.add_all([records.a_token(n, name=name) for n, name in enumerate(("first", "second"))])


async def _look(database: Database) -> None:
    async with database.reading() as session:
        assert await ids(session.tokens, search="econ") == ["tok_00001"]
        assert await ids(session.users, search="ÖSS") == ["usr_00001"]


def _down(place: Place) -> None:
    while asyncio.run(downgrade(place.url, place.directory)).found != "0006":
        pass


def test_what_was_there_is_found(place: Place) -> None:
    """Tokens and users from before the upgrade are found after it, and after going back and forth."""
    place.run(_fill)
    _down(place)
    asyncio.run(upgrade(place.url, place.directory))
    place.run(_look)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_going_back_leaves_nothing_of_it(place: Place) -> None:
    """The new indexes and their function are gone, and those of the extension are back where it can be had."""
    assert len(place.execute(OURS)) == 4
    assert place.execute(THEIRS) == []
    _down(place)
    assert place.execute(OURS) == []
    assert place.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'sluicegate%keys'") == []
    assert sorted(place.execute(THEIRS)) == [("ix_tokens_trigrams",), ("ix_users_trigrams",)]


@pytest.mark.parametrize("kind", ["postgresql"])
def test_the_extension_is_not_needed(place: Place) -> None:
    """Without it, and without the indexes that could not be made then, all is the same."""
    _down(place)
    place.execute("DROP EXTENSION pg_trgm CASCADE")
    asyncio.run(upgrade(place.url, place.directory))
    place.run(_fill)
    place.run(_look)
    assert len(place.execute(OURS)) == 4
