"""Whether a pooled connection was already closed by the provider when we used it once more.

A request that the provider may have read must not be sent twice: it would be billed twice. The kernel knows: data that
met a closed socket is answered with a reset, so the connection is in state CLOSE; data still on its way is not
acknowledged; data that was acknowledged was taken by a living socket (tcp(7), `TCP_INFO`).
"""

import asyncio
import socket
import struct

_STATE_CLOSE = 7
_UNACKED = struct.Struct("=24xI")
"""`struct tcp_info`: eight bytes of which the first is the state, then rto, ato, snd_mss, rcv_mss, unacked."""


def was_never_read(transport: asyncio.BaseTransport | None) -> bool:
    """Whether what we last sent cannot have been read by the peer. False where the kernel cannot tell."""
    if transport is None:
        return False
    peer = transport.get_extra_info("socket")
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    except OSError:
        return False
    return is_unread(info)


def is_unread(info: bytes) -> bool:
    """Read the kernel's `tcp_info`: reset by the peer, or something sent was never acknowledged."""
    if len(info) < _UNACKED.size:
        return False
    (unacked,) = _UNACKED.unpack_from(info)
    return info[0] == _STATE_CLOSE or unacked > 0
