"""Accepts clients: the listening socket, who is connected, and how many may be."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

from sluicegate.gateway.client import ClientConnection
from sluicegate.gateway.services import Services

BACKLOG = 4_096
"""Connections the kernel holds until we accept them; capped by net.core.somaxconn, 4,096 on current kernels."""

_REFUSAL_BODY = b'{"error":{"message":"too many connections","type":"server_error","param":null,"code":"overloaded"}}'
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"retry-after: 1\r\nContent-Length: %d\r\n\r\n%b" % (len(_REFUSAL_BODY), _REFUSAL_BODY)
)
"""Made beforehand: refusing must cost as little as possible."""


class Listener:
    """The clients of one worker."""

    __slots__ = ("_server", "_services", "_socket", "clients", "refusal")

    def __init__(self, services: Services) -> None:
        """Nothing is open yet."""
        self._services = services
        self._server: asyncio.Server | None = None
        self._socket: socket.socket | None = None
        self.clients: set[ClientConnection] = set()
        self.refusal = REFUSAL

    def __repr__(self) -> str:
        """Tell whether clients are accepted, and how many are here."""
        return f"<Listener {'open' if self._server else 'closed'} clients={len(self.clients)}>"

    def make(self) -> ClientConnection:
        """A protocol for a connection about to be made."""
        return ClientConnection(self, self._services)

    def admit(self, client: ClientConnection) -> bool:
        """Count a client in, unless there are too many."""
        if len(self.clients) >= self._services.bounds.connections:
            return False
        self.clients.add(client)
        return True

    def gone(self, client: ClientConnection) -> None:
        """A client left."""
        self.clients.discard(client)

    async def open(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Accept on this socket."""
        loop = asyncio.get_running_loop()
        self._socket = listening
        self._server = await loop.create_server(self.make, sock=listening, ssl=tls, backlog=BACKLOG)

    async def drain(self, seconds: float, *, wait: Callable[[float], Awaitable[None]]) -> None:
        """Accept no more, let exchanges finish for up to `seconds`, then end them. `wait` sleeps."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in list(self.clients):
            client.drain()
        waited = 0.0
        while self.clients and waited < seconds:
            await wait(0.05)
            waited += 0.05
            for client in list(self.clients):
                client.drain()
        for client in list(self.clients):
            client.cut()
        for _ in range(20):
            if not self.clients:
                break
            await wait(0.05)

    def sweep(self, now: float) -> None:
        """Let every client look at its deadlines."""
        for client in list(self.clients):
            client.sweep(now)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that shares its address with the other workers (SO_REUSEPORT). Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    listening.settimeout(0)
    return listening


def server_tls(certificate: str, key: str) -> ssl.SSLContext:
    """The context for clients over TLS (1.2 and newer, the library's default). Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
