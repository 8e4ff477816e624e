"""The worker's listening socket and its clients, over real connections."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme

from sluicegate.domain.snapshot import ClientBounds
from sluicegate.gateway.client import ClientConnection
from sluicegate.gateway.listener import KEEPALIVE, Listener, TurnedAway, listening_socket, server_tls
from tests.gateway.node import FakeTransport, Node, a_request, parts

HEALTHZ = a_request("/healthz", b"", method="GET", token=None, fields=("Connection: close",))


async def ask(port: int, tls: ssl.SSLContext | None = None) -> tuple[bytes, str | None]:
    """The whole answer to a health check, and the protocol that TLS agreed on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    chosen = writer.get_extra_info("ssl_object")
    writer.write(HEALTHZ)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer, chosen.selected_alpn_protocol() if chosen is not None else None


async def at_once(_seconds: float) -> None:
    """Wait no longer than a turn of the loop."""
    await asyncio.sleep(0)


def run(node: Node, main: Coroutine[Any, Any, None]) -> None:
    """Run on the node's loop, until what it closed is closed."""
    node.loop.run_until_complete(main)
    node.settle()


def test_workers_share_one_port() -> None:
    """Each worker has its own socket on the address of the first."""
    with listening_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listening_socket("127.0.0.1", port) as second:
            assert second.getsockname() == ("127.0.0.1", port)
            assert first.gettimeout() == second.gettimeout() == 0.0


def test_a_taken_port_is_an_error() -> None:
    """A program that does not share its port keeps it."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="Address already in use"):
        listening_socket("127.0.0.1", other.getsockname()[1])


def test_the_kernel_looks_whether_clients_are_still_there() -> None:
    """Each accepted connection is asked after a silence: one that vanished must not hold its place for ever."""
    with listening_socket("127.0.0.1", 0) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                for option, value in KEEPALIVE:
                    assert accepted.getsockopt(socket.IPPROTO_TCP, option) == value


def test_clients_are_served_until_draining(node: Node) -> None:
    """After it nobody is let in any more; the representation tells."""

    async def main() -> None:
        listening = listening_socket("127.0.0.1", 0)
        port = listening.getsockname()[1]
        assert repr(node.listener) == "<Listener closed clients=0 handshakes=0>"
        await node.listener.open(listening, None)
        assert repr(node.listener) == "<Listener open clients=0 handshakes=0>"
        status, _, body = parts((await ask(port))[0])
        assert (status, body) == (200, b"ok")
        await node.listener.drain(1, wait=at_once)
        with pytest.raises(ConnectionRefusedError):
            await ask(port)
        assert repr(node.listener) == "<Listener closed clients=0 handshakes=0>"

    run(node, main())


def test_clients_over_tls(node: Node, tmp_path: Path) -> None:
    """The certificate and key of the configuration; HTTP/1.1 is agreed on."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(certificate), append=True)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    trusting.set_alpn_protocols(["h2", "http/1.1"])

    async def main() -> None:
        listening = listening_socket("127.0.0.1", 0)
        await node.listener.open(listening, server_tls(str(certificate), str(key)))
        answer, chosen = await ask(listening.getsockname()[1], trusting)
        assert parts(answer)[::2] == (200, b"ok")
        assert chosen == "http/1.1"
        await node.listener.drain(1, wait=at_once)

    run(node, main())


def test_a_certificate_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """Missing files and files of something else are told apart."""
    with pytest.raises(FileNotFoundError):
        server_tls(str(tmp_path / "none.pem"), str(tmp_path / "none.key"))
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("not a certificate")
    with pytest.raises(ssl.SSLError):
        server_tls(str(wrong), str(wrong))


def test_a_client_that_cannot_be_ended_does_not_hold_up_the_end(node: Node) -> None:
    """After the drain and a second more the worker goes, whoever is left."""

    class Stuck(FakeTransport):
        def lose(self, error: Exception | None) -> None:
            """Stay."""

    listener = Listener(node.services)
    client = ClientConnection(listener, node.services)
    client.connection_made(Stuck(node.loop, client))
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    run(node, listener.drain(0.5, wait=note))
    assert listener.clients == {client}
    assert sum(waits) == pytest.approx(1.5, abs=0.06)


def test_a_client_that_is_gone_makes_room(node: Node) -> None:
    """The bound is on those connected at the same time."""
    node.services.bounds = node.services.bounds.__class__(connections=1)
    node.client().leaves()
    assert node.client().is_connected
    assert len(node.listener.clients) == 1


def test_a_client_too_many_is_told(node: Node) -> None:
    """Without TLS it hears why, and when to try again, and is not counted."""
    node.services.bounds = ClientBounds(connections=1)
    node.client()
    second = node.client()
    status, fields, body = parts(second.hears())
    assert (status, fields["connection"]) == (503, "close")
    assert (fields["retry-after"], fields["retry-after-ms"]) == ("1", "1000")
    assert b'"code":"overloaded"' in body
    assert not second.is_connected
    assert len(node.listener.clients) == 1


def test_every_client_looks_at_its_deadlines(node: Node) -> None:
    """An idle one is cut when its time is over."""
    client = node.client()
    node.passes(node.services.bounds.idle_seconds)
    assert client.is_connected
    node.passes(1)
    assert client.transport.is_aborted


def test_a_client_that_finishes_while_draining_is_closed(node: Node) -> None:
    """It is looked at again in every step of the wait, and nobody waits on once all are gone."""
    client = node.client().says(a_request())
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            client.transport.lose(None)
        await asyncio.sleep(0)

    run(node, node.listener.drain(5, wait=note))
    assert len(waits) == 2
    assert not node.listener.clients


def test_draining_goes_by_the_clock(node: Node) -> None:
    """Steps that take longer than they should are fewer: the supervisor would kill who is still here."""
    client = node.client().says(a_request())
    waits: list[float] = []

    async def slowly(seconds: float) -> None:
        waits.append(seconds)
        node.now += 1.0
        await asyncio.sleep(0)

    run(node, node.listener.drain(5, wait=slowly))
    assert len(waits) < 10
    assert parts(client.hears())[0] == 503


class Gone(asyncio.Protocol):
    """A stranger's side of a connection: tells when it is over, and what came before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.received = b""
        self.over: asyncio.Future[bytes] = loop.create_future()

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set_result(self.received)


class Watched(Listener):
    """Says when somebody came, before anything is read from him, and when a client left."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.services)
        self.came = asyncio.Event()
        self.left = asyncio.Event()

    def gone(self, client: ClientConnection) -> None:
        super().gone(client)
        self.left.set()

    def _make_secured(self) -> asyncio.Protocol:
        self.came.set()
        return super()._make_secured()


async def opened(node: Node, certificate: tuple[str, str]) -> tuple[Watched, tuple[str, int]]:
    """A listener for TLS, and its address."""
    listener = Watched(node)
    listening = listening_socket("127.0.0.1", 0)
    await listener.open(listening, server_tls(*certificate))
    return listener, listening.getsockname()


async def stranger(node: Node, listener: Watched, address: tuple[str, int], first: bytes = b"") -> Gone:
    """Somebody who connects, says a little and waits."""
    listener.came.clear()
    transport, gone = await node.loop.create_connection(lambda: Gone(node.loop), *address)
    transport.write(first)
    await listener.came.wait()
    return gone


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """One for all: keys cost time."""
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """Paths of a certificate's chain and its key."""
    issued = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(chain), append=True)
    return str(chain), str(key)


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_handshake_takes_a_place(node: Node, certificate: tuple[str, str], trusting: ssl.SSLContext) -> None:
    """Where strangers hold all places nobody else is let in, over TLS or at all; a place that is left can be taken."""
    node.services.bounds = ClientBounds(connections=2)

    async def main() -> None:
        listener, address = await opened(node, certificate)
        held = [await stranger(node, listener, address), await stranger(node, listener, address, b"\x16\x03\x01")]
        assert repr(listener) == "<Listener open clients=0 handshakes=2>"
        turned_away = await stranger(node, listener, address)
        assert await turned_away.over == b""
        assert repr(listener) == "<Listener open clients=0 handshakes=2>"
        for handshake in list(listener._handshakes):
            handshake.abort()
        for gone in held:
            await gone.over
        assert repr(listener) == "<Listener open clients=0 handshakes=0>"
        assert parts((await ask(address[1], trusting))[0])[0] == 200
        await listener.drain(1, wait=at_once)

    run(node, main())


def test_a_handshake_that_is_done_frees_its_place_for_the_client(
    node: Node, certificate: tuple[str, str], trusting: ssl.SSLContext
) -> None:
    """One connection is counted once: the only place there is serves a client after the other."""
    node.services.bounds = ClientBounds(connections=1)

    async def main() -> None:
        listener, address = await opened(node, certificate)
        reader, writer = await asyncio.open_connection(*address, ssl=trusting)
        writer.write(a_request("/healthz", b"", method="GET", token=None))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert repr(listener) == "<Listener open clients=1 handshakes=0>"
        await (await stranger(node, listener, address)).over
        writer.transport.abort()
        await listener.left.wait()
        assert parts((await ask(address[1], trusting))[0])[0] == 200
        await listener.drain(1, wait=at_once)

    run(node, main())


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01"], ids=["silent", "half a greeting"])
def test_a_handshake_that_takes_too_long_is_cut(node: Node, certificate: tuple[str, str], first: bytes) -> None:
    """It has as long as a request's head, from the first sweep that sees it; who talks on gains nothing."""

    async def main() -> None:
        listener, address = await opened(node, certificate)
        gone = await stranger(node, listener, address, first)
        slowest = node.services.bounds.head_seconds
        for now in (100.0, 101.0, 100.0 + slowest):
            listener.sweep(now)
            assert repr(listener) == "<Listener open clients=0 handshakes=1>"
        listener.sweep(100.1 + slowest)
        assert await gone.over == b""
        assert repr(listener) == "<Listener open clients=0 handshakes=0>"
        await listener.drain(1, wait=at_once)

    run(node, main())


@pytest.mark.parametrize("garbage", [b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n", b"\x00" * 64], ids=["HTTP", "zeros"])
def test_a_stranger_to_tls_gets_an_alert(node: Node, certificate: tuple[str, str], garbage: bytes) -> None:
    """And no answer in clear; his place is free again."""

    async def main() -> None:
        listener, address = await opened(node, certificate)
        gone = await stranger(node, listener, address, garbage)
        assert (await gone.over)[:1] in (b"\x15", b"")
        assert repr(listener) == "<Listener open clients=0 handshakes=0>"
        await listener.drain(1, wait=at_once)

    run(node, main())


def test_draining_cuts_handshakes(node: Node, certificate: tuple[str, str]) -> None:
    """They have asked for nothing yet, and hold nobody up."""

    async def main() -> None:
        listener, address = await opened(node, certificate)
        gone = await stranger(node, listener, address)
        waits: list[float] = []

        async def note(seconds: float) -> None:
            waits.append(seconds)

        await listener.drain(5, wait=note)
        assert await gone.over == b""
        assert waits == []
        assert repr(listener) == "<Listener closed clients=0 handshakes=0>"

    run(node, main())


def test_who_is_turned_away_is_cut_at_once(node: Node) -> None:
    """Before a byte is read or written."""
    turned_away = TurnedAway()
    transport = FakeTransport(node.loop, turned_away)
    turned_away.connection_made(transport)
    assert transport.is_aborted
    assert transport.take() == b""
    node.settle()
