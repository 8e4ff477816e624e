"""`sluicegate events` against a journal written by a worker's own code."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluicegate.cli.events import app
from sluicegate.domain.events import Exchange, Metadata, Notice, Pending
from sluicegate.events.notices import NoticeSegments
from sluicegate.gateway.journal import Journal


def exchange(name: str) -> Exchange:
    """Make an exchange whose only interesting property is its name."""
    return Exchange(name, "now", "tok", "prj", "org", "/v1/x", "POST", 200, 1.5, Metadata())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Open the journal of a worker that lives."""
    journal = Journal(
        tmp_path / "events", 0, "a", schedule=lambda flush: None, on_error=lambda state, reason: pytest.fail(reason)
    )
    yield journal
    journal.close()


def test_cat_prints_all_events(tmp_path: Path, journal: Journal) -> None:
    """Each event is a line of JSON, however many there are; what is still being counted is not printed."""
    for number in range(2500):
        journal.append(exchange(f"a{number}"))
    journal.append(Pending("p", exchange("p")))
    journal.flush()
    result = CliRunner().invoke(app, ["cat", "--data-dir", str(tmp_path)])
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["request_id"] for event in events] == [f"a{number}" for number in range(2500)]
    assert events[0]["kind"] == "exchange"
    assert (result.stderr, result.exit_code) == ("", 0)


def test_cat_finds_the_data_directory_in_the_environment(tmp_path: Path, journal: Journal) -> None:
    """The name that the gateway itself is configured with works here too."""
    journal.append(exchange("a"))
    journal.flush()
    result = CliRunner().invoke(app, ["cat"], env={"SLUICEGATE_DATA_DIR": str(tmp_path)})
    assert json.loads(result.stdout)["request_id"] == "a"


def test_cat_tells_damage_apart_from_events(tmp_path: Path) -> None:
    """Damage goes to standard error, so that the output stays JSON lines."""
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "000-a-00000001.jsonl").write_bytes(b"oops\n")
    result = CliRunner().invoke(app, ["cat", "--data-dir", str(tmp_path)])
    assert result.stdout == ""
    assert result.stderr.startswith("000-a-00000001.jsonl: byte 0: not an event")


@pytest.mark.parametrize("command", ["cat", "tail"])
def test_wrong_directory_is_told_and_not_made(tmp_path: Path, command: str) -> None:
    """A mistyped path is an error that says what to do."""
    result = CliRunner().invoke(app, [command, "--data-dir", str(tmp_path / "wrong")])
    assert result.exit_code == 2
    assert "--data-dir" in result.stderr
    assert not (tmp_path / "wrong").exists()


def test_tail_prints_what_comes_until_interrupted(tmp_path: Path, journal: Journal) -> None:
    """Old events are not printed, new ones at once, and an interrupt is a normal end."""
    journal.append(exchange("old"))
    journal.flush()
    command = [
        sys.executable,
        "-c",
        # As behind a shell's `&`.
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from sluicegate.cli.events import app; app()",
        "tail",
        "--data-dir",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == f"waiting for events in {tmp_path / 'events'}\n"
        for name in ("new", "newer"):
            journal.append(exchange(name))
            journal.flush()
            assert json.loads(process.stdout.readline())["request_id"] == name
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.stderr.read() == ""


def test_cat_prints_notices(tmp_path: Path) -> None:
    """What control writes beside the workers is printed like their events."""
    segments = NoticeSegments(tmp_path / "events", "a")
    segments.append([Notice("ntc_1", "now", "circuit.opened", "openai", facts={"worker": 0})])
    result = CliRunner().invoke(app, ["cat", "--data-dir", str(tmp_path)])
    segments.close()
    assert json.loads(result.stdout)["event"] == "circuit.opened"
    assert result.stderr == ""
