"""Whether a provider can have read what was last sent."""

import asyncio
import socket
import struct
from typing import Any

import pytest

from sluicegate.gateway.stale import is_unread, was_never_read


class Transport(asyncio.BaseTransport):
    """Knows its socket, and nothing else."""

    def __init__(self, peer: object) -> None:
        super().__init__()
        self.peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.peer if name == "socket" else default


def info(state: int, unacknowledged: int) -> bytes:
    """A `tcp_info` as the kernel writes it."""
    return struct.pack("=B7x4I", state, 0, 0, 0, 0) + struct.pack("=I", unacknowledged) + bytes(80)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(info(8, 0), False), (info(8, 1), True), (info(7, 0), True), (info(1, 0), False), (b"", False)],
)
def test_a_reset_or_unacknowledged_bytes_mean_unread(given: bytes, expected: bool) -> None:
    """CLOSE (7) is a reset; CLOSE-WAIT (8) with everything acknowledged was read."""
    assert is_unread(given) is expected


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    return ours, theirs


def test_a_peer_that_closed_before_we_sent_has_read_nothing() -> None:
    """Its kernel answers our bytes with a reset."""
    ours, theirs = connected()
    theirs.close()
    ours.sendall(b"request")
    assert was_never_read(Transport(ours))
    ours.close()


def test_a_peer_that_read_and_closed_has_read() -> None:
    """A clean end after our bytes were taken."""
    ours, theirs = connected()
    ours.sendall(b"request")
    assert theirs.recv(100) == b"request"
    theirs.close()
    assert not was_never_read(Transport(ours))
    ours.close()


def test_what_the_kernel_cannot_tell_counts_as_read() -> None:
    """No transport, no socket, a Unix socket, a closed one."""
    left, right = socket.socketpair()
    closed, theirs = connected()
    closed.close()
    theirs.close()
    for transport in (None, Transport(None), Transport(left), Transport(closed)):
        assert not was_never_read(transport)
    left.close()
    right.close()
