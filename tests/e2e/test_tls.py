"""HTTPS to the gateway: what its clients get, what strangers get, and that its worker still ends in order."""

import hashlib
import json
import os
import signal
import socket
import ssl
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import trustme

from tests.e2e.conftest import Start, written
from tests.e2e.polling import eventually
from tests.e2e.program import QUESTION, TOKEN, Gateway, is_alive

DRAIN = 60
"""Seconds that requests under way are waited for at the end: whoever ends sooner has waited for nobody."""
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Secured:
    """A gateway that speaks HTTPS."""

    def __init__(self, gateway: Gateway, trusting: ssl.SSLContext, directory: Path) -> None:
        """`trusting` trusts its certificate, which is in `directory`."""
        self.gateway = gateway
        self.directory = directory
        self.trusting = trusting

    def connection(self) -> HTTPSConnection:
        """A new connection, not made yet."""
        return HTTPSConnection("127.0.0.1", self.gateway.port, timeout=60, context=self.trusting)

    def plain(self) -> socket.socket:
        """A connection on which nobody has said a word."""
        return socket.create_connection(("127.0.0.1", self.gateway.port), timeout=60)

    def is_serving(self) -> bool:
        """Whether a request is answered."""
        connection = self.connection()
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
        connection.close()
        return status == 200


@pytest.fixture(scope="module")
def secured(start_once: Start, tmp_path_factory: pytest.TempPathFactory, provider: str) -> Secured:
    """A gateway for all tests that leave one behind that serves."""
    return _secured(start_once, tmp_path_factory.mktemp("secured"), provider)


@pytest.fixture(scope="module")
def hasty(start_once: Start, tmp_path_factory: pytest.TempPathFactory, provider: str) -> Secured:
    """One with little patience for handshakes: it may cut anybody's, on a machine with much to do."""
    return _secured(start_once, tmp_path_factory.mktemp("hasty"), provider, "hasty", head_seconds=0.5)


@pytest.fixture
def ending(start: Start, tmp_path: Path, provider: str) -> Secured:
    """One that the test ends."""
    return _secured(start, tmp_path, provider)


def _secured(start: Start, directory: Path, provider: str, name: str = "node", *, head_seconds: float = 60) -> Secured:
    """One worker with a certificate for 127.0.0.1 and so much patience for heads and handshakes."""
    configuration = written(directory, provider)
    trusting = certified(directory)
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    limits = f"drain_seconds: {DRAIN}, limits: {{head_seconds: {head_seconds}, held_body_bytes: 6000000}}"
    tls = f"tls: {{certificate: '{certificate}', key: '{key}'}}"
    text = configuration.read_text().replace("drain_seconds: 8", f"{limits}, {tls}")
    configuration.write_text(text.replace("dialect: openai,", "dialect: openai, allow: all,"))
    return Secured(start(f"--config={configuration}", name=name).until_ready(), trusting, directory)


def certified(directory: Path) -> ssl.SSLContext:
    """Write a new certificate for 127.0.0.1, of a new authority, and its key; who trusts that authority alone."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(directory / "key.pem"))
    (directory / "certificate.pem").write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return trusting


def trusts(secured: Secured) -> bool:
    """Whether a client that trusts the present authority is served."""
    try:
        return secured.is_serving()
    except ssl.SSLCertVerificationError:
        return False


def test_requests_and_streams(secured: Secured) -> None:
    """Whole answers and streams on one connection; TLS 1.2 or newer."""
    connection = secured.connection()
    connection.request("POST", "/v1/chat/completions", json.dumps(QUESTION), HEADERS)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["object"]) == (200, "chat.completion")
    assert isinstance(connection.sock, ssl.SSLSocket)
    assert connection.sock.version() in {"TLSv1.2", "TLSv1.3"}
    port = connection.sock.getsockname()[1]
    headers = HEADERS | {"x-mock-tokens": "300"}
    connection.request("POST", "/v1/chat/completions", json.dumps({**QUESTION, "stream": True}), headers)
    response = connection.getresponse()
    stream = response.read()
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.count(b"data: ") > 300
    assert stream.endswith(b"data: [DONE]\n\n")
    assert connection.sock.getsockname()[1] == port
    connection.close()


def test_large_bodies(secured: Secured) -> None:
    """5 MB up, held and streamed, and 5 MB down: not a byte is lost between the records."""
    connection = secured.connection()
    text = "\u00e9\u6c34" * 1_000_000
    body = json.dumps({**QUESTION, "padding": text}, ensure_ascii=False).encode()
    assert len(body) > 5_000_000
    connection.request("POST", "/v1/files", body, HEADERS | {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    assert json.loads(response.read())["bytes"] == len(body)
    connection.request("POST", "/mock/echo", body, HEADERS)
    response = connection.getresponse()
    assert response.status == 200
    echo = json.loads(response.read())
    assert echo["sha256"] == hashlib.sha256(body).hexdigest()
    assert echo["body"] == body.decode()
    connection.close()


def test_plain_http_is_refused(secured: Secured) -> None:
    """Who does not speak TLS gets no answer to its request and a closed connection; others notice nothing."""
    with secured.plain() as stranger:
        stranger.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/" not in until_closed(stranger)
    assert secured.is_serving()
    assert secured.gateway.errors() == []


def test_renewed_certificate_is_shown_after_a_signal(ending: Secured) -> None:
    """Clients that trust the new authority alone are served; who is connected already notices nothing."""
    connection = ending.connection()
    connection.request("GET", "/readyz")
    assert connection.getresponse().read() == b"ok"
    ending.trusting = certified(ending.directory)
    ending.gateway.signal(signal.SIGHUP)
    eventually(lambda: trusts(ending))
    connection.request("GET", "/readyz")
    assert connection.getresponse().read() == b"ok"
    connection.close()


def test_refusal_of_a_large_upload_is_heard(secured: Secured) -> None:
    """The connection is not reset while the client still sends, so that it does not lose the answer."""
    connection = secured.connection()
    connection.request("POST", "/v1/files", b"x" * 20_000_000, HEADERS | {"Authorization": "Bearer unknown"})
    assert connection.getresponse().status == 401
    connection.close()


def test_stranger_to_the_authority_leaves(secured: Secured) -> None:
    """A client that refuses the certificate harms nobody."""
    distrusting = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError), secured.plain() as plain:
        distrusting.wrap_socket(plain, server_hostname="127.0.0.1")
    assert secured.is_serving()


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "half a hello"])
def test_stalled_handshake_is_cut(hasty: Secured, first: bytes) -> None:
    """A handshake may take as long as a request's head and no longer."""
    with hasty.plain() as stranger:
        stranger.sendall(first)
        assert until_closed(stranger) == b""
    eventually(hasty.is_serving)


@pytest.mark.parametrize("trouble", ["plain text", "refused certificate", "stalled handshake", "left within"])
def test_worker_ends_after_a_failed_handshake(ending: Secured, trouble: str) -> None:
    """Whatever became of a handshake, the gateway ends long before its drain time is over, by itself, with status 0."""
    distrusting = ssl.create_default_context()
    stranger = ending.plain()
    match trouble:
        case "plain text":
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            until_closed(stranger)
        case "refused certificate":
            with pytest.raises(ssl.SSLCertVerificationError):
                distrusting.wrap_socket(stranger, server_hostname="127.0.0.1")
        case "left within":
            stranger.sendall(b"\x16\x03\x01\x02\x00\x01")
            stranger.close()
        case _:
            stranger.sendall(b"\x16\x03\x01\x02\x00\x01")
    assert ending.is_serving()
    worker = ending.gateway.process("worker-0")
    ending.gateway.signal(signal.SIGTERM)
    assert ending.gateway.wait(DRAIN / 2) == 0
    stranger.close()
    assert not is_alive(worker)
    assert ending.gateway.logged("process died") == []
    assert ending.gateway.errors() == []


def test_worker_alone_ends_after_a_failed_handshake(secured: Secured) -> None:
    """Told to stop by itself, a worker is gone long before anybody would kill it, and is started again."""
    with secured.plain() as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        until_closed(stranger)
    worker = secured.gateway.process("worker-0")
    os.kill(worker, signal.SIGTERM)
    eventually(lambda: not is_alive(worker), DRAIN / 2)
    eventually(lambda: secured.gateway.process("worker-0") != worker and secured.is_serving())


def until_closed(stranger: socket.socket) -> bytes:
    """What is heard until the other side has ended the connection, by a reset perhaps. Raises TimeoutError."""
    heard = b""
    try:
        while more := stranger.recv(65_536):
            heard += more
    except ConnectionResetError:
        return heard
    return heard
