"""What is in `deploy/` starts what there is: commands, options, variables, and enough time to end."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluicegate.cli.main import main
from sluicegate.config.layers import Overrides
from sluicegate.config.load import load
from sluicegate.config.schema import Settings
from sluicegate.dialects.table import DIALECTS
from sluicegate.supervisor.node import CLOSE_SECONDS, DRAIN_MARGIN
from tests.rules.project import ROOT

SYSTEMD = ROOT / "deploy" / "systemd"
COMPOSE = ROOT / "deploy" / "compose"
UNITS = {"sluicegate.service": "serve", "sluicegate-dispatcher@.service": "dispatcher"}
DISPATCHERS_GRACE = 20.0
"""Seconds, as docs/reference/dispatcher.md has it."""


def section(unit: str) -> dict[str, str]:
    """How a unit is run."""
    parser = ConfigParser(interpolation=None, strict=True)
    # Names of systemd are told apart by case.
    parser.__dict__["optionxform"] = str
    parser.read_string((SYSTEMD / unit).read_text("utf-8"))
    return dict(parser["Service"])


def options_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Those that a command takes."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    return set(re.findall(r"(--[a-z][a-z-]+)", capsys.readouterr().out))


def services() -> dict[str, Any]:
    """Those of the compose file."""
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["services"]
    return found


def seconds(text: str) -> float:
    """`45s`, or `45`."""
    return float(text.removesuffix("s"))


def calls() -> Iterator[tuple[str, Sequence[str], float]]:
    """Where a command is started, its words, and how long it has to end."""
    for unit in UNITS:
        found = section(unit)
        yield unit, shlex.split(found["ExecStart"])[1:], seconds(found["TimeoutStopSec"])
    for name in ("gateway", "dispatcher"):
        one = services()[name]
        yield f"compose {name}", one["command"], seconds(one["stop_grace_period"])


@pytest.mark.parametrize(("place", "words", "wait"), list(calls()))
def test_commands_exist_and_may_end(
    place: str, words: Sequence[str], wait: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has its command, options that it takes, and longer than it may need to end."""
    command, *rest = words
    assert command in UNITS.values(), place
    assert {word for word in rest if word.startswith("--")} <= options_of(command, capsys)
    whole = Settings().server.drain_seconds + DRAIN_MARGIN + CLOSE_SECONDS
    assert wait > (whole if command == "serve" else DISPATCHERS_GRACE)


def test_units_keep_their_data_where_they_may_write() -> None:
    """The directory that systemd makes is the data directory; everything else is read alone."""
    for unit in UNITS:
        found = section(unit)
        assert f"--data-dir /var/lib/{found['StateDirectory']}" in found["ExecStart"]
        assert (found["ProtectSystem"], found["NoNewPrivileges"], found["User"]) == ("strict", "yes", "sluicegate")


def test_the_configuration_of_compose_is_valid(tmp_path: Path) -> None:
    """With the variables that the services get, and no others; the dispatcher's sink is one that is left to it."""
    given = {name: f"value-of-{name.lower()}" for name in services()["gateway"]["environment"]}
    assert services()["dispatcher"]["environment"] == services()["gateway"]["environment"]
    text = (COMPOSE / "sluicegate.yaml").read_text("utf-8")
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(given)
    path = tmp_path / "sluicegate.yaml"
    path.write_text(text, "utf-8")
    settings = load(path, given, Overrides(), dialects=DIALECTS).settings
    words = services()["dispatcher"]["command"]
    sink = settings.sinks[words[words.index("--sink") + 1]]
    assert (sink.run_by, settings.sinks["stream"].type) == ("dispatcher", "redis")


def test_the_image_tells_its_health(capsys: pytest.CaptureFixture[str]) -> None:
    """By a command that there is; a container that runs no gateway does not ask."""
    found = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    assert json.loads(found[1]) == ["sluicegate", "health"]
    assert "--data-dir" in options_of("health", capsys)
    assert services()["dispatcher"]["healthcheck"] == {"disable": True}
    assert "healthcheck" not in services()["gateway"]
