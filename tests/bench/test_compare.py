"""A comparison runs every proxy, tells what failed, and writes down what it found."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluicegate.bench.compare import Options, compare, main, parse
from sluicegate.bench.peers.base import Launch, PeerMissingError, Site
from sluicegate.config.environment import process_environment

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Broken:
    """A proxy that does not start."""

    name = "broken"

    async def version(self) -> str:
        """One of its own."""
        return "0"

    def launch(self, site: Site) -> Launch:
        """A program that only complains."""
        assert site.upstream.startswith("http://127.0.0.1:")
        return Launch((sys.executable, "-c", "raise SystemExit('out of order')"), ready_path="/ready")


class Missing(Broken):
    """A proxy that is not there."""

    name = "missing"

    async def version(self) -> str:
        """Nobody knows."""
        raise PeerMissingError("missing is not installed")


def test_whole_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real proxy before a provider with TLS: costs, latency and memory, on both pages, without an error."""
    arguments = ["--peers", "aiohttp", "--tls", "--seconds", "0.2", "--turns", "2", "--rounds", "1"]
    arguments += ["--streams", "3", "--note", "On a Sunday.", "--output", str(tmp_path)]
    assert main(arguments, process_environment(), NOW) == 0
    shown = capsys.readouterr()
    assert (tmp_path / "2026-01-02-tls.md").read_text("utf-8") == shown.out
    assert "\n- On a Sunday.\n" in shown.out
    assert shown.err.startswith("starting aiohttp\nprocessor time, in 2 turns\n")
    assert "round 1 of 1: aiohttp\nmemory of streams: aiohttp\nwritten: " in shown.err
    found = json.loads((tmp_path / "2026-01-02-tls.json").read_bytes())
    (summary,) = found["summaries"]
    assert summary["errors"] == 0
    assert summary["us_per_request"] > summary["us_per_event"] > 0
    assert summary["idle_rss_mb"] > 10
    assert found["contenders"][0]["streams"][0]["kilobytes"] is not None


def test_proxies_without_numbers() -> None:
    """A proxy that is missing or does not start is told about once, and does not keep the others from running."""
    told: list[str] = []
    options = Options((Missing(), Broken()), rounds=2, seconds=0.1)
    found = asyncio.run(compare(options, process_environment(), NOW, told.append))
    assert [one.name for one in found.contenders] == ["missing", "broken"]
    assert found.contenders[0].note == "missing is not installed"
    assert found.contenders[1].note.endswith("did not become ready: out of order")
    assert told[0] == "starting broken"
    assert len(told) == 2
    assert found.summaries == ()


def test_command_line() -> None:
    """The usual run is long, the quick one short, and each part can be set."""
    options, output = parse([])
    assert [peer.name for peer in options.peers] == ["sluicegate", "envoy", "nginx", "aiohttp"]
    assert (options.rounds, options.turns, options.seconds, options.streams) == (3, 5, 3, (100, 1000, 4000))
    assert (options.is_tls, output) == (False, Path("benchmarks/results"))
    quick, _ = parse(["--quick"])
    assert (quick.rounds, quick.turns, quick.seconds, quick.streams) == (1, 1, 2, (100,))
    assert parse(["--streams", ""])[0].streams == ()


@pytest.mark.parametrize(
    "arguments", [["--peers", "apache"], ["--peers", ""], ["--streams", "many"], ["--streams", "0"]]
)
def test_wrong_command_line(arguments: list[str]) -> None:
    """What cannot be done is refused at once."""
    with pytest.raises(SystemExit, match="2"):
        parse(arguments)
