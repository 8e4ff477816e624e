"""Upgraded connections, beyond what the flows show."""

import asyncio

from sluicegate.gateway.tunnel import Tunnel
from tests.gateway.node import FakeTransport


class OneWay(FakeTransport):
    """A transport that cannot be closed on one side only (TLS)."""

    def can_write_eof(self) -> bool:
        return False


def made(
    kind: type[FakeTransport] = FakeTransport,
) -> tuple[Tunnel, FakeTransport, FakeTransport, list[tuple[int, int]]]:
    """A tunnel between two scripted transports, and what it reports at its end."""
    loop = asyncio.new_event_loop()
    client, upstream = kind(loop, asyncio.Protocol()), kind(loop, asyncio.Protocol())
    upstream.pause_reading()
    ended: list[tuple[int, int]] = []
    return Tunnel(client, upstream, lambda sent, received: ended.append((sent, received))), client, upstream, ended


def settle(transport: FakeTransport) -> None:
    """Let both sides learn of their end."""
    for _ in range(3):
        transport.loop.call_soon(transport.loop.stop)
        transport.loop.run_forever()
    transport.loop.close()


def test_the_end_of_one_direction_travels() -> None:
    """A half-close is passed on, and the other direction goes on."""
    tunnel, client, upstream, _ = made()
    assert upstream.is_reading()
    assert tunnel.client.eof_received()
    assert upstream.is_half_closed
    tunnel.upstream.data_received(b"abc")
    assert client.take() == b"abc"
    assert repr(tunnel) == "<Tunnel sent=0 received=3>"
    assert repr(tunnel.upstream) == "<TunnelEnd received=3>"
    tunnel.close()
    settle(client)


def test_what_came_before_the_tunnel_is_passed_on_and_counted() -> None:
    """From either side to the other."""
    loop = asyncio.new_event_loop()
    client, upstream = FakeTransport(loop, asyncio.Protocol()), FakeTransport(loop, asyncio.Protocol())
    tunnel = Tunnel(client, upstream, lambda _sent, _received: None, early=(b"ab", b"c"))
    assert (client.take(), upstream.take()) == (b"c", b"ab")
    assert repr(tunnel) == "<Tunnel sent=2 received=1>"
    tunnel.close()
    settle(client)


def test_without_half_close_the_end_is_the_end() -> None:
    """Over TLS the whole tunnel is closed."""
    tunnel, client, upstream, ended = made(OneWay)
    assert not tunnel.client.eof_received()
    assert not upstream.is_open
    settle(client)
    assert ended == [(0, 0)]


def test_the_account_is_given_once() -> None:
    """However many sides are lost."""
    tunnel, client, _, ended = made()
    tunnel.client.data_received(b"ab")
    tunnel.close()
    tunnel.upstream.resume_writing()
    settle(client)
    assert ended == [(2, 0)]
