"""`sluicegate serve`: what is asked wrongly is refused at once, all else is handed to the supervisor."""

import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.cli.main import COMMANDS, main
from sluicegate.cli.serve import supervisor_command
from sluicegate.supervisor.orders import Orders, parse


def ordered(command: list[str]) -> Orders:
    """What the supervisor reads in its command line."""
    assert command[:4] == [sys.executable, "-P", "-m", "sluicegate.supervisor"]
    return parse(command[4:])


def test_flags_reach_the_supervisor() -> None:
    """Whatever is ordered arrives."""
    orders = Orders("a.yaml", "::", port=0, workers=2, data_dir="d", drain_seconds=0.5, file_event_log="e", daemon=True)
    assert ordered(supervisor_command(orders, {})) == orders


@pytest.mark.parametrize(
    ("orders", "environment", "config"),
    [
        (Orders(), {}, "sluicegate.yaml"),
        (Orders(), {"SLUICEGATE_CONFIG": ""}, "sluicegate.yaml"),
        (Orders(config="other.yaml"), {}, "other.yaml"),
        (Orders(), {"SLUICEGATE_CONFIG": "/named.yaml"}, "/named.yaml"),
        (Orders(demo=True), {}, None),
    ],
)
def test_file_in_the_working_directory_is_found(
    orders: Orders, environment: dict[str, str], config: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`./sluicegate.yaml` is used unless another is named, by flag or variable, or a demo needs none."""
    monkeypatch.chdir(tmp_path)
    without = config if environment.get("SLUICEGATE_CONFIG") else orders.config
    assert ordered(supervisor_command(orders, environment)).config == without
    Path("sluicegate.yaml").touch()
    assert ordered(supervisor_command(orders, environment)).config == config


@pytest.mark.parametrize("flag", ["--port=65536", "--port=http", "--workers=0", "--drain-seconds=-1", "--no-such"])
def test_impossible_flag_is_a_usage_error(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant ends with exit status 2, before anything is started."""
    with pytest.raises(SystemExit, match="2"):
        main(["serve", flag], commands=COMMANDS)
    assert flag.partition("=")[0] in capsys.readouterr().err


def test_demo_with_a_configuration_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The file would be left unread, and whoever named it would not know."""
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--demo", "--config=pyproject.toml"], commands=COMMANDS)
    said = " ".join(capsys.readouterr().err.split())
    assert "leave out one of --demo and --config" in said


def test_command_becomes_the_supervisor(tmp_path: Path) -> None:
    """The program goes on as the supervisor, which refuses a broken file with every problem and exit status 2."""
    (tmp_path / "broken.yaml").write_text("prot: 1\nserver: {prt: 2}\n")
    command = [sys.executable, "-P", "-m", "sluicegate", "serve", "--config=broken.yaml", "--data-dir=data"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "broken.yaml:1: prot: is no setting" in done.stderr
    assert "broken.yaml:2: server.prt: is no setting (did you mean port?)" in done.stderr
    assert not (tmp_path / "data").exists()
