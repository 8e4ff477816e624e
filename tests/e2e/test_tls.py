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

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Secured:
    """A gateway that speaks HTTPS."""

    def __init__(self, gateway: Gateway, trusting: ssl.SSLContext) -> None:
        """`trusting` trusts its certificate."""
        self.gateway = gateway
        self.trusting = trusting

    def connection(self) -> HTTPSConnection:
        """A new connection, not made yet."""
        return HTTPSConnection("127.0.0.1", self.gateway.port, timeout=10, context=self.trusting)

    def plain(self) -> socket.socket:
        """A connection on which nobody has said a word."""
        return socket.create_connection(("127.0.0.1", self.gateway.port), timeout=10)

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


@pytest.fixture
def ending(start: Start, tmp_path: Path, provider: str) -> Secured:
    """One that the test ends."""
    return _secured(start, tmp_path, provider)


def _secured(start: Start, directory: Path, provider: str) -> Secured:
    """One worker with a certificate for 127.0.0.1 and little patience for heads and handshakes."""
    configuration = written(directory, provider)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(certificate), append=True)
    limits = "drain_seconds: 3, limits: {head_seconds: 0.5, held_body_bytes: 6000000}"
    tls = f"tls: {{certificate: '{certificate}', key: '{key}'}}"
    text = configuration.read_text().replace("drain_seconds: 8", f"{limits}, {tls}")
    configuration.write_text(text.replace("dialect: openai,", "dialect: openai, allow: all,"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return Secured(start(f"--config={configuration}").until_ready(), trusting)


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


def test_stranger_to_the_authority_leaves(secured: Secured) -> None:
    """A client that refuses the certificate harms nobody."""
    # Made before the connection, whose handshake has little time.
    distrusting = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError), secured.plain() as plain:
        distrusting.wrap_socket(plain, server_hostname="127.0.0.1")
    assert secured.is_serving()


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "half a hello"])
def test_stalled_handshake_is_cut(secured: Secured, first: bytes) -> None:
    """A handshake may take as long as a request's head and no longer."""
    with secured.plain() as stranger:
        stranger.sendall(first)
        assert until_closed(stranger) == b""
    assert secured.is_serving()


@pytest.mark.parametrize("trouble", ["plain text", "refused certificate", "stalled handshake", "left within"])
def test_worker_ends_after_a_failed_handshake(ending: Secured, trouble: str) -> None:
    """Whatever became of a handshake, the gateway ends within its drain time, by itself, with status 0."""
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
    assert ending.gateway.wait(8) == 0
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
    eventually(lambda: not is_alive(worker), 6)
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
