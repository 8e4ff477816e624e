"""`sluicegate dispatcher` as a program: what it refuses, that it delivers, and that replicas stand in for others."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from sluicegate.cli.main import main
from sluicegate.domain.events import Exchange, Metadata
from sluicegate.gateway.journal import Journal
from tests.e2e.polling import eventually
from tests.e2e.program import environment
from tests.e2e.scripted import ScriptedProvider, sized
from tests.e2e.written import lines
from tests.ledger.valkey import Server

PROGRAM = (sys.executable, "-P", "-m", "sluicegate", "dispatcher")
Start = Callable[..., "subprocess.Popen[str]"]

REDIS = "sinks:\n  bridge: {{type: redis, address: '{url}', stream: events}}\n"
OUT = "  out: {type: file, path: out.jsonl, run_by: dispatcher}\n"


def exchange(name: str) -> Exchange:
    """Make an exchange whose only interesting property is its name."""
    return Exchange(name, "now", "tok", "prj", "org", "/v1/x", "POST", 200, 1.5, Metadata())


def run(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments], cwd=directory, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a configuration of one file."""
    (tmp_path / "sluicegate.yaml").write_text(f"sinks:\n{OUT}")
    return tmp_path


@pytest.fixture
def journal(place: Path) -> Iterator[Journal]:
    """The journal of a worker that lives."""
    journal = Journal(
        place / "data" / "events", 0, "a", schedule=lambda flush: None, on_error=lambda state, why: pytest.fail(why)
    )
    yield journal
    journal.close()


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Start dispatchers that end with the test, and wait until each has begun."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        log = place / f"log{len(started)}"
        with log.open("w") as file:
            command = [*PROGRAM, *arguments]
            started.append(subprocess.Popen(command, cwd=place, env=environment(), stderr=file, text=True))
        eventually(lambda: "dispatcher started" in log.read_text() or started[-1].poll() is not None)
        assert "dispatcher started" in log.read_text(), log.read_text()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def delivered(place: Path) -> list[str]:
    """The names of the events in the file, so far."""
    try:
        return [json.loads(line)["request_id"] for line in lines(place / "out.jsonl")]
    except FileNotFoundError:
        return []


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        (OUT, ["--sink=other"], "has no sink other; it has: out"),
        ("  out: {type: file, path: out.jsonl}\n", ["--sink=out"], "set sinks.out.run_by: dispatcher"),
        (OUT, ["--sink=out", "--from=redis"], "another sink of type redis but one"),
        (OUT, ["--sink=out", "--from=redis", "--stream=x"], "another sink of type redis of the name x"),
        (OUT, ["--sink=out"], "data/events is not a directory"),
        ("  out: {type: fiel, path: x}\n", ["--sink=out"], "file"),
        (OUT, ["--sink=out", "--from=kafka"], "kafka"),
        (OUT, ["replay", "--sink=other"], "has no sink other"),
    ],
    ids=["unknown", "the gateway's", "no stream", "no such stream", "no events", "invalid", "no source", "replay"],
)
def test_refused(
    place: Path,
    config: str,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be begun says why, with exit status 2, and leaves nothing behind."""
    (place / "sluicegate.yaml").write_text(f"sinks:\n{config}")
    monkeypatch.chdir(place)
    with pytest.raises(SystemExit, match="2"):
        main(["dispatcher", *arguments])
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in place.iterdir()) == ["sluicegate.yaml"]


def test_from_this_machine(place: Path, journal: Journal, start: Start) -> None:
    """Events are delivered as they come; a second one is refused; after a stop the next goes on without repeating."""
    journal.append(exchange("a"))
    journal.flush()
    process = start("--sink=out")
    eventually(lambda: delivered(place) == ["a"])
    refused = run(place, "--sink=out")
    assert (refused.returncode, refused.stderr) == (2, "a dispatcher of out runs already on this data directory\n")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    journal.append(exchange("b"))
    journal.flush()
    process = start("--sink=out")
    eventually(lambda: delivered(place) == ["a", "b"])
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_a_killed_one_loses_nothing(place: Path, journal: Journal, start: Start) -> None:
    """After `kill -9` the next one goes on: each event is there, some may be twice."""
    names = [f"e{number:05}" for number in range(5000)]
    for name in names:
        journal.append(exchange(name))
    journal.flush()
    process = start("--sink=out")
    eventually(lambda: bool(delivered(place)))
    process.kill()
    process.wait()
    start("--sink=out")
    eventually(lambda: set(delivered(place)) == set(names))


def letter(name: str) -> str:
    """A dead letter."""
    return json.dumps({"at": 1.0, "reason": "no", "event": {"kind": "exchange", "request_id": name}}) + "\n"


def test_replay(place: Path) -> None:
    """Dead letters are sent again, once; also for a sink that the gateway feeds."""
    (place / "sluicegate.yaml").write_text("sinks:\n  out: {type: file, path: out.jsonl}\n")
    assert run(place, "replay", "--sink=out").stdout == "no dead letters of out\n"
    dead = place / "data" / "dead"
    dead.mkdir(parents=True)
    (dead / "out.jsonl").write_text(letter("a") + letter("b"))
    done = run(place, "replay", "--sink=out")
    assert (done.returncode, done.stdout) == (0, "2 events sent again, 0 of them given up again\n")
    assert delivered(place) == ["a", "b"]
    assert run(place, "replay", "--sink=out").stdout == "0 events sent again, 0 of them given up again\n"


def test_replay_in_vain(place: Path) -> None:
    """What is given up again is a dead letter again, and the exit status says so."""
    (place / "blocked").write_text("")
    (place / "sluicegate.yaml").write_text(
        "sinks:\n  out: {type: file, path: blocked/out.jsonl, retries: {attempts: 1}, run_by: dispatcher}\n"
    )
    dead = place / "data" / "dead"
    dead.mkdir(parents=True)
    (dead / "out.jsonl").write_text(letter("a"))
    done = run(place, "replay", "--sink=out")
    assert (done.returncode, done.stdout) == (1, "1 events sent again, 1 of them given up again\n")
    (place / "blocked").unlink()
    assert run(place, "replay", "--sink=out").returncode == 0
    assert json.loads((place / "blocked" / "out.jsonl").read_text())["request_id"] == "a"


def test_replay_of_damage(place: Path) -> None:
    """Lines that cannot be read are told and kept, and the exit status says so; a disk that refuses that ends it."""
    (place / "sluicegate.yaml").write_text("sinks:\n  out: {type: file, path: out.jsonl}\n")
    dead = place / "data" / "dead"
    damage = dead / "out.jsonl.damaged"
    damage.mkdir(parents=True)
    (dead / "out.jsonl").write_text(letter("a") + letter("b")[:20])
    done = run(place, "replay", "--sink=out")
    assert (done.returncode, done.stdout) == (1, "")
    assert "dead letters cannot be read, all of them are sent the next time" in done.stderr
    damage.rmdir()
    done = run(place, "replay", "--sink=out")
    assert (done.returncode, done.stdout) == (1, "1 events sent again, 0 of them given up again\n")
    assert "1 lines cannot be read, they are kept in" in done.stderr
    assert damage.read_text() == letter("b")[:20] + "\n"
    assert delivered(place) == ["a"]


def test_replay_interrupted(place: Path) -> None:
    """Whoever has no patience keeps the letters: the next time they are all sent."""
    (place / "blocked").write_text("")
    (place / "sluicegate.yaml").write_text("sinks:\n  out: {type: file, path: blocked/out.jsonl}\n")
    dead = place / "data" / "dead"
    dead.mkdir(parents=True)
    (dead / "out.jsonl").write_text(letter("a"))
    command = [*PROGRAM, "replay", "--sink=out"]
    with subprocess.Popen(command, cwd=place, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "cannot be delivered" not in process.stderr.readline():
            pass
        again = run(place, "replay", "--sink=out")
        assert (again.returncode, again.stderr) == (2, "dead letters of out are being sent\n")
        process.send_signal(signal.SIGINT)
        assert "is kept" in process.stderr.read()
        assert process.wait(60) == 1
    (place / "blocked").unlink()
    assert run(place, "replay", "--sink=out").stdout == "1 events sent again, 0 of them given up again\n"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of one test."""
    with Server() as one:
        yield one


def fill(server: Server, names: list[str]) -> None:
    """Add events to the stream, as the gateway's sink does."""
    with server.client() as client:
        pipeline = client.pipeline(transaction=False)
        for name in names:
            event = json.dumps({"kind": "exchange", "request_id": name})
            pipeline.execute_command("XADD", "events", "*", "event", event)
        pipeline.execute()


def pending(server: Server) -> int:
    """How many entries were taken by somebody and not acknowledged."""
    groups = server.call("XINFO GROUPS", "events")
    return sum(group["pending"] for group in groups)


def test_replicas(place: Path, server: Server, start: Start) -> None:
    """Of two replicas one is killed under load, then the server: nothing is lost, and no message is left idle."""
    (place / "sluicegate.yaml").write_text(REDIS.format(url=server.url) + OUT)
    names = [f"e{number:05}" for number in range(6000)]
    fill(server, names[:2000])
    flags = ("--sink=out", "--from=redis", "--abandoned-after=1")
    replicas = [start(*flags), start(*flags)]
    eventually(lambda: bool(delivered(place)))
    fill(server, names[2000:4000])
    replicas[0].kill()
    replicas[0].wait()
    server.kill()
    server.start()
    fill(server, names[4000:])
    eventually(lambda: set(delivered(place)) == set(names))
    eventually(lambda: pending(server) == 0)
    replicas[1].send_signal(signal.SIGTERM)
    assert replicas[1].wait(60) == 0
    # The one that ended said goodbye.
    (group,) = server.call("XINFO GROUPS", "events")
    assert (group["name"], group["lag"]) == ("out", 0)
    assert len(server.call("XINFO CONSUMERS", "events", "out")) <= 1


def only_holder(server: Server) -> str:
    """The name of the replica that has messages, where it is the only one and nobody is to take any; else empty."""
    (group,) = server.call("XINFO GROUPS", "events")
    holders = [each["name"] for each in server.call("XINFO CONSUMERS", "events", "out") if each["pending"]]
    return str(holders[0]) if len(holders) == 1 and group["lag"] == 0 else ""


def test_killed_in_the_middle_of_a_batch(place: Path, server: Server, start: Start) -> None:
    """What a replica was sending when it was killed is sent by the other; nothing is lost, no message is left idle."""
    taken: list[str] = []
    is_let_go = threading.Event()

    def answer(peer: socket.socket, request: bytes) -> None:
        names = [event["request_id"] for event in json.loads(request.partition(b"\r\n\r\n")[2])["data"]]
        if names[0] == "e00000" and not is_let_go.is_set():
            # Whoever sends this never learns what became of it.
            is_let_go.wait(60)
            return
        taken.extend(names)
        peer.sendall(sized(b"{}"))

    with ScriptedProvider(answer) as hook:
        out = f"  out: {{type: webhook, url: 'http://127.0.0.1:{hook.port}/', run_by: dispatcher, timeout: 60}}\n"
        (place / "sluicegate.yaml").write_text(REDIS.format(url=server.url) + out)
        names = [f"e{number:05}" for number in range(1500)]
        flags = ("--sink=out", "--from=redis", "--abandoned-after=1")
        for _ in range(2):
            start(*flags)
        fill(server, names)
        try:
            # The one that sends the first of them has its share still, when the other has done all the rest.
            holder = eventually(lambda: only_holder(server) if len(taken) >= 500 else "")
            os.kill(int(holder.split("-")[-2]), signal.SIGKILL)
        finally:
            is_let_go.set()
        eventually(lambda: set(taken) == set(names))
        eventually(lambda: pending(server) == 0)
    assert "entries claimed that another reader has abandoned" in "".join(log.read_text() for log in place.glob("log*"))
    (group,) = server.call("XINFO GROUPS", "events")
    assert (group["lag"], group["pending"]) == (0, 0)


def metrics_at(log: Path) -> dict[str, float]:
    """A scrape of the dispatcher that logs there; values by series."""
    entries = [json.loads(line) for line in lines(log) if line.startswith("{")]
    port = next(entry["port"] for entry in entries if entry["event"] == "metrics are served")
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read().decode()
    connection.close()
    rows = (line.rpartition(" ") for line in body.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def test_metrics_of_the_journal(place: Path, journal: Journal, start: Start) -> None:
    """Prometheus can ask the dispatcher itself what it has sent and how far behind it is."""
    journal.append(exchange("a"))
    journal.flush()
    start("--sink=out", "--metrics-port=0")
    eventually(lambda: metrics_at(place / "log0")['sluicegate_events_sent_total{sink="out"}'] == 1)
    eventually(lambda: metrics_at(place / "log0")['sluicegate_consumer_backlog_bytes{consumer="sink-out"}'] == 0)


def test_metrics_of_a_stream(place: Path, server: Server, start: Start) -> None:
    """What waits in the stream is told, too."""
    (place / "sluicegate.yaml").write_text(REDIS.format(url=server.url) + OUT)
    fill(server, ["a", "b"])
    start("--sink=out", "--from=redis", "--metrics-port=0")
    eventually(lambda: metrics_at(place / "log0")['sluicegate_events_sent_total{sink="out"}'] == 2)
    eventually(lambda: metrics_at(place / "log0")['sluicegate_stream_pending_entries{sink="out"}'] == 0)
    assert metrics_at(place / "log0")['sluicegate_stream_lag_entries{sink="out"}'] == 0


def test_metrics_that_cannot_be_served(place: Path, journal: Journal) -> None:
    """A port that somebody else has is named, with exit status 2."""
    journal.flush()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        refused = run(place, "--sink=out", f"--metrics-port={port}")
    assert refused.returncode == 2
    assert f"metrics cannot be served at 127.0.0.1, port {port}: " in refused.stderr
