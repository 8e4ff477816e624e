"""`sluicegate db` on databases of a data directory."""

import asyncio
import os
from pathlib import Path

from typer.testing import CliRunner, Result

from sluicegate.cli.db import OUTDATED, REFUSED, app
from sluicegate.store import upgrade as store
from sluicegate.store.version import NEWEST, VERSIONS
from sluicegate.supervisor.pid_file import PidFile


def run(*arguments: str, data_dir: Path, **environment: str) -> Result:
    """Run a command on a data directory, with nothing else in the environment that has a meaning to it."""
    names = ("SLUICEGATE_CONFIG", "SLUICEGATE_MASTER_KEY", "SLUICEGATE_DATABASE", "DATA_FILE")
    cleared: dict[str, str | None] = dict.fromkeys(names)
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(data_dir)], env=cleared | environment)


def test_a_database_goes_up_and_down(tmp_path: Path) -> None:
    """`upgrade` makes it, `downgrade` undoes the last version, and `status` tells by its exit whether it is current."""
    before = run("status", data_dir=tmp_path)
    assert (before.exit_code, before.output) == (OUTDATED, f"version none, newest {NEWEST}\n")
    made = run("upgrade", data_dir=tmp_path)
    assert (made.exit_code, made.output) == (0, f"version {NEWEST}, was none\n")
    assert run("status", data_dir=tmp_path).exit_code == 0
    undone = run("downgrade", data_dir=tmp_path)
    assert (undone.exit_code, undone.output) == (0, f"version {VERSIONS[-2]}, was {NEWEST}\n")
    assert run("status", data_dir=tmp_path).exit_code == OUTDATED


def test_there_is_nothing_before_the_first_version(tmp_path: Path) -> None:
    """The refusal says so, in one line."""
    run("upgrade", data_dir=tmp_path)
    for _ in VERSIONS[1:]:
        assert run("downgrade", data_dir=tmp_path).exit_code == 0
    refused = run("downgrade", data_dir=tmp_path)
    assert refused.exit_code == REFUSED
    assert refused.output == "there is no version of the database before this one\n"


def test_a_backup_is_restored(tmp_path: Path) -> None:
    """To what the database was; the one in its place is kept."""
    run("upgrade", data_dir=tmp_path)
    copy = tmp_path / "copy"
    assert run("backup", str(copy), data_dir=tmp_path).output.endswith(f"bytes to {copy}\n")
    again = run("backup", str(copy), data_dir=tmp_path)
    assert (again.exit_code, again.output) == (REFUSED, f"{copy} exists already\n")
    run("downgrade", data_dir=tmp_path)
    restored = run("restore", str(copy), data_dir=tmp_path)
    assert restored.exit_code == 0
    assert restored.output == f"restored {copy}; the database before is {tmp_path / 'sluicegate.db.replaced'}\n"
    assert run("status", data_dir=tmp_path).exit_code == 0
    other = tmp_path / "other"
    assert run("restore", str(copy), data_dir=other).output == f"restored {copy}\n"
    assert asyncio.run(store.state("sqlite", other)).is_current


def test_nothing_is_restored_while_a_gateway_runs(tmp_path: Path) -> None:
    """Its lock on the data directory tells, also before it has opened the database."""
    run("upgrade", data_dir=tmp_path)
    run("backup", str(tmp_path / "copy"), data_dir=tmp_path)
    (tmp_path / "run").mkdir()
    gateway = PidFile(tmp_path / "run" / "sluicegate.pid", os.getpid())
    refused = run("restore", str(tmp_path / "copy"), data_dir=tmp_path)
    gateway.remove()
    assert refused.exit_code == REFUSED
    assert "already running" in refused.output
    assert "stop the gateway first" in refused.output
    assert run("restore", str(tmp_path / "copy"), data_dir=tmp_path).exit_code == 0


def test_a_gateway_keeps_the_version_it_runs_on(tmp_path: Path) -> None:
    """A downgrade would take tables away that it writes to."""
    run("upgrade", data_dir=tmp_path)
    (tmp_path / "run").mkdir()
    gateway = PidFile(tmp_path / "run" / "sluicegate.pid", os.getpid())
    refused = run("downgrade", data_dir=tmp_path)
    gateway.remove()
    assert (refused.exit_code, "stop the gateway first" in refused.output) == (REFUSED, True)
    assert run("status", data_dir=tmp_path).exit_code == 0


def test_a_server_is_backed_up_by_its_own_tools(tmp_path: Path) -> None:
    """Both commands name them and leave, without a word of the address."""
    for command in ("backup", "restore"):
        refused = run(
            command, str(tmp_path / "copy"), data_dir=tmp_path, SLUICEGATE_DATABASE="postgresql://me:hunter2@db/x"
        )
        assert refused.exit_code == REFUSED
        assert "pg_dump" in refused.output
        assert "hunter2" not in refused.output


def test_an_invalid_configuration_is_refused(tmp_path: Path) -> None:
    """With what is wrong in it."""
    file = tmp_path / "sluicegate.yaml"
    file.write_text("nonsense: 1\n")
    refused = run("status", "--config", str(file), data_dir=tmp_path)
    assert refused.exit_code == REFUSED
    assert "nonsense" in refused.output
