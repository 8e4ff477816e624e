"""PostgreSQL's index of search keys: it may leave out no record that a search finds, and pages are in order."""

from collections.abc import Iterable, Iterator

import pytest
from sqlalchemy import func, select

from sluicegate.domain.tenants import DEFAULT_ORGANIZATION
from sluicegate.store import schema
from sluicegate.store.database import Database
from sluicegate.store.search_keys import WALKED, among, fits, has_index, page
from sluicegate.store.values import finds
from tests.store import records
from tests.store.kinds import changed, ids
from tests.store.place import Place

TEXTS = (
    "Zoë's laptop",
    "a.b@c-d_e/f",
    "日本語😀",
    "語",
    "%_\\%",
    'said "x" OR "y"',
    "\x01\x01ab \x02lt",
    "{a,b} NULL",
    "tail é",
    "ﬃ İstanbul ẞ",
    "- -",
    "z",
    "",
    "Größe 12",
)


@pytest.fixture(params=["postgresql"])
def kind() -> str:
    """It is about PostgreSQL alone."""
    return "postgresql"


def _parts(texts: Iterable[str]) -> Iterator[str]:
    """Every part of one to four characters, all of them, and what is nowhere."""
    for one in texts:
        yield one
        for length in range(1, 5):
            for start in range(len(one) - length + 1):
                yield one[start : start + length]
    yield from ("語é", "qq", "q", "€", "laptoq", "\x03", "🙂🙂🙂", "x" * 20_000)


async def _fill(database: Database) -> None:
    async with database.writing() as session:
        await session.organizations.add(records.an_organization(1))
        for owner, first in ((DEFAULT_ORGANIZATION, 0), ("org_00001", 50)):
            made = [
                records.a_user(first + n, organization_id=owner, email=f"{n}@x", name=name)
                for n, name in enumerate(TEXTS)
            ]
            # Not in the order of their ids.
            await session.users.add_all(made[::-2] + made[-2::-2])


def test_the_index_leaves_out_nothing(place: Place) -> None:
    """Each search of each part of many strange texts finds just what reading everything finds."""

    async def use(database: Database) -> None:
        async with database._readers.begin() as connection, database.reading() as session:
            owners = {one.id: one.organization_id for one in await session.users.list(limit=100)}
            found_some = 0
            for number, part in enumerate(filter(None, dict.fromkeys(_parts(TEXTS)))):
                # Of the text itself PostgreSQL has no index.
                reading = select(schema.users.c.id).where(finds(schema.users, part)).order_by(schema.users.c.id)
                read = list((await connection.execute(reading)).scalars())
                found_some += bool(read)
                assert await ids(session.users, search=part, limit=100) == read, part
                if number % 5:
                    continue
                owned = [one for one in read if owners[one] == "org_00001"]
                assert await ids(session.users, search=part, organization_id="org_00001") == owned, part
                behind = [one for one in read if one > "usr_00005"][:3]
                assert await ids(session.users, search=part, after="usr_00005", status="active", limit=3) == behind
                assert await session.users.count(search=part) == len(read)
            assert found_some > 100

    place.run(_fill)
    place.run(use)


def test_the_index_follows_what_is_written(place: Place) -> None:
    """What is changed is found by what it says now, in the organisation it is of now; what is gone is not found."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            users = session.users
            await session.organizations.add(records.an_organization(1))
            await users.add_all([records.a_user(n, name="before") for n in (1, 2, 3)])
            await users.update(changed(records.a_user(1), name="now"))
            await users.update(changed(records.a_user(2, name="before"), organization_id="org_00001"))
            assert await ids(users, search="before") == ["usr_00002", "usr_00003"]
            assert await ids(users, search="now") == ["usr_00001"]
            assert await ids(users, search="before", organization_id="org_00001") == ["usr_00002"]
            assert await ids(users, search="before", organization_id=DEFAULT_ORGANIZATION) == ["usr_00003"]
            await users.delete("usr_00003")
            assert await ids(users, search="before", organization_id=DEFAULT_ORGANIZATION) == []

    place.run(use)


def test_pages_of_what_is_not_among_the_first_are_in_order(place: Place) -> None:
    """Where the index is asked, each page has the first of what is behind the last one, wherever their rows lie."""
    count = WALKED + 30
    # The other way round, so that what the index finds first are the last ones.
    place.execute(
        "INSERT INTO users"
        " (id, organization_id, email, name, status, metadata, search, created_at, updated_at, version)"
        f" SELECT 'usr_' || lpad(number::text, 5, '0'), 'org_default', number, '', 'active', '{{}}',"
        f" CASE WHEN number > {WALKED} THEN 'common late' ELSE 'common' END, 0, 0, 1"
        f" FROM generate_series({count}, 1, -1) AS series (number)"
    )
    place.execute("ANALYZE users")

    async def use(database: Database) -> None:
        async with database.reading() as session:
            late = [f"usr_{WALKED + number:05}" for number in range(1, 31)]
            assert await ids(session.users, search="late", limit=7) == late[:7]
            assert await ids(session.users, search="late", limit=7, after=late[6]) == late[7:14]
            assert await ids(session.users, search="late", limit=30, organization_id=DEFAULT_ORGANIZATION) == late
            assert await ids(session.users, search="late", limit=31, status="active") == late
            assert await ids(session.users, search="common late", limit=2, after=late[20]) == late[21:23]
            assert await ids(session.users, search="late", status="suspended") == []
            assert await ids(session.users, search="common", limit=2) == ["usr_00001", "usr_00002"]

    place.run(use)


def test_later_reads_are_planned_as_ever(place: Place) -> None:
    """What a search forbids PostgreSQL is allowed again to what is read after it."""
    shown = select(*(func.current_setting(f"enable_{way}") for way in ("seqscan", "indexscan", "indexonlyscan")))

    async def use(database: Database) -> None:
        async with database._readers.begin() as connection:
            assert await page(connection, schema.tokens, "none", {}, after=None, limit=1) == []
            assert (await connection.execute(shown)).one() == ("on", "on", "on")

    place.run(use)


def _asked(searched: str, filters: dict[str, str | None], **known: dict[str, float]) -> list[list[str]]:
    """The keys that the index is asked for."""
    compiled = fits(schema.tokens, searched, filters, **known).compile()
    return [value for value in compiled.params.values() if isinstance(value, list)]


def test_the_rarest_keys_are_looked_up() -> None:
    """Of a text two: where its words meet, its end, or what is known to be rarer; and all that it must belong to."""
    assert _asked("of it", {}) == [["f i", " it"]]
    assert _asked("LAPTOP", {}) == [["top", "lap"]]
    assert _asked("laptop", {}, known={"top": 0.5, "lap": 0.5, "apt": 0.2, "pto": 0.1}) == [["pto", "apt"]]
    assert _asked("lapt", {"status": "active", "user_id": None, "organization_id": "o"}) == [
        ["apt", "lap", "\x021o", "\x024active"]
    ]
    assert _asked("zo", {"project_id": "p"}) == [["\nzo", " zo", "-zo", "_zo", ".zo", "@zo", "/zo"], ["\x022p"]]
    assert _asked("é", {}) == [["é"]]


def test_keys_of_nearly_all_records_are_not_looked_up() -> None:
    """They take time and narrow nothing; where there are no others, the rarest of them is."""
    most = {"lap": 0.99, "apt": 0.96, "\x024active": 0.98}
    assert _asked("lapt", {"status": "active"}, known=most) == [["apt"]]
    assert _asked("lapt", {"organization_id": "o"}, known=most) == [["\x021o"]]
    assert _asked("z", {"status": "active"}, known=most) == [["\nz", " z", "-z", "_z", ".z", "@z", "/z"]]


def test_tables_with_an_index() -> None:
    """Of what there is a lot, and of nothing else; among ids are those that are named, however many."""
    assert [table for table in schema.METADATA.tables if has_index(schema.METADATA.tables[table])] == [
        "users",
        "tokens",
    ]
    compiled = among(schema.tokens, ["a", "b"]).compile()
    assert list(compiled.params.values()) == [["a", "b"]]
