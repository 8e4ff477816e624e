"""Sinks that are slow, fail, come and go or answer nonsense: who notices, and where their events are in the end.

Nothing here is timed: requests and other sinks have done all their work while the slow one still holds what it was sent
first, until it is told to let go.
"""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway, run
from tests.e2e.scripted import ScriptedProvider, sized
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.e2e.written import lines

REQUESTS = 40
TAKEN = sized(b"{}")
FAILED = sized(b"{}", status="503 Service Unavailable")
NONSENSE = b"\x00\x01 this is no answer\r\n\r\n"


class Receiver:
    """A webhook whose answers a test decides; what it has taken, by request id."""

    def __init__(self, answer: bytes = TAKEN, *, is_flapping: bool = False) -> None:
        """Give this answer to everything; one that is flapping fails with each batch, the first time."""
        self.answer = answer
        self.taken: Counter[str] = Counter()
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._seen: set[str] | None = set() if is_flapping else None
        self.server = ScriptedProvider(self._answer)

    def __repr__(self) -> str:
        """Tell what came."""
        return f"<Receiver asked={self.asked} taken={self.taken.total()}>"

    def _answer(self, peer: socket.socket, request: bytes) -> None:
        self.asked += 1
        self.may_answer.wait()
        names = [event["request_id"] for event in json.loads(request.partition(b"\r\n\r\n")[2])["data"]]
        answer = self.answer
        if self._seen is not None and names[0] not in self._seen:
            self._seen.add(names[0])
            answer = FAILED
        if answer == TAKEN:
            self.taken.update(names)
        peer.sendall(answer)
        if answer == NONSENSE:
            peer.close()


@pytest.fixture
def receivers() -> Iterator[dict[str, Receiver]]:
    """One of each kind."""
    made = {
        "good": Receiver(),
        "slow": Receiver(),
        "failing": Receiver(FAILED),
        "flapping": Receiver(is_flapping=True),
        "malformed": Receiver(NONSENSE),
    }
    with ExitStack() as stack:
        for receiver in made.values():
            stack.enter_context(receiver.server)
        yield made
        for receiver in made.values():
            receiver.may_answer.set()


@pytest.fixture
def file(tmp_path: Path, provider: str, receivers: dict[str, Receiver]) -> Path:
    """A configuration with a sink for each, small batches, and a file."""
    path = tmp_path / "sinks.yaml"
    fast = "batch: {count: 5, seconds: 0.1}, timeout: 600, retries: {attempts: 3, backoff: 0.05, longest_wait: 0.1}"
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"management_token: {MANAGEMENT_TOKEN}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        f"tokens: [{{name: test, token: {TOKEN}}}]\n"
        "sinks:\n"
        f"  archive: {{type: file, path: '{tmp_path}/archive.jsonl', {fast}}}\n"
        + "".join(
            f"  {name}: {{type: webhook, url: 'http://127.0.0.1:{receiver.server.port}/', {fast}}}\n"
            for name, receiver in receivers.items()
        )
    )
    return path


def kept(gateway: Gateway, sink: str) -> set[str]:
    """The requests among a sink's dead letters."""
    return {json.loads(line)["event"]["request_id"] for line in lines(gateway.data / "dead" / f"{sink}.jsonl")}


def archived(directory: Path) -> set[str]:
    """The requests in the file."""
    return {json.loads(line)["request_id"] for line in lines(directory / "archive.jsonl")}


def backlog(gateway: Gateway, consumer: str) -> int:
    """Bytes of the journal that it has not read, as managers see it."""
    standings = {each["name"]: each for each in Management(gateway).ask("GET", "/admin/consumers")[1]["data"]}
    return int(standings[consumer]["backlog_bytes"])


def counts(gateway: Gateway) -> dict[str, dict[str, float]]:
    """What the metrics say of each sink's events."""
    connection = gateway.connection()
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {MANAGEMENT_TOKEN}"})
    rows = connection.getresponse().read().decode().splitlines()
    connection.close()
    found: dict[str, dict[str, float]] = {}
    for line in rows:
        if line.startswith("sluicegate_events_"):
            name, _, rest = line.removeprefix("sluicegate_events_").partition('{sink="')
            sink, _, value = rest.partition('"} ')
            found.setdefault(sink, {})[name] = float(value)
    return found


def test_sinks_in_trouble(start: Start, file: Path, receivers: dict[str, Receiver], tmp_path: Path) -> None:
    """Requests and other sinks do not wait for them, nothing is lost, and what was given up can be sent again."""
    slow, failing, flapping, malformed = (receivers[name] for name in ("slow", "failing", "flapping", "malformed"))
    slow.may_answer.clear()
    gateway = start(f"--config={file}", "--workers=2").until_ready()
    assert gateway.answers() == 200
    eventually(lambda: slow.asked == 1)

    # All that follows happens while the slow one holds the first event.
    assert [gateway.answers() for _ in range(REQUESTS)] == [200] * REQUESTS
    eventually(lambda: len(gateway.events()) == REQUESTS + 1)
    wanted = {event["request_id"] for event in gateway.events()}
    eventually(lambda: archived(tmp_path) == wanted)
    eventually(lambda: receivers["good"].taken.keys() == wanted)
    eventually(lambda: flapping.taken.keys() == wanted)
    eventually(lambda: kept(gateway, "failing") == wanted)
    eventually(lambda: kept(gateway, "malformed") == wanted)
    # What was taken or kept is told of when the disk has it as well.
    eventually(lambda: backlog(gateway, "sink-good") == 0)
    assert backlog(gateway, "sink-slow") > 0
    eventually(lambda: counts(gateway)["failing"]["dead_total"] == REQUESTS + 1)
    told = counts(gateway)
    assert (told["failing"]["dead_total"], told["failing"]["dropped_total"]) == (REQUESTS + 1, 0)
    assert (told["good"]["sent_total"], told["good"]["dead_total"]) == (REQUESTS + 1, 0)
    eventually(lambda: gateway.logged("events given up, they are dead letters", sink="failing", level="error"))
    assert (slow.asked, slow.taken.total()) == (1, 0)

    slow.may_answer.set()
    eventually(lambda: slow.taken.keys() == wanted)
    for name, receiver in (("failing", failing), ("malformed", malformed)):
        receiver.answer = TAKEN
        replayed = run("dispatcher", "replay", f"--config={file}", f"--data-dir={gateway.data}", f"--sink={name}")
        assert (replayed.returncode, replayed.stdout.splitlines()) == (
            0,
            [f"{REQUESTS + 1} events sent again, 0 of them given up again"],
        )
        assert receiver.taken == Counter(wanted)
        assert not (gateway.data / "dead" / f"{name}.jsonl").exists()
