"""The audit log can only grow."""

import asyncio

import pytest
from sqlalchemy.exc import DBAPIError

from sluicegate.domain.audit import AuditDraft
from sluicegate.store.database import Database
from sluicegate.store.upgrade import downgrade, upgrade
from tests.store.place import Place

REFUSAL = "the audit log can only grow"


async def _append(database: Database) -> None:
    draft = AuditDraft(at=1, actor="root", actor_kind="root", action="a", target_kind="token", target_id="tok_1")
    async with database.writing() as session:
        await session.audit.append(draft)


def _count(place: Place) -> object:
    return place.execute("SELECT count(*) FROM audit WHERE actor = 'root'")[0][0]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE audit SET search = search",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE sequence = 1",
    ],
)
def test_entries_are_neither_changed_nor_removed(place: Place, statement: str) -> None:
    """The database itself refuses to change or remove an entry, whoever asks it to."""
    place.run(_append)
    with pytest.raises(DBAPIError, match=REFUSAL):
        place.execute(statement)
    assert _count(place) == 1


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize("statement", ["TRUNCATE audit", "TRUNCATE heads, audit CASCADE"])
def test_the_log_is_not_emptied(place: Place, statement: str) -> None:
    """PostgreSQL's way to empty a table at once is refused too."""
    place.run(_append)
    with pytest.raises(DBAPIError, match=REFUSAL):
        place.execute(statement)
    assert _count(place) == 1


@pytest.mark.parametrize("kind", ["sqlite"])
def test_an_entry_is_not_replaced(place: Place) -> None:
    """SQLite's way to replace a row by a new one does not change an entry."""
    place.run(_append)
    columns = ", ".join(str(row[1]) for row in place.execute("PRAGMA table_info(audit)"))
    others = columns.replace("actor,", "'nobody',", 1)
    with pytest.raises(DBAPIError, match=REFUSAL):
        place.execute(f"REPLACE INTO audit ({columns}) SELECT {others} FROM audit")
    assert _count(place) == 1


def test_without_it_the_log_is_a_table_like_others(place: Place) -> None:
    """Undone, nothing of it is left; done again, the entries are safe again."""
    place.run(_append)
    while asyncio.run(downgrade(place.url, place.directory)).found != "0002":
        pass
    place.execute("UPDATE audit SET request_id = 'changed'")
    asyncio.run(upgrade(place.url, place.directory))
    with pytest.raises(DBAPIError, match=REFUSAL):
        place.execute("DELETE FROM audit")
    assert _count(place) == 1
