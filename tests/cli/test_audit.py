"""`sluicegate audit` on a database with entries in it."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sluicegate.cli.audit import BROKEN, app
from sluicegate.cli.db import REFUSED
from sluicegate.domain.audit import AuditDraft
from sluicegate.store.database import Database
from sluicegate.store.upgrade import upgrade


def run(*arguments: str, data_dir: Path) -> Result:
    """Run a command on a data directory, with nothing else in the environment that has a meaning to it."""
    names = ("SLUICEGATE_CONFIG", "SLUICEGATE_MASTER_KEY", "SLUICEGATE_DATABASE", "DATA_FILE")
    cleared: dict[str, str | None] = dict.fromkeys(names)
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(data_dir)], env=cleared)


async def _fill(directory: Path) -> None:
    await upgrade("sqlite", directory)
    database = await Database.open("sqlite", directory)
    async with database.writing() as session:
        for number, (action, address) in enumerate((("token.create", "192.0.2.7"), ("token.revoke", ""))):
            await session.audit.append(
                AuditDraft(
                    at=1_795_262_400_500 + number * 1000,
                    actor="adm_1",
                    actor_kind="admin_key",
                    address=address,
                    action=action,
                    target_kind="token",
                    target_id="tok_1",
                    organization_id="org_default",
                    after={"name": "Größe"},
                )
            )
    await database.close()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A data directory whose database has two entries."""
    asyncio.run(_fill(tmp_path))
    return tmp_path


def tamper(directory: Path, statement: str) -> None:
    """Change the log as somebody could who has the file."""
    connection = sqlite3.connect(directory / "sluicegate.db")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_untouched_log_is_intact(filled: Path) -> None:
    """The number of entries and the last hash are told, to be noted elsewhere."""
    verified = run("verify", data_dir=filled)
    assert verified.exit_code == 0
    assert verified.output.startswith("intact: 2 entries, the last hash is ")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit SET actor = 'adm_2' WHERE sequence = 1", "broken: entry 1 was changed\n"),
        ("UPDATE audit SET after = '{}' WHERE sequence = 2", "broken: entry 2 was changed\n"),
        ("DELETE FROM audit WHERE sequence = 1", "broken: entry 1 is missing: the next one is 2\n"),
        ("DELETE FROM audit WHERE sequence = 2", "broken: entry 2 is missing: 2 were written\n"),
    ],
)
def test_the_first_broken_entry_is_told(filled: Path, statement: str, told: str) -> None:
    """Whether an entry was changed or removed, at whichever end."""
    tamper(filled, statement)
    verified = run("verify", data_dir=filled)
    assert (verified.exit_code, verified.output) == (BROKEN, told)


def test_entries_are_listed_newest_last(filled: Path) -> None:
    """One a line, with who did it and from where."""
    assert run("list", data_dir=filled).output.splitlines() == [
        "1  2026-11-21T12:00:00Z  token.create  tok_1  by admin_key adm_1 from 192.0.2.7",
        "2  2026-11-21T12:00:01Z  token.revoke  tok_1  by admin_key adm_1",
    ]
    assert len(run("list", "--limit", "1", data_dir=filled).output.splitlines()) == 1


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (("--action", "token.revoke"), 1),
        (("--actor", "adm_1", "--target", "tok_1", "--organization", "org_default"), 2),
        (("--actor", "adm_2"), 0),
        (("--search", "GRÖSSE"), 2),
        (("--search", "%"), 0),
    ],
)
def test_entries_are_found(filled: Path, filters: tuple[str, ...], count: int) -> None:
    """By each filter, and by what they say."""
    assert len(run("list", *filters, data_dir=filled).output.splitlines()) == count


def test_entries_are_told_to_programs(filled: Path) -> None:
    """As one JSON object a line, with the hashes in hexadecimal."""
    first, second = map(json.loads, run("list", "--json", data_dir=filled).output.splitlines())
    assert first["at"] == "2026-11-21T12:00:00.500Z"
    assert first["after"] == {"name": "Größe"}
    assert second["previous_hash"] == first["hash"]
    assert len(first["hash"]) == 64


def test_without_a_database_there_is_no_log(tmp_path: Path) -> None:
    """The command says what to do instead of making an empty one."""
    refused = run("verify", data_dir=tmp_path)
    assert refused.exit_code == REFUSED
    assert not (tmp_path / "sluicegate.db").exists()
