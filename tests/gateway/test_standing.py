"""Who has a connection in the turn in which it stands: nobody, until it is handed over."""

import asyncio
from collections.abc import Iterator

import pytest

from sluicegate.gateway.standing import Standing
from tests.gateway.node import FakeTransport


class Taker(asyncio.Protocol):
    """Whoever it is handed to: all that it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append(transport)

    def data_received(self, data: bytes) -> None:
        self.told.append(data)


@pytest.fixture
def transport() -> Iterator[FakeTransport]:
    """A connection that stands."""
    loop = asyncio.new_event_loop()
    standing = Standing()
    transport = FakeTransport(loop, standing)
    standing.connection_made(transport)
    yield transport
    loop.close()


def standing_of(transport: FakeTransport) -> Standing:
    """Its protocol."""
    assert isinstance(transport.protocol, Standing)
    return transport.protocol


def test_it_is_handed_over_with_what_came_in(transport: FakeTransport) -> None:
    """Some who take no more connections say so at once."""
    standing, taker = standing_of(transport), Taker()
    standing.data_received(b"HTTP/1.1 503 ")
    standing.data_received(b"Busy")
    assert repr(standing) == "<Standing open early=17>"
    standing.hand_over(taker)
    assert taker.told == [transport, b"HTTP/1.1 503 Busy"]
    assert transport.protocol is taker


def test_what_came_in_is_handed_over_once(transport: FakeTransport) -> None:
    """First to a proxy's handshake, then to the protocol behind it."""
    standing, first, second = standing_of(transport), Taker(), Taker()
    standing.hand_over(first)
    standing.hand_over(second)
    assert first.told == second.told == [transport]
    assert transport.protocol is second


@pytest.mark.parametrize("is_ended_by_peer", [True, False], ids=["ended", "lost"])
def test_what_is_lost_is_nobodys(transport: FakeTransport, is_ended_by_peer: bool) -> None:
    """Nobody would be told of its end."""
    standing, taker = standing_of(transport), Taker()
    if is_ended_by_peer:
        standing.eof_received()
    else:
        transport.lose(OSError())
    with pytest.raises(ConnectionError, match="as soon as it stood"):
        standing.hand_over(taker)
    assert not taker.told
    assert not transport.is_open
