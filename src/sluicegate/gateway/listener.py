"""Accepts clients: the listening socket, who is connected, and how many may be."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import cast

from sluicegate.domain.errors import GatewayError
from sluicegate.gateway.client import ClientConnection
from sluicegate.gateway.replies import error_reply
from sluicegate.gateway.secured import Secured
from sluicegate.gateway.services import Services

BACKLOG = 4_096
"""Connections the kernel holds until we accept them; capped by net.core.somaxconn, 4,096 on current kernels."""

KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""Seconds of silence after which the kernel asks whether a client is still there, how often, and when it gives up: one
that vanished without a word would else hold its tunnel, or wait for its answer, for ever (tcp(7))."""

_UNTRIED = b"x-gateway-attempts: 0\r\nx-gateway-cache: bypass\r\nx-gateway-overhead-us: 0\r\n"


class Listener:
    """The clients of one worker."""

    __slots__ = ("_handshakes", "_server", "_services", "_socket", "clients", "tls")

    def __init__(self, services: Services) -> None:
        """Nothing is open yet."""
        self._services = services
        self._server: asyncio.Server | None = None
        self._socket: socket.socket | None = None
        self._handshakes: set[Secured] = set()
        self.tls: ssl.SSLContext | None = None
        """What clients that connect from now on are spoken to with, where the socket was opened for TLS."""
        self.clients: set[ClientConnection] = set()

    def __repr__(self) -> str:
        """Tell whether clients are accepted, and how many are here."""
        state = "open" if self._server else "closed"
        return f"<Listener {state} clients={len(self.clients)} handshakes={len(self._handshakes)}>"

    def make(self) -> ClientConnection:
        """A protocol for a connection about to be made."""
        return ClientConnection(self, self._services)

    def _make_secured(self) -> asyncio.Protocol:
        """The same behind TLS: counted from the first byte of the handshake, which strangers can draw out."""
        if len(self.clients) + len(self._handshakes) >= self._services.bounds.connections:
            return TurnedAway()
        assert self.tls is not None, "it is made where the socket was opened for TLS"
        handshake = Secured(self.tls, self.make, self._shaken)
        self._handshakes.add(handshake)
        return handshake

    def _shaken(self, handshake: Secured, _error: Exception | None) -> None:
        self._handshakes.discard(handshake)

    def refusal(self, error: GatewayError) -> bytes:
        """The answer to a request that cannot be read, or is not: so nobody knows whose API it is of."""
        services = self._services
        return error_reply(
            error,
            services.dialects["openai"],
            request_id=services.ids.next(),
            closes=True,
            is_head=False,
            extra=services.identity("", "", None) + _UNTRIED,
        )

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
        self.tls = tls
        make = self.make if tls is None else self._make_secured
        self._server = await loop.create_server(make, sock=listening, backlog=BACKLOG)

    async def drain(self, seconds: float, *, wait: Callable[[float], Awaitable[None]]) -> None:
        """Accept no more, let exchanges finish for up to `seconds`, then end them. `wait` sleeps."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for handshake in list(self._handshakes):
            handshake.abort()
        for client in list(self.clients):
            client.drain()
        clock = self._services.clock
        began, waited = clock(), 0.0
        while self.clients and waited < seconds:
            await wait(0.05)
            # Every step takes longer than that, on a busy machine much: who waits for us goes by the clock.
            waited = max(waited + 0.05, clock() - began)
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
        slowest = self._services.bounds.head_seconds
        for handshake in list(self._handshakes):
            handshake.since = handshake.since or now
            if now - handshake.since > slowest:
                handshake.abort()


class TurnedAway(asyncio.Protocol):
    """A client that asks for TLS where there are too many: no answer of ours could be read before the handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close at once."""
        cast("asyncio.Transport", transport).abort()


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that shares its address with the other workers (SO_REUSEPORT). Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # What is accepted inherits these.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            listening.setsockopt(socket.IPPROTO_TCP, option, value)
        if family == socket.AF_INET6:
            # `::` stands for every address of the machine, whatever its default is.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
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
