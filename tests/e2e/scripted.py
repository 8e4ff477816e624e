"""A provider whose every word a test writes: raw bytes on real sockets, over TLS if need be."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Answering = Callable[[socket.socket, bytes], None]
"""Answers one request, given whole, on its connection; a connection it closes is asked nothing more."""

TLS_HELLO = b"\x16\x03"
"""How a TLS record with a client's hello begins (RFC 8446 section 5.1)."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing sends RST instead of FIN."""


class ScriptedProvider:
    """Listens on a free port; each connection has a thread that reads whole requests and lets them be answered."""

    def __init__(self, answering: Answering, tls: ssl.SSLContext | None = None) -> None:
        """Start to listen. `requests` collects what came."""
        self.requests: list[bytes] = []
        self._answering = answering
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __repr__(self) -> str:
        """Tell what was asked."""
        return f"<ScriptedProvider {self.port} requests={len(self.requests)}>"

    def __enter__(self) -> Self:
        """Be closed at the end of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every connection and wait for every thread."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        # Whoever asks may break off at any point: that is what these tests are about.
        with suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
                self._connections.append(connection)
            while request := whole_request(connection):
                self.requests.append(request)
                self._answering(connection, request)
        connection.close()


def whole_request(connection: socket.socket) -> bytes:
    """Read one request to its end, by its length or its last chunk; nothing where the connection ended instead.

    A hello of TLS counts as a request: no other bytes would follow it.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        data += (more := connection.recv(65_536))
        if not more:
            return b""
        if data.startswith(TLS_HELLO):
            return data
    head, _, body = data.partition(b"\r\n\r\n")
    sizes = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    parts, size = [body], len(body)
    while size < int(sizes[0]) if sizes else (b"chunked" in head.lower() and not parts[-1].endswith(b"0\r\n\r\n")):
        parts.append(connection.recv(1 << 20))
        size += len(parts[-1])
        if not parts[-1]:
            return b""
    return head + b"\r\n\r\n" + b"".join(parts)


def field(request: bytes, name: bytes) -> bytes:
    """The value of a request's header field, empty where there is none."""
    head = request.partition(b"\r\n\r\n")[0]
    pairs = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    return next((value for key, _, value in pairs if key.lower() == name), b"")


def reset(connection: socket.socket) -> None:
    """End a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def until_left(connection: socket.socket) -> None:
    """Be silent until the other side has ended the connection."""
    while connection.recv(65_536):
        pass
    connection.close()


def sized(body: bytes, *, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """An answer with a length."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(*pieces: bytes, kind: str = "text/event-stream", is_ended: bool = True) -> bytes:
    """An answer in chunks."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n" * is_ended
