"""The reads of a full database, measured on a small one."""

import asyncio
import json
import math
from pathlib import Path

import pytest

from sluicegate.bench import store
from sluicegate.bench.store import Size
from sluicegate.store.database import Database
from sluicegate.store.schema import METADATA

SMALL = Size(tokens=120, users=12, entries=9)


def full(directory: Path) -> list[str]:
    """Make a small database in `directory`; return what was told on the way."""
    told: list[str] = []
    asyncio.run(store.run("sqlite", directory, SMALL, 1, told.append))
    return told


def test_it_is_filled_once(tmp_path: Path) -> None:
    """With as many records as asked for, and not again when it is measured again."""
    assert full(tmp_path)[-1] == f"tokens: up to tok_{119:028x}"
    assert full(tmp_path) == ["is full already"]

    async def counts() -> tuple[int, int, int]:
        database = await Database.open("sqlite", tmp_path)
        async with database.reading() as session:
            found = await session.tokens.count(), await session.users.count(), len(await session.audit.list())
        await database.close()
        return found

    assert asyncio.run(counts()) == (120, 12, 9)


def test_every_read_of_every_repository_is_there() -> None:
    """A repository that is not measured could be slow unseen."""
    measured = {name.partition(".")[0] for name, _ in store.reads(SMALL)}
    measured_apart = {"request_blocks", "request_pieces", "rollups", "rollup_batches", "consumer_checkpoints"}
    unread = {"heads", "ledger_accounts", "ledger_leases", "token_totals"}
    assert measured == set(METADATA.tables) - unread - measured_apart


def test_reads_are_told_with_their_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As lines for people, as JSON, or as a page in a directory; 0 says that all were within their budget."""
    # However slow the machine is at the moment.
    monkeypatch.setattr(store, "BUDGET_MILLISECONDS", math.inf)
    arguments = ["--directory", str(tmp_path), "--tokens", "120", "--users", "12", "--runs", "1"]
    assert store.main(arguments) == 0
    assert "ms  tokens.by_digests, 100 unknown\n" in capsys.readouterr().out
    assert store.main([*arguments, "--json", "--output", str(tmp_path)]) == 0
    [page] = tmp_path.glob("*-store-sqlite.md")
    assert "| tokens.by_digests, 100 unknown | " in page.read_text()
    results = json.loads(capsys.readouterr().out)
    assert [result["name"] for result in results] == [name for name, _ in store.reads(SMALL)]
    assert all(0 < result["fastest"] <= result["median"] for result in results)


def test_a_slow_read_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 says that some took longer, and which is told."""
    monkeypatch.setattr(store, "BUDGET_MILLISECONDS", 0.0)
    arguments = ["--directory", str(tmp_path), "--tokens", "120", "--users", "12", "--runs", "1"]
    assert store.main(arguments) == 1
    assert "over 0 ms: tokens.get\n" in capsys.readouterr().err
