"""A disk that is full, and a data directory that became read-only: what is served, what is said, what is left after.

The kernel refuses to let files grow (RLIMIT_FSIZE of the running processes), as a full disk does, and to make or change
files in directories whose mode forbids it. Both work for everybody and anywhere, the second once root has given up the
right to do what modes forbid.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import SLUICEGATE, TOKEN, Gateway, environment, is_alive
from tests.e2e.scripted import ScriptedProvider, sized
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.e2e.written import lines
from tests.ledger.valkey import Server

LIMITED = "sk-limited-0123456789abcdef0123456789"
HELD_TO_MODES = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""For Python: drop CAP_DAC_OVERRIDE from the bounding set (PR_CAPBSET_DROP), where it is there, and run a program."""


class Place:
    """A node with every consumer on, and what it has sent where."""

    def __init__(self, directory: Path, provider: str, receiver: ScriptedProvider) -> None:
        """Write its configuration."""
        self.directory = directory
        self._receiver = receiver
        self.file = directory / "disk.yaml"
        retries = "retries: {longest_wait: 0.2}"
        self.file.write_text(
            "server: {port: 0, drain_seconds: 8, workers: 1}\n"
            f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
            "prices: [{model: '*', input: 1, output: 2}]\n"
            f"management_token: {MANAGEMENT_TOKEN}\n"
            "request_log: {enabled: true}\n"
            "tokens:\n"
            f"  - {{name: test, token: {TOKEN}}}\n"
            f"  - {{name: limited, token: {LIMITED}, limits: [{{metric: requests, window: 1d, maximum: 1000}}]}}\n"
            "sinks:\n"
            f"  archive: {{type: file, path: '{directory}/archive.jsonl', {retries}}}\n"
            f"  hook: {{type: webhook, url: 'http://127.0.0.1:{receiver.port}/in', {retries}}}\n"
        )

    def archived(self) -> Counter[str]:
        """What the file has, by request id."""
        return Counter(json.loads(line)["request_id"] for line in lines(self.directory / "archive.jsonl"))

    def sent(self) -> Counter[str]:
        """What the webhook has got, by request id."""
        bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in [*self._receiver.requests]]
        return Counter(event["request_id"] for body in bodies for event in body["data"])


@pytest.fixture
def receiver() -> Iterator[ScriptedProvider]:
    """A place that takes whatever it is sent."""
    with ScriptedProvider(lambda peer, _: peer.sendall(sized(b"{}"))) as receiver:
        yield receiver


@pytest.fixture
def place(tmp_path: Path, provider: str, receiver: ScriptedProvider) -> Place:
    """A configuration."""
    return Place(tmp_path, provider, receiver)


def standings(gateway: Gateway) -> dict[str, dict[str, Any]]:
    """How the consumers stand, by name."""
    status, answer = Management(gateway).ask("GET", "/admin/consumers")
    assert status == 200, answer
    return {each["name"]: each for each in answer["data"]}


def holds(directory: Path, *, is_writable: bool) -> None:
    """Change the modes of a directory and all that is in it."""
    directory.chmod(0o700)
    for path in directory.rglob("*"):
        path.chmod((0o700 if path.is_dir() else 0o600) if is_writable else (0o500 if path.is_dir() else 0o400))
    directory.chmod(0o700 if is_writable else 0o500)


def is_caught_up(gateway: Gateway) -> bool:
    """Whether everything is read, and nothing in trouble."""
    return all(each["backlog_bytes"] == 0 and not each["last_error"] for each in standings(gateway).values())


def recorded(gateway: Gateway) -> Counter[str]:
    """The request log, by request id."""
    status, answer = Management(gateway).ask("GET", "/admin/requests?limit=200")
    assert (status, answer["next_cursor"]) == (200, None)
    return Counter(each["request_id"] for each in answer["data"])


def bound(processes: list[int], size: int) -> None:
    """Let no file of these processes grow beyond `size`."""
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def measured(gateway: Gateway, *names: str) -> list[float]:
    """The values of metrics without labels, or of the worker's."""
    connection = gateway.connection()
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {MANAGEMENT_TOKEN}"})
    rows = [line.split() for line in connection.getresponse().read().decode().splitlines()]
    connection.close()
    values = {line[0]: float(line[1]) for line in rows if line and line[0] != "#"}
    return [
        values.get(f"sluicegate_{name}", values.get(f'sluicegate_{name}{{process="worker-0"}}', -1)) for name in names
    ]


def text(gateway: Gateway) -> str:
    """All that was logged so far."""
    return (gateway.data.parent / "stderr").read_text()


def check_books(place: Place, gateway: Gateway) -> None:
    """Every request is in the journal, once in the request log, and in both sinks."""
    # Who failed a few times tries again half a minute later at most.
    eventually(
        lambda: {line["request_id"] for line in gateway.lines()} == {one["request_id"] for one in gateway.events()}
    )
    eventually(lambda: is_caught_up(gateway))
    wanted = Counter(event["request_id"] for event in gateway.events())
    assert set(wanted.values()) == {1}
    assert recorded(gateway) == wanted
    assert place.archived().keys() == wanted.keys()
    assert place.sent().keys() == wanted.keys()


def test_full_disk_without_the_ledger(start: Start, place: Place) -> None:
    """Where limits are counted on another machine, callers who have some are served as well."""
    with Server() as server:
        with place.file.open("a") as file:
            file.write(f"redis: {{address: '{server.url}'}}\n")
        gateway = start(f"--config={place.file}").until_ready()
        assert [gateway.answers(LIMITED) for _ in range(30)] == [200] * 30
        eventually(lambda: is_caught_up(gateway))
        (segment,) = (gateway.data / "events").glob("000-*.jsonl")
        processes = [gateway.process("worker-0"), gateway.process("control")]
        bound(processes, segment.stat().st_size)

        # More than is lent to a worker at once.
        assert [gateway.answers(LIMITED) for _ in range(100)] == [200] * 100
        assert "journal holding: cannot write to" in text(gateway)

        bound(processes, resource.RLIM_INFINITY)
        eventually(lambda: "journal writing: all lines are written" in text(gateway))
        check_books(place, gateway)
        status, answer = Management(gateway, LIMITED).ask("GET", "/v1/key/usage")
        assert (status, [limit["used"] for limit in answer["data"]]) == (200, [130])


def test_full_disk(start: Start, place: Place) -> None:
    """Callers without limits are served, others told 503; it is said, and with room again nothing is missing."""
    gateway = start(f"--config={place.file}").until_ready()
    assert [gateway.answers() for _ in range(60)] == [200] * 60
    assert gateway.answers(LIMITED) == 200
    eventually(lambda: is_caught_up(gateway))
    (segment,) = (gateway.data / "events").glob("000-*.jsonl")
    processes = [gateway.process("worker-0"), gateway.process("control")]
    # The log is smaller than that, and has room; the journal, the database and the sink's file have none.
    bound(processes, segment.stat().st_size)

    assert [gateway.answers() for _ in range(20)] == [200] * 20
    # What is lent to a worker already may be spent.
    eventually(lambda: gateway.answers(LIMITED) == 503)
    assert gateway.status("/readyz") == 200
    assert "journal holding: cannot write to" in text(gateway)
    assert gateway.logged("the ledger cannot be asked", level="error")
    figures = ("ledger_up", "ledger_absences_total", "journal_state", "journal_lost_events_total")
    eventually(lambda: measured(gateway, *figures) == [0, 1, 1, 0])
    # Often enough that it would seem to be back for a moment, were it so.
    for _ in range(30):
        gateway.answers(LIMITED)
        assert measured(gateway, *figures) == [0, 1, 1, 0]

    bound(processes, resource.RLIM_INFINITY)
    eventually(lambda: gateway.answers(LIMITED) == 200)
    eventually(lambda: "journal writing: all lines are written" in text(gateway))
    eventually(lambda: is_caught_up(gateway))
    check_books(place, gateway)
    assert measured(gateway, *figures) == [1, 1, 0, 0]
    assert len(gateway.logged("the ledger cannot be asked")) == 1
    assert len(gateway.logged("the accounts of workers that are gone cannot be closed")) <= 1
    assert [is_alive(process) for process in processes] == [True, True]


@pytest.fixture
def held(place: Place) -> Iterator[Gateway]:
    """A gateway that modes of directories and files hold for, also where it is root's."""
    data = place.directory / "data"
    command = [sys.executable, "-c", HELD_TO_MODES, *SLUICEGATE, "serve", f"--data-dir={data}"]
    gateway = Gateway(place.directory, f"--config={place.file}", variables={}, command=command)
    yield gateway
    holds(data, is_writable=True)
    gateway.end()


def test_read_only_data_directory(place: Place, held: Gateway) -> None:
    """Requests are served by the workers there are; what cannot go on is said, and goes on by itself afterwards."""
    held.until_ready()
    assert [held.answers() for _ in range(10)] == [200] * 10
    eventually(lambda: is_caught_up(held))
    holds(held.data, is_writable=False)

    assert [held.answers() for _ in range(10)] == [200] * 10
    eventually(
        lambda: {standings(held)[name]["last_error"] for name in ("sink-hook", "metrics")} == {"PermissionError"}
    )
    assert held.logged("events cannot be consumed", consumer="metrics", error="PermissionError")
    assert held.status("/readyz") == 200
    os.kill(held.process("worker-0"), signal.SIGKILL)
    eventually(lambda: len(held.logged("process started", name="worker-0")) > 2)

    holds(held.data, is_writable=True)
    eventually(lambda: held.answers() == 200)
    eventually(lambda: held.logged("over: events cannot be consumed", consumer="metrics"))
    check_books(place, held)


def test_start_without_a_place_to_write(tmp_path: Path) -> None:
    """A data directory that nothing can be written to is named, and the start is given up with status 2."""
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    serve = [*SLUICEGATE, "serve", "--demo", "--port=0", f"--data-dir={data}"]
    command = [sys.executable, "-c", HELD_TO_MODES, *serve]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment())
    assert ended.returncode == 2, ended.stderr
    assert f"cannot use the data directory: Permission denied: '{data}'" in ended.stderr
