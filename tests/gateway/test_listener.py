"""The worker's listening socket and its clients, over real connections."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme

from sluicegate.gateway.client import ClientConnection
from sluicegate.gateway.listener import Listener, listening_socket, server_tls
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
    """Run on the node's loop."""
    node.loop.run_until_complete(main)


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


def test_clients_are_served_until_draining(node: Node) -> None:
    """After it nobody is let in any more; the representation tells."""

    async def main() -> None:
        listening = listening_socket("127.0.0.1", 0)
        port = listening.getsockname()[1]
        assert repr(node.listener) == "<Listener closed clients=0>"
        await node.listener.open(listening, None)
        assert repr(node.listener) == "<Listener open clients=0>"
        status, _, body = parts((await ask(port))[0])
        assert (status, body) == (200, b"ok")
        await node.listener.drain(1, wait=at_once)
        with pytest.raises(ConnectionRefusedError):
            await ask(port)
        assert repr(node.listener) == "<Listener closed clients=0>"

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
