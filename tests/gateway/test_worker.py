"""A worker as a process: what it needs to start, and what ends it."""

import asyncio
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from sluicegate.gateway.connector import tls_context
from sluicegate.gateway.link import LinkProtocol
from sluicegate.gateway.worker import Worker, parsed
from sluicegate.wire.link import (
    Configure,
    Count,
    Counted,
    FrameReader,
    Hello,
    Ready,
    Resolve,
    ToControl,
    frame,
    to_control,
)
from sluicegate.wire.pulse import PULSE_BYTES
from tests.gateway.node import a_snapshot

ARGUMENTS = ("--worker", "0", "--host", "127.0.0.1", "--link", "l", "--control", "c", "--events", "e")


class Control:
    """A control process as far as a starting worker needs one: a listening link."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "link.sock"
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self.path))
        self.listening.listen()
        self.listening.settimeout(60)
        self.reader = FrameReader()
        self.link: socket.socket | None = None

    def hears(self) -> list[ToControl]:
        """The next messages of the worker."""
        if self.link is None:
            self.link, _ = self.listening.accept()
            self.link.settimeout(60)
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


def issued(directory: Path) -> tuple[Path, Path, bytes]:
    """The files of a certificate for this machine and of its key, written anew; and the certificate."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    new = trustme.CA().issue_cert("127.0.0.1")
    new.private_key_pem.write_to_path(str(key))
    new.cert_chain_pems[0].write_to_path(str(certificate))
    return certificate, key, ssl.PEM_cert_to_DER_cert(new.cert_chain_pems[0].bytes().decode())


def shown(port: int) -> bytes:
    """The certificate that a client gets to see."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain, context.wrap_socket(plain) as secured:
        return secured.getpeercert(binary_form=True) or b""


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


def until_refused(port: int) -> None:
    """Wait until nobody listens on it any more."""
    with suppress(ConnectionRefusedError):
        while True:
            # One that it has not accepted when it ceases to listen is reset.
            with suppress(ConnectionResetError):
                socket.create_connection(("127.0.0.1", port), timeout=60).close()


def asked(port: int, path: str) -> int:
    """The status of a request to the worker."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, bytes]:
    """Its exit status and what it said."""
    try:
        _, said = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return process.returncode, said


def test_a_renewed_certificate_is_shown_after_a_reload(control: Control, tmp_path: Path) -> None:
    """Its files are read with every configuration; where they cannot be used, the old one stays and that is said."""
    certificate, key, first = issued(tmp_path)
    port = free_port()
    process = started(control, port, "--tls-certificate", str(certificate), "--tls-key", str(key))
    control.hears()
    control.configures()
    control.hears()
    assert shown(port) == first
    certificate.write_text("half a certificate")
    control.configures()
    assert control.hears() == [Ready(1)]
    assert shown(port) == first
    _, _, second = issued(tmp_path)
    control.configures()
    assert control.hears() == [Ready(1)]
    assert shown(port) == second
    process.send_signal(signal.SIGTERM)
    status, said = ended(process)
    assert status == 0
    assert said.count(b"the old one stays") == 1


def test_authorities_are_read_anew_with_a_configuration(tmp_path: Path) -> None:
    """The file that a provider's `ca_file` names may hold another by then."""
    loop = asyncio.new_event_loop()
    arguments = [*ARGUMENTS[:-1], str(tmp_path), "--port", "0"]
    worker = Worker(parsed(arguments), loop)
    worker.configured(a_snapshot())
    before = tls_context(verify=True, ca_file=None)
    assert tls_context(verify=True, ca_file=None) is before
    worker.configured(a_snapshot())
    assert tls_context(verify=True, ca_file=None) is not before
    loop.close()


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


def test_a_worker_shows_that_it_lives_and_where_it_is(control: Control) -> None:
    """Once it serves: a byte that changes; and its stack, on its standard error, for who asks."""
    memory = os.memfd_create("test")
    os.ftruncate(memory, PULSE_BYTES)
    process = started(control, free_port(), "--pulse", f"{memory}:5", inherit=(memory,))
    control.hears()
    assert os.pread(memory, 8, 0) == bytes(8)
    control.configures()
    control.hears()
    while not os.pread(memory, 1, 5)[0]:
        os.sched_yield()
    process.send_signal(signal.SIGUSR1)
    assert process.stderr is not None
    said = b""
    while b"in main\n" not in said:
        said += os.read(process.stderr.fileno(), 65_536)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
    assert os.pread(memory, 5, 0) == bytes(5)
    os.close(memory)


def test_a_worker_that_drains_goes_on_without_its_supervisor(control: Control) -> None:
    """Who is still served has its answer, and the worker ends in order."""
    ours, theirs = os.pipe()
    port = free_port()
    process = started(control, port, "--lifeline", str(ours), inherit=(ours,))
    os.close(ours)
    control.hears()
    control.configures()
    control.hears()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"GET /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer somebody's-token\r\n\r\n")
        assert isinstance(control.hears()[0], Resolve)
        process.send_signal(signal.SIGTERM)
        until_refused(port)
        os.close(theirs)
        assert b'"code":"shutting_down"' in client.makefile("rb").read()
    assert ended(process) == (0, b"")


def test_an_address_that_cannot_be_listened_on_is_said(control: Control) -> None:
    """Exit status 1 and the reason, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = started(control, listening.getsockname()[1])
        status, said = ended(process)
    assert status == 1
    assert b"Address already in use" in said
    assert b"Traceback" not in said


@pytest.mark.parametrize("answers", [True, False])
def test_a_worker_that_ends_waits_for_counts_but_not_for_ever(tmp_path: Path, answers: bool) -> None:
    """What its drain cut off is counted while control is there; where it does not answer, whoever waits is told."""
    loop = asyncio.new_event_loop()
    worker = Worker(parsed([*ARGUMENTS[:-1], str(tmp_path), "--port", "0"]), loop)
    worker.configured(a_snapshot(drain_seconds=0.0))
    link = worker._services.link
    link.connected(LinkProtocol(link))
    counted: list[Counted | None] = []
    question = Count(0, "openai", "chat", "m", b"", b"", is_text=True, answer_dropped=0)
    link.count(question, 0.0, counted.append)
    answer = Counted(1, 1, 2, "counted")
    if answers:
        loop.call_later(0.01, link.received, answer)
    loop.run_until_complete(worker._drain())
    assert counted == [answer if answers else None]
    loop.close()


def test_the_command_line_is_the_supervisors() -> None:
    """Every flag the supervisor passes is understood."""
    options = parsed([*ARGUMENTS, "--port", "1", "--lifeline", "3", "--tls-certificate", "x", "--tls-key", "y"])
    assert (options.worker, options.port, options.lifeline, options.tls_key) == (0, 1, 3, "y")
