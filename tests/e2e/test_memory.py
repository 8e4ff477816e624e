"""Large bodies and slow peers: a worker holds a bounded part of what passes, and loses none of it."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.scripted import sized

SIZE = 100_000_000
ROOM = 8_000_000
"""Bytes by which a worker may grow, whatever the body's size."""
HEAD = f"HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.fixture
def large(start: Start, configuration: Path, listening: socket.socket) -> Gateway:
    """One worker before two providers, of which any path may be asked: the mock, and a socket that nobody reads."""
    slow = f"slow: {{dialect: openai, base_url: 'http://127.0.0.1:{listening.getsockname()[1]}', allow: all}}"
    text = configuration.read_text().replace("dialect: openai,", "dialect: openai, allow: all,")
    configuration.write_text(text.replace("providers: {", f"providers: {{{slow}, "))
    return start(f"--config={configuration}").until_ready()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A provider's socket, with a small buffer for what it receives."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        made.settimeout(60)
        yield made


def test_client_that_does_not_read(large: Gateway) -> None:
    """Of 100 MB for a client that reads nothing little is held, and its provider waits; then it gets every byte."""
    before = resident(large)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(60)
        client.connect(("127.0.0.1", large.port))
        client.sendall(f"GET /mock/big?bytes={SIZE} {HEAD}Connection: close\r\n\r\n".encode())
        assert client.recv(4096, socket.MSG_PEEK).startswith(b"HTTP/1.1 200 OK\r\n")
        stands_still(large)
        assert resident(large) - before < ROOM
        letters, end = 0, b""
        while more := client.recv(1 << 20):
            letters += more.count(b"x")
            end = (end + more)[-16:]
    assert end.endswith(b"\r\n0\r\n\r\n")
    # The body is nothing but x; the head has a few more of them, in `x-request-id` and the like.
    assert SIZE <= letters < SIZE + 100
    assert resident(large) - before < ROOM
    event = eventually(large.events)[0]
    assert (event["status_code"], event["response_bytes"], event.get("is_cut", False)) == (200, SIZE, False)


def test_provider_that_does_not_read(large: Gateway, listening: socket.socket) -> None:
    """Of a 100 MB upload little is held, and the client waits; once the provider reads, it gets every byte."""
    before = resident(large)
    piece = bytes(range(256)) * 4096
    sent = hashlib.sha256()

    def upload(client: socket.socket) -> None:
        head = f"POST /slow/files {HEAD}Content-Type: application/octet-stream\r\nContent-Length: {SIZE}\r\n\r\n"
        client.sendall(head.encode())
        for start in range(0, SIZE, len(piece)):
            data = piece[: SIZE - start]
            sent.update(data)
            client.sendall(data)

    with socket.create_connection(("127.0.0.1", large.port), timeout=60) as client:
        uploading = threading.Thread(target=upload, args=(client,))
        uploading.start()
        provider, _ = listening.accept()
        with provider:
            provider.settimeout(60)
            stands_still(large)
            assert uploading.is_alive()
            assert resident(large) - before < ROOM
            head, _, body = until_head(provider)
            received, size = hashlib.sha256(body), len(body)
            while size < SIZE:
                more = provider.recv(1 << 20)
                assert more
                received.update(more)
                size += len(more)
            assert f"content-length: {SIZE}".encode() in head.lower()
            provider.sendall(sized(b'{"id":"file"}'))
            uploading.join()
            assert client.recv(65_536).endswith(b'{"id":"file"}')
    assert (size, received.digest()) == (SIZE, sent.digest())
    assert resident(large) - before < ROOM


def until_head(provider: socket.socket) -> tuple[bytes, bytes, bytes]:
    """A request's head, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += provider.recv(65_536)
    return data.partition(b"\r\n\r\n")


def stands_still(gateway: Gateway) -> None:
    """Wait until the worker uses no more processor time between two looks: it has taken all it will."""
    seen: list[int] = []

    def is_still() -> bool:
        seen.append(ticks(gateway))
        return len(seen) > 10 and seen[-1] == seen[-10]

    eventually(is_still)


def ticks(gateway: Gateway) -> int:
    """Processor time of the worker, in ticks of 10 ms."""
    fields = Path(f"/proc/{gateway.process('worker-0')}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident(gateway: Gateway) -> int:
    """Resident memory of the worker in bytes."""
    fields = Path(f"/proc/{gateway.process('worker-0')}/status").read_text().splitlines()
    return int(next(field.split()[1] for field in fields if field.startswith("VmRSS:"))) * 1024
