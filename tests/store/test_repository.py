"""What all repositories have in common: with each kind of record, on both databases."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from sluicegate.store.database import Database
from sluicegate.store.errors import AlreadyExistsError, MissingError, UnstorableError, VersionConflictError
from sluicegate.store.repository import BATCH
from tests.store.kinds import KINDS, STRANGE, UNSTORABLE, Kind, changed, ids
from tests.store.place import Place


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def each(request: pytest.FixtureRequest) -> Kind:
    """Each kind of record."""
    kind: Kind = request.param
    return kind


def test_a_record_is_added_changed_and_removed(place: Place, each: Kind) -> None:
    """A record is found as it was added, then as it was changed, then not at all; its neighbour stays as it is."""
    record, neighbour = each.make(1), each.make(2)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            assert await each.of(session).get(record.id) is None
            await each.of(session).add(record)
            await each.of(session).add(neighbour)
        async with database.writing() as session:
            assert await each.of(session).get(record.id) == record
            after = changed(record, **{each.text: "another"})
            await each.of(session).update(after)
            assert await each.of(session).get(record.id) == after
        async with database.writing() as session:
            assert await each.of(session).get(record.id) == after
            assert await each.of(session).delete(record.id) is True
            assert await each.of(session).delete(record.id) is False
        async with database.reading() as session:
            assert await each.of(session).get(record.id) is None
            assert await each.of(session).get(neighbour.id) == neighbour

    place.run(use)


def test_some_records_are_found_by_their_ids(place: Place, each: Kind) -> None:
    """Those that there are, with one query for five hundred of them."""
    first, second, third = each.make(1), each.make(2), each.make(3)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await each.of(session).add_all([first, second, third])
        unknown = [f"none_{number}" for number in range(BATCH)]
        async with database.reading() as session:
            found = await each.of(session).some({first.id, third.id, "\0", *unknown})
            assert found == {first.id: first, third.id: third}
            assert await each.of(session).some(()) == {}

    place.run(use)


def test_stale_versions_are_refused(place: Place) -> None:
    """A change of another version than the stored one, or of a record that is gone, is refused and writes nothing."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for each in KINDS:
                record, repository = each.make(1), each.of(session)
                await repository.add(record)
                await repository.update(changed(record))
                for version in (0, 1, 2, 4):
                    with pytest.raises(VersionConflictError, match=record.id):
                        await repository.update(replace(record, version=version, **{each.text: "lost"}))
                with pytest.raises(MissingError, match="_00007"):
                    await repository.update(changed(each.make(7)))
                assert await repository.get(record.id) == changed(record)
                assert await repository.get(each.make(7).id) is None

    place.run(use)


def test_of_concurrent_changes_one_wins(place: Place, each: Kind) -> None:
    """Of several who have read one version and change it at once one wins, and all others are told."""
    record = each.make(1)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await each.of(session).add(record)
        everybody_has_read = asyncio.Barrier(4)

        async def edit(number: int) -> str:
            async with database.reading() as session:
                read: Any = await each.of(session).get(record.id)
            await everybody_has_read.wait()
            try:
                async with database.writing() as session:
                    await each.of(session).update(changed(read, **{each.text: f"edit {number}"}))
            except VersionConflictError:
                return "told"
            return f"edit {number}"

        outcomes = await asyncio.gather(*map(edit, range(4)))
        async with database.reading() as session:
            stored: Any = await each.of(session).get(record.id)
        assert sorted(outcomes)[1:] == ["told"] * 3
        assert (getattr(stored, each.text), stored.version) == (min(outcomes), 2)

    place.run(use)


def test_an_id_is_taken_once(place: Place) -> None:
    """A second record with an id is refused with that field and changes nothing, also among others."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for each in KINDS:
                record = each.make(1)
                again = replace(each.make(2), id=record.id)
                await each.of(session).add(record)
                for adding in ([again], [each.make(3), again]):
                    with pytest.raises(AlreadyExistsError) as refused:
                        await each.of(session).add_all(adding)
                    assert refused.value.field == "id"
                assert await ids(each.of(session)) == [record.id]
                assert await each.of(session).get(record.id) == record

    place.run(use)


def test_nothing_is_added_without_records(place: Place) -> None:
    """To add no records is no error."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for each in KINDS:
                await each.of(session).add_all([])
                assert await ids(each.of(session)) == []

    place.run(use)


def test_lists_are_pages_in_the_order_of_ids(place: Place, each: Kind) -> None:
    """Pages follow each other without gaps or repetition in the order of ids, whatever the order of adding was."""
    made = [each.make(number) for number in (4, 2, 5, 1, 3)]
    expected = sorted(record.id for record in made)

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await each.of(session).add_all(made)
        async with database.reading() as session:
            repository = each.of(session)
            assert await ids(repository) == expected
            assert await ids(repository, limit=2) == expected[:2]
            assert await ids(repository, limit=2, after=expected[1]) == expected[2:4]
            assert await ids(repository, limit=2, after=expected[3]) == expected[4:]
            assert await ids(repository, after=expected[4]) == []
            # The record that a page ended with may be gone when the next is asked for.
            assert await ids(repository, limit=1, after=expected[2] + "0") == expected[3:4]
            assert await repository.count() == len(await repository.list())

    place.run(use)


def test_iteration_sees_one_state(place: Place, each: Kind) -> None:
    """Reading all records meets those that were there when it began, each once, whatever is written meanwhile."""
    before = [each.make(number) for number in (2, 3, 5, 7, 9)]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await each.of(session).add_all(before)
        met = []
        async with database.reading() as reading:
            async for record in each.of(reading).iterate(batch=2):
                if record.id.endswith("_default"):
                    continue
                met.append(record)
                number = 10 + 2 * len(met)
                async with database.writing() as session:
                    # One before and one behind the place where the reader is.
                    await each.of(session).add_all([each.make(number), each.make(number + 1)])
                    await each.of(session).add(replace(each.make(100 + number), id=f"{record.id}a"))
                    await each.of(session).delete(before[-1].id)
        assert met == before
        async with database.reading() as session:
            assert await each.of(session).get(before[-1].id) is None

    place.run(use)


def test_unknown_filters_are_mistakes(place: Place) -> None:
    """A filter that there is not raises TypeError, lest it narrows nothing; one that is None does not narrow."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for each in KINDS:
                repository: Any = each.of(session)
                await repository.add(each.make(1))
                for narrowed in (repository.list(hue="red"), repository.count(hue="red"), repository.list(digest=None)):
                    with pytest.raises(TypeError, match=f"{each.name} cannot be narrowed by (hue|digest)"):
                        await narrowed
                nothing = dict.fromkeys(repository.filters)
                assert each.make(1) in await repository.list(**nothing)

    place.run(use)


def test_strange_text_is_kept_and_harms_nothing(place: Place, each: Kind) -> None:
    """SQL, wildcards, control characters and letters of all scripts come back as they were, and are only values."""
    made = [each.make(number, **{each.text: text}) for number, text in enumerate(STRANGE, 1)]

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await each.of(session).add_all(made)
            for record in made:
                await each.of(session).update(changed(record))
        async with database.writing() as session:
            repository = each.of(session)
            kept = [record for record in await repository.list() if not record.id.endswith("_default")]
            assert [getattr(record, each.text) for record in kept] == list(STRANGE)
            for text in STRANGE:
                assert await repository.get(text) is None
                assert await repository.delete(text) is False
                for name in repository.filters:
                    assert await ids(repository, **{name: text}) == []
                    assert await repository.count(**{name: text}) == 0
                await repository.list(after=text)
            assert len(await ids(repository)) == len(STRANGE)

    place.run(use)


@pytest.mark.parametrize("text", UNSTORABLE, ids=ascii)
def test_text_that_no_database_keeps_is_refused(place: Place, text: str) -> None:
    """A NUL or half a surrogate pair is refused in every text of every kind, and found in none; all goes on."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for each in KINDS:
                repository, record = each.of(session), each.make(1)
                await repository.add(record)
                fields = [field for field in record.__struct_fields__ if isinstance(getattr(record, field), str)]
                for field in fields:
                    with pytest.raises(UnstorableError) as refused:
                        await repository.add(replace(each.make(2), **{field: text}))
                    assert refused.value.field == field
                    with pytest.raises(UnstorableError):
                        await repository.update(changed(record, **{field: text}))
                assert await repository.get(text) is None
                assert await repository.delete(text) is False
                assert await repository.list(after=text) == []
                for name in repository.filters:
                    assert await ids(repository, **{name: text}) == []
                    assert await repository.count(**{name: text}) == 0
                assert await repository.get(record.id) == record
                assert await ids(repository) == [record.id]

    place.run(use)


def test_numbers_that_no_database_keeps_are_refused(place: Place) -> None:
    """Numbers are kept to the bounds of 64 bits and refused beyond them."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            for each in KINDS:
                repository = each.of(session)
                for number, at in enumerate((2**63 - 1, -(2**63)), 1):
                    await repository.add(each.make(number, created_at=at))
                    assert await repository.get(each.make(number).id) == each.make(number, created_at=at)
                for at in (2**63, -(2**63) - 1):
                    with pytest.raises(UnstorableError, match="64 bits") as refused:
                        await repository.add(each.make(3, created_at=at))
                    assert refused.value.field == "created_at"

    place.run(use)


def test_a_transaction_that_fails_leaves_nothing(place: Place) -> None:
    """What was written before an exception is undone, in all tables."""

    async def use(database: Database) -> None:
        async def fail() -> None:
            async with database.writing() as session:
                for each in KINDS:
                    await each.of(session).add(each.make(1))
                raise LookupError("on purpose")

        with pytest.raises(LookupError, match="on purpose"):
            await fail()
        async with database.reading() as session:
            for each in KINDS:
                assert await each.of(session).get(each.make(1).id) is None

    place.run(use)


def test_a_repository_tells_what_is_in_it(place: Place) -> None:
    """What is shown of a repository is its table, and nothing of the connection."""

    async def use(database: Database) -> None:
        async with database.reading() as session:
            assert repr(session.tokens) == "<Tokens of tokens>"
            assert repr(session.audit) == "<Audit>"
            assert repr(session.changes) == "<Changes>"
            assert repr(session.idempotency) == "<Idempotency>"

    place.run(use)
