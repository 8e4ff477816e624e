"""What a node asks of its ledger, measured small."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NobodyError

from sluicegate.bench import traffic
from sluicegate.bench.peers.sluicegate import LIMITS
from sluicegate.bench.program import StartError
from sluicegate.config.environment import process_environment

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_ledger_is_asked_less_than_once_a_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real node is loaded at two rates; each is a row of the table and of both files, and none was refused."""
    arguments = ["--rate", "50", "--rate", "400", "--seconds", "0.6", "--output", str(tmp_path)]
    assert traffic.main(arguments, process_environment(), NOW) == 0
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.startswith("| rate | served | scripts | commands | round_trips | ")
    assert [row.split()[1] for row in rows] == ["50", "400"]
    found = json.loads((tmp_path / "2026-01-02-traffic.json").read_bytes())["rows"]
    for row in found:
        assert (row["errors"], row["served"] > 0) == (0, True)
        assert 0 < row["round_trips"] <= row["commands"]
    assert found[1]["scripts_per_request"] < len(LIMITS)
    assert "| 400 | " in (tmp_path / "2026-01-02-traffic.md").read_text("utf-8")


def test_a_ledger_that_nobody_can_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Is told in one line, with the node's own words."""
    assert traffic.main(["--redis", "nonsense://here"], process_environment(), NOW) == 1
    assert "did not become ready" in capsys.readouterr().err


def test_a_server_of_its_own_ends_with_the_block(tmp_path: Path) -> None:
    """It answers within, and nobody is there afterwards."""

    async def main() -> None:
        async with traffic.valkey(tmp_path) as url, Redis.from_url(url) as client:
            assert (await client.config_get("appendonly"))["appendonly"] == "yes"
        async with Redis.from_url(url) as client:
            with pytest.raises(NobodyError):
                await client.ping()

    asyncio.run(main())


def test_a_missing_server_is_told() -> None:
    """With what to do about it."""
    with pytest.raises(StartError, match="no_such_package is not installed: install it, or name a server with --redis"):
        traffic.server_of("no_such_package")
