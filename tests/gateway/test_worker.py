"""A worker as a process: what it needs to start, and what ends it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sluicegate.gateway.worker import parsed
from sluicegate.wire.link import Configure, FrameReader, Hello, Ready, ToControl, frame, to_control
from tests.gateway.node import a_snapshot

ARGUMENTS = ("--worker", "0", "--host", "127.0.0.1", "--link", "l", "--control", "c", "--events", "e")


class Control:
    """A control process as far as a starting worker needs one: a listening link."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "link.sock"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self.path))
        self.listening.listen()
        self.listening.settimeout(20)
        self.reader = FrameReader()
        self.link: socket.socket | None = None

    def hears(self) -> list[ToControl]:
        """The next messages of the worker."""
        if self.link is None:
            self.link, _ = self.listening.accept()
            self.link.settimeout(20)
        while True:
            data = self.link.recv(65_536)
            assert data, "the worker closed its link"
            bodies = self.reader.feed(data)
            if bodies:
                return [message for body in bodies for message in to_control(body)]

    def configures(self) -> None:
        """Give the worker something to run on."""
        assert self.link is not None
        self.link.sendall(frame([Configure(a_snapshot(drain_seconds=1.0))]))

    def close(self) -> None:
        self.listening.close()
        if self.link is not None:
            self.link.close()


@pytest.fixture
def control() -> Iterator[Control]:
    """A scripted control process; its socket's path is short enough for the kernel."""
    with tempfile.TemporaryDirectory() as directory:
        made = Control(Path(directory))
        yield made
        made.close()


def free_port() -> int:
    """A port nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def started(control: Control, port: int, *more: str, inherit: tuple[int, ...] = ()) -> "subprocess.Popen[bytes]":
    """A worker's process."""
    directory = control.path.parent
    command = [sys.executable, "-m", "sluicegate.gateway", *ARGUMENTS[:4], "--port", str(port)]
    command += ["--link", str(control.path), "--control", "c", "--events", str(directory / "events"), *more]
    return subprocess.Popen(command, pass_fds=inherit, stderr=subprocess.PIPE)


def asked(port: int, path: str) -> int:
    """The status of a request to the worker."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, bytes]:
    """Its exit status and what it said."""
    try:
        _, said = process.communicate(timeout=20)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return process.returncode, said


def test_a_worker_listens_once_it_is_configured_and_ends_on_sigterm(control: Control) -> None:
    """Hello, configuration, Ready, `/readyz` 200; then a clean end."""
    port = free_port()
    process = started(control, port)
    (hello,) = control.hears()
    assert hello == Hello(0, process.pid)
    control.configures()
    assert control.hears() == [Ready(1)]
    assert asked(port, "/readyz") == 200
    assert asked(port, "/v1/files") == 401
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, b"")


def test_a_worker_without_its_supervisor_ends(control: Control) -> None:
    """The lifeline's end is the order to drain."""
    ours, theirs = os.pipe()
    process = started(control, free_port(), "--lifeline", str(ours), inherit=(ours,))
    os.close(ours)
    control.hears()
    os.close(theirs)
    assert ended(process)[0] == 0


def test_an_address_that_cannot_be_listened_on_is_said(control: Control) -> None:
    """Exit status 1 and the reason, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = started(control, listening.getsockname()[1])
        status, said = ended(process)
    assert status == 1
    assert b"Address already in use" in said
    assert b"Traceback" not in said


def test_the_command_line_is_the_supervisors() -> None:
    """Every flag the supervisor passes is understood."""
    options = parsed([*ARGUMENTS, "--port", "1", "--lifeline", "3", "--tls-certificate", "x", "--tls-key", "y"])
    assert (options.worker, options.port, options.lifeline, options.tls_key) == (0, 1, 3, "y")
