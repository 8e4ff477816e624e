"""Searches, which all repositories of what has a name have in common."""

import pytest

from sluicegate.store.database import Database
from tests.store import records
from tests.store.kinds import KINDS, UNSTORABLE, Kind, changed, ids
from tests.store.place import Place

NAMELESS = frozenset({"credentials", "price_overrides"})
"""Kinds of records that nobody searches."""
SEARCHES = (
    ("100% sure", "0% S", "0%%s"),
    ("snake_case", "KE_C", "ke.c"),
    ("back\\slash\\", "\\SLASH\\", "\\\\slash"),
    ("Straße ÄÖÜ Ωμέγα", "STRASSE äöü ωΜΈ", "strase"),
    ("O'Neil; DROP TABLE users", "'NEIL; drop", "''neil"),
    ("日本語😀", "語😀", "語日"),
)
"""A text, a part that finds it, and one that must not."""


@pytest.mark.parametrize("each", [kind for kind in KINDS if kind.name not in NAMELESS], ids=lambda kind: kind.name)
def test_search_is_for_a_part_of_the_text(place: Place, each: Kind) -> None:
    """A search finds a part of the text in any case, of any alphabet, and no character of it is special."""
    said = [text for text, _, _ in SEARCHES]
    made = [each.make(2 * number, **{each.text: text}) for number, text in enumerate(said)]
    more = [each.make(2 * number + 1, **{each.text: f"<{text}>"}) for number, text in enumerate(said)]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await each.of(session).add_all([*made, *more])
        async with database.reading() as session:
            repository = each.of(session)
            for (_, part, missing), first, second in zip(SEARCHES, made, more, strict=True):
                assert await ids(repository, search=part) == [first.id, second.id], part
                assert await ids(repository, search=part, limit=1) == [first.id]
                assert await ids(repository, search=part, limit=1, after=first.id) == [second.id]
                assert await repository.count(search=part) == 2
                assert await repository.list(search=missing) == []
                assert await repository.count(search=missing) == 0
            assert len(await ids(repository, search="")) == 2 * len(SEARCHES)
            for text in UNSTORABLE:
                assert await repository.list(search=text) == []
                assert await repository.count(search=text) == 0

    place.run(use)


def test_what_is_searched_follows_changes(place: Place) -> None:
    """A search finds a record by what it says now."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for each in (kind for kind in KINDS if kind.name not in NAMELESS):
                repository = each.of(session)
                await repository.add(each.make(1, **{each.text: "before"}))
                await repository.update(changed(each.make(1), **{each.text: "now"}))
                assert await ids(repository, search="before") == []
                assert await ids(repository, search="now") == [each.make(1).id]

    place.run(use)


def test_what_has_no_name_is_not_searched(place: Place) -> None:
    """A search of credentials raises TypeError: there is nothing in them to search."""

    async def use(database: Database) -> None:
        async with database.reading() as session:
            for searched in (session.credentials.list(search="x"), session.credentials.count(search="x")):
                with pytest.raises(TypeError, match="credentials cannot be searched"):
                    await searched

    place.run(use)


def test_very_long_texts_are_kept_and_searched(place: Place) -> None:
    """A name of 200,000 characters is kept and found by its end; a search of as many is no error."""
    name = "ab" * 100_000 + "end"

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.projects.add(records.a_project(1, name=name, description=name, metadata={"a": name}))
            assert await session.projects.get("prj_00001") == records.a_project(
                1, name=name, description=name, metadata={"a": name}
            )
            assert await ids(session.projects, search="abEND") == ["prj_00001"]
            assert await ids(session.projects, search=name) == ["prj_00001"]
            assert await ids(session.projects, search=name + "x") == []

    place.run(use)


def test_one_or_two_letters_are_looked_for_where_words_begin(place: Place) -> None:
    """Of a word, a field or a part of an address; other characters are found anywhere, and so are three."""
    said = ["zoé arrives", "by train\nzo", "snake_zone", "a.zo@x", "Quizzo", "maZOn", "z", "to-zoo/x"]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.projects.add_all(
                [records.a_project(n, name=f"{n}", description=text) for n, text in enumerate(said)]
            )
        async with database.reading() as session:

            async def found(search: str) -> list[int]:
                numbers = [int(one[-5:]) for one in await ids(session.projects, search=search)]
                assert await session.projects.count(search=search) == len(numbers)
                return numbers

            assert await found("ZO") == [0, 1, 2, 3, 7]
            assert await found("z") == [0, 1, 2, 3, 6, 7]
            assert await found("4") == [4]
            assert await found("é") == await found("É") == [0]
            assert await found("/") == [7]
            assert await found("zzo") == [4]

    place.run(use)
