"""Processes of a node that are killed, stopped and left alone: what clients notice."""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import pytest

from tests.e2e.conftest import Start, written
from tests.e2e.held import Held
from tests.e2e.polling import eventually
from tests.e2e.program import QUESTION, TOKEN, Gateway, is_alive
from tests.e2e.tenants import owner_of

WORKERS = 2


class Load:
    """Clients that ask, each on a connection of its own kept open, until told to end."""

    def __init__(self, gateway: Gateway, clients: int) -> None:
        """Start asking."""
        self.statuses: list[int] = []
        self.identities: list[str] = []
        """The `x-request-id` of each answer that came whole."""
        self.failures: list[str] = []
        self.first_ports: dict[int, int] = {}
        """By client: the port its first connection comes from."""
        self.failed_clients: list[int] = []
        self._answers = [0] * clients
        """By client: how many it has had."""
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(gateway, number)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self, gateway: Gateway, client: int) -> None:
        connection = gateway.connection()
        connection.connect()
        self.first_ports[client] = connection.sock.getsockname()[1]
        while not self._end.is_set():
            try:
                response = gateway.ask(connection)
                response.read()
                self.statuses.append(response.status)
                self.identities.append(response.headers["x-request-id"])
                self._answers[client] += 1
            except (OSError, HTTPException) as error:
                self.failures.append(repr(error))
                self.failed_clients.append(client)
                connection.close()
                connection = gateway.connection()
        connection.close()

    def more(self, answers: int) -> None:
        """Wait for so many more answers, two of them to each client: the second was asked for after this was called.

        So each client has met by then whatever was done to the gateway before.
        """
        before = list(self._answers)
        eventually(lambda: sum(self._answers) >= sum(before) + answers and self._has_asked_since(before))

    def _has_asked_since(self, before: list[int]) -> bool:
        return all(now >= then + 2 for then, now in zip(before, self._answers, strict=True))

    def clients_of(self, gateway: Gateway, process: int) -> set[int]:
        """The clients whose first connection this process holds."""
        return {client for client, port in self.first_ports.items() if owner_of(gateway, port, WORKERS) == process}

    def end(self) -> None:
        """Stop asking."""
        self._end.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def held() -> Iterator[Held]:
    """A provider whose streams are under way until the test says otherwise."""
    with Held() as provider:
        yield provider


@pytest.fixture(scope="module")
def lasting_held() -> Iterator[Held]:
    """One for all tests with `lasting`."""
    with Held() as provider:
        yield provider


@pytest.fixture(scope="module")
def lasting(start_once: Start, tmp_path_factory: pytest.TempPathFactory, provider: str, lasting_held: Held) -> Gateway:
    """A gateway of two workers whose processes are killed again and again."""
    file = written(tmp_path_factory.mktemp("lasting"), provider)
    second = f"held: {{dialect: openai, base_url: '{lasting_held.url}', api_key: key, proxy: none}}"
    file.write_text(file.read_text().replace("proxy: none}}", f"proxy: none}}, {second}}}"))
    return start_once(f"--config={file}", f"--workers={WORKERS}").until_ready()


@pytest.fixture
def survivor(lasting: Gateway) -> Gateway:
    """The same with every process ready, whatever was killed before."""
    for name in ("control", "worker-0", "worker-1"):
        eventually(partial(is_back, lasting, name))
    return lasting


def is_back(gateway: Gateway, name: str) -> bool:
    """Whether the last process of this name lives and is ready."""
    told = (gateway.logged(event, name=name) for event in ("process started", "process is ready"))
    return len({*map(len, told)}) == 1 and is_alive(gateway.process(name))


def test_killed_worker_comes_back(survivor: Gateway) -> None:
    """Another process takes its number and its address, and the gateway is ready with it."""
    before = survivor.process("worker-0")
    assert survivor.kill("worker-0") != before
    assert survivor.status() == 200
    assert survivor.answers() == 200


def test_killed_worker_harms_only_its_own_connections(survivor: Gateway, lasting_held: Held) -> None:
    """A stream of the other worker goes on, and so do all requests after the connections are made anew."""
    gateway = survivor
    lasting_held.may_go_on.clear()
    answers: list[HTTPResponse] = []
    owners: list[int] = []
    # The kernel chooses whose each is: as many as it takes for both to have some.
    while len(owners) < 12 or len(set(owners)) < 2:
        connection = gateway.connection()
        answers.append(gateway.stream(connection, model="held/m"))
        owners.append(owner_of(gateway, connection.sock.getsockname()[1], WORKERS))
    load = Load(gateway, 4)
    load.more(20)
    killed = gateway.process("worker-0")
    clients = load.clients_of(gateway, killed)
    gateway.kill("worker-0")
    load.more(20)
    load.end()
    lasting_held.may_go_on.set()
    for owner, answer in zip(owners, answers, strict=True):
        assert is_whole(answer) == (owner != killed)
    assert killed in owners
    assert set(owners) > {killed}
    assert set(load.statuses) == {200}
    assert set(load.failed_clients) == clients


def test_killed_control_harms_no_request(survivor: Gateway, lasting_held: Held) -> None:
    """Callers that are known are served while control is away, on open connections as well as on new ones."""
    gateway = survivor
    assert gateway.answers() == 200
    lasting_held.may_go_on.clear()
    stream = gateway.stream(gateway.connection(), model="held/m")
    load = Load(gateway, 4)
    load.more(20)
    gateway.kill("control")
    load.more(20)
    load.end()
    lasting_held.may_go_on.set()
    assert is_whole(stream)
    assert set(load.statuses) == {200}
    assert load.failures == []
    eventually(lambda: gateway.status("/") == 200)


@pytest.mark.parametrize("name", ["worker-0", "worker-1", "control"])
def test_kill_under_load_is_accounted_for_exactly(survivor: Gateway, name: str) -> None:
    """Only clients of a killed worker fail, and none once it is gone; every answer has one event, and no event more.

    A client of the killed worker may fail twice: the kernel hands connections to its socket until that is closed.
    """
    gateway, earlier = survivor, known(survivor)
    load = Load(gateway, 8)
    load.more(40)
    clients = load.clients_of(gateway, gateway.process(name))
    gateway.kill(name)
    load.more(40)
    failed = len(load.failures)
    load.more(40)
    load.end()
    assert set(load.statuses) == {200}
    assert set(load.failed_clients) == clients
    assert len(load.failures) == failed
    account(gateway, load, earlier)


def test_kill_of_the_supervisor_under_load_is_accounted_for_exactly(gateway: Gateway) -> None:
    """The orphans finish what they have begun and record it: each answer has one event, and they end by themselves."""
    load = Load(gateway, 4)
    load.more(40)
    processes = gateway.processes()
    os.kill(gateway.supervisor, signal.SIGKILL)
    gateway.wait()
    eventually(lambda: not any(is_alive(process) for process in processes))
    load.end()
    assert set(load.statuses) == {200}
    account(gateway, load, frozenset())


def test_killed_worker_forgets_no_exchange_still_to_be_counted(survivor: Gateway) -> None:
    """Answers without usage are in the journal before the client has them, whether or not their count came."""
    gateway, earlier = survivor, known(survivor)
    connection = gateway.connection()
    identities = []
    for _ in range(30):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "x-mock-usage": "off"}
        connection.request("POST", "/v1/chat/completions", json.dumps(QUESTION), headers)
        response = connection.getresponse()
        response.read()
        identities.append(response.headers["x-request-id"])
    os.kill(owner_of(gateway, connection.sock.getsockname()[1], WORKERS), signal.SIGKILL)
    lines = [line for line in gateway.lines() if line["request_id"] not in earlier]
    assert sorted(line["request_id"] for line in lines if line["kind"] == "pending") == sorted(identities)
    counted = [line["request_id"] for line in lines if line["kind"] == "exchange"]
    assert len(counted) == len(set(counted))
    assert set(counted) <= set(identities)


def known(gateway: Gateway) -> frozenset[str]:
    """The requests that are in the journal."""
    return frozenset(line["request_id"] for line in gateway.lines())


def account(gateway: Gateway, load: Load, earlier: frozenset[str]) -> None:
    """Compare the clients' answers with the journal, request by request; `earlier` ones are none of theirs."""
    assert not earlier & set(load.identities)
    recorded = Counter(event["request_id"] for event in gateway.events() if event["request_id"] not in earlier)
    # The price of a model's first requests is looked up behind them: of a writer that died before, the line that came
    # first is the record, as for every reader.
    waiting = {line["request_id"] for line in gateway.lines() if line["kind"] == "pending"} - earlier
    recorded.update(waiting - recorded.keys())
    answered = Counter(load.identities)
    assert set(answered.values()) == {1}
    assert {identity: recorded[identity] for identity in answered} == dict(answered), "lost or twice"
    # What was recorded and not answered: an answer each that was cut off on its way to a client that failed.
    assert set(recorded.values()) == {1}
    assert len(recorded) - len(answered) <= len(load.failures)


def test_stop_lets_a_stream_finish(start: Start, tmp_path: Path, held: Held) -> None:
    """A request under way is answered to its end; new ones are not taken; then every process is gone, status 0."""
    gateway = start(f"--config={written(tmp_path, held.url)}", "--workers=2", "--drain-seconds=60").until_ready()
    stream = gateway.stream(gateway.connection())
    gateway.signal(signal.SIGTERM)
    eventually(lambda: not is_open(gateway))
    held.may_go_on.set()
    assert is_whole(stream)
    assert gateway.wait() == 0
    assert not any(is_alive(process) for process in gateway.processes())


def test_drain_has_an_end(start: Start, configuration: Path) -> None:
    """A stream that outlasts the drain time is cut, and the gateway still ends in order."""
    gateway = start(f"--config={configuration}", "--drain-seconds=0.3").until_ready()
    stream = gateway.stream(gateway.connection(), seconds=300)
    gateway.signal(signal.SIGINT)
    assert gateway.wait() == 0
    assert not is_whole(stream)


def test_what_the_drains_end_cuts_off_is_recorded(start: Start, tmp_path: Path, held: Held) -> None:
    """A stream without usage that is cut then has its event, and nothing comes too late for the journal."""
    gateway = start(f"--config={written(tmp_path, held.url)}", "--drain-seconds=0.1").until_ready()
    stream = gateway.stream(gateway.connection())
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    (event,) = gateway.events()
    assert event["request_id"] == stream.headers["x-request-id"]
    assert event["usage_source"] in ("counted", "length"), "by length where the tokenizer is not loaded in time"
    assert "journal" not in repr(gateway)


def test_second_signal_does_not_wait(start: Start, configuration: Path) -> None:
    """Whoever asks twice has the gateway stopped at once: long before its drain time is over."""
    gateway = start(f"--config={configuration}", "--workers=2", "--drain-seconds=300").until_ready()
    gateway.stream(gateway.connection(), seconds=300)
    gateway.signal(signal.SIGINT)
    eventually(lambda: gateway.logged("stopping"))
    gateway.signal(signal.SIGINT)
    assert gateway.wait() == 0
    assert not any(is_alive(process) for process in gateway.processes())


def test_killed_supervisor_leaves_no_orphan(start: Start) -> None:
    """Whoever is left notices and ends, the mock of a demo too; the same data and address can be used at once."""
    gateway = start("--demo", "--port=0").until_ready()
    port = gateway.port
    os.kill(gateway.supervisor, signal.SIGKILL)
    gateway.wait()
    eventually(lambda: not any(is_alive(process) for process in gateway.processes()))
    again = start("--demo", f"--port={port}").until_ready()
    assert again.answers(again.announced("token")) == 200


def test_demo_mock_comes_back(start: Start) -> None:
    """Requests to a killed mock are answered by its successor."""
    gateway = start("--demo", "--port=0").until_ready()
    token = gateway.announced("token")
    assert gateway.answers(token) == 200
    os.kill(gateway.process("mock"), signal.SIGKILL)
    eventually(lambda: len(gateway.logged("process started", name="mock")) == 2)
    eventually(lambda: gateway.answers(token) == 200)


def is_whole(stream: HTTPResponse) -> bool:
    """Whether a stream comes to its regular end."""
    try:
        return stream.read().endswith(b"data: [DONE]\n\n")
    except (OSError, HTTPException):
        return False


def is_open(gateway: Gateway) -> bool:
    """Whether new connections are answered."""
    try:
        return gateway.status() == 200
    except OSError:
        return False
