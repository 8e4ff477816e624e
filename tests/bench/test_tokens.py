"""What a node pays for the tokens in its database, measured small."""

import asyncio
import json
from pathlib import Path

import pytest

from sluicegate.bench import tokens
from sluicegate.config.environment import process_environment
from sluicegate.domain.tokens import digest
from sluicegate.store.database import Database


def test_a_database_is_filled(tmp_path: Path) -> None:
    """With as many tokens as asked for, whose secrets are known."""

    async def main() -> None:
        await tokens.fill(tmp_path / "data", 25)
        database = await Database.open("sqlite", tmp_path / "data")
        async with database.reading() as session:
            keys = [digest(tokens.secret_of(number).encode()) for number in (0, 24, 25)]
            assert set(await session.tokens.by_digests(keys)) == set(keys[:2])
        await database.close()

    asyncio.run(main())


def test_a_node_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real one, started on that database; each number of tokens is a line of JSON, and a row of a page."""
    assert tokens.main(["--tokens", "20", "--output", str(tmp_path)], process_environment()) == 0
    cost = json.loads(capsys.readouterr().out)
    assert cost["tokens"] == 20
    assert cost["ready_seconds"] > 0
    assert cost["idle_mb"] > 1
    assert 0 < cost["again_p50_ms"] <= cost["again_p99_ms"]
    [page] = tmp_path.glob("*-tokens.md")
    assert "| 20 | " in page.read_text()
