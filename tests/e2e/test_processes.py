"""Processes of a node that are killed, stopped and left alone: what clients notice."""

import os
import signal
import threading
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import Gateway, is_alive


class Load:
    """Clients that ask, each on a connection of its own kept open, until told to end."""

    def __init__(self, gateway: Gateway, clients: int) -> None:
        """Start asking."""
        self.statuses: list[int] = []
        self.failures: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(gateway,)) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self, gateway: Gateway) -> None:
        connection = gateway.connection()
        while not self._end.is_set():
            try:
                response = gateway.ask(connection)
                response.read()
                self.statuses.append(response.status)
            except (OSError, HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                connection = gateway.connection()
        connection.close()

    def more(self, answers: int) -> None:
        """Wait for so many more answers."""
        enough = len(self.statuses) + answers
        eventually(lambda: len(self.statuses) >= enough, 20)

    def end(self) -> None:
        """Stop asking."""
        self._end.set()
        for thread in self._threads:
            thread.join()


def test_killed_worker_comes_back(gateway: Gateway) -> None:
    """Another process takes its number and its address, and the gateway is ready with it."""
    before = gateway.process("worker-0")
    assert gateway.kill("worker-0") != before
    assert gateway.status() == 200
    assert gateway.answers() == 200


def test_killed_worker_harms_only_its_own_connections(gateway: Gateway) -> None:
    """A stream of the other worker goes on, and so do all requests after the connections are made anew."""
    streams = [gateway.connection() for _ in range(12)]
    answers = [gateway.stream(connection, seconds=2) for connection in streams]
    owners = [owner_of(gateway, connection.sock.getsockname()[1]) for connection in streams]
    load = Load(gateway, 4)
    load.more(20)
    killed = gateway.process("worker-0")
    gateway.kill("worker-0")
    load.more(20)
    load.end()
    for owner, answer in zip(owners, answers, strict=True):
        assert is_whole(answer) == (owner != killed)
    assert killed in owners
    assert set(owners) > {killed}
    assert set(load.statuses) == {200}
    assert len(load.failures) <= 4


def test_killed_control_harms_no_request(gateway: Gateway) -> None:
    """Callers that are known are served while control is away, on open connections as well as on new ones."""
    assert gateway.answers() == 200
    stream = gateway.stream(gateway.connection(), seconds=1)
    load = Load(gateway, 4)
    load.more(20)
    gateway.kill("control")
    load.more(20)
    load.end()
    assert is_whole(stream)
    assert set(load.statuses) == {200}
    assert load.failures == []
    eventually(lambda: gateway.status("/") == 200)


def test_stop_lets_a_stream_finish(gateway: Gateway) -> None:
    """A request under way is answered to its end; new ones are not taken; then every process is gone, status 0."""
    stream = gateway.stream(gateway.connection(), seconds=1.5)
    gateway.signal(signal.SIGTERM)
    eventually(lambda: not is_open(gateway))
    assert is_whole(stream)
    assert gateway.wait() == 0
    assert not any(is_alive(process) for process in gateway.processes())


def test_drain_has_an_end(start: Start, configuration: Path) -> None:
    """A stream that outlasts the drain time is cut, and the gateway still ends in order."""
    gateway = start(f"--config={configuration}", "--drain-seconds=0.3").until_ready()
    stream = gateway.stream(gateway.connection(), seconds=30)
    gateway.signal(signal.SIGINT)
    assert gateway.wait(10) == 0
    assert not is_whole(stream)


def test_second_signal_does_not_wait(gateway: Gateway) -> None:
    """Whoever asks twice has the gateway stopped at once."""
    connection = gateway.connection()
    gateway.stream(connection, seconds=30)
    gateway.signal(signal.SIGINT)
    eventually(lambda: gateway.logged("stopping"))
    gateway.signal(signal.SIGINT)
    assert gateway.wait(5) == 0
    assert not any(is_alive(process) for process in gateway.processes())


def test_killed_supervisor_leaves_no_orphan(start: Start) -> None:
    """Whoever is left notices and ends, the mock of a demo too; the same data and address can be used at once."""
    gateway = start("--demo", "--port=0").until_ready()
    port = gateway.port
    os.kill(gateway.supervisor, signal.SIGKILL)
    gateway.wait()
    eventually(lambda: not any(is_alive(process) for process in gateway.processes()), 15)
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


def owner_of(gateway: Gateway, client_port: int) -> int:
    """The worker that holds the connection from this port of this machine, by the kernel's tables."""
    ours = f"{gateway.port:04X}", f"{client_port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(row[9] for row in rows if (row[1].split(":")[1], row[2].split(":")[1]) == ours)
    for name in ("worker-0", "worker-1"):
        process = gateway.process(name)
        links = [os.readlink(path) for path in Path(f"/proc/{process}/fd").iterdir()]
        if f"socket:[{inode}]" in links:
            return process
    raise AssertionError(f"nobody holds the connection from port {client_port}")
