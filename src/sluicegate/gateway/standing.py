"""A connection that stands, until somebody has it: it is handed over in one step, in which nothing else can happen.

uvloop closes a connection whose maker is cancelled in the turn in which it stands, and its protocol, which was told of
the connection, never hears of its end. And where the protocol's first write fails in that turn, a socket that was
passed in keeps the number of a descriptor that is closed, and with it closes whatever has that number by then. So
nobody who writes, or counts, has a connection before the last `await` of making it is over.
"""

import asyncio
from typing import cast


class Standing(asyncio.Protocol):
    """The protocol of such a connection: keeps what its peer says meanwhile."""

    __slots__ = ("_early", "_is_ended", "transport")

    transport: asyncio.Transport

    def __init__(self) -> None:
        """Nothing stands yet."""
        self._early = b""
        self._is_ended = False

    def __repr__(self) -> str:
        """Tell what has come in."""
        return f"<Standing {'ended' if self._is_ended else 'open'} early={len(self._early)}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep it: some who take no more connections say so, and close."""
        self._early += data

    def eof_received(self) -> None:
        """It is of no use any more."""
        self._is_ended = True

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Make it this protocol's. Raises ConnectionError where it is lost already: the protocol is told nothing."""
        transport = self.transport
        if self._is_ended or transport.is_closing():
            transport.abort()
            raise ConnectionError("the connection was closed as soon as it stood")
        early, self._early = self._early, b""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if early:
            protocol.data_received(early)
