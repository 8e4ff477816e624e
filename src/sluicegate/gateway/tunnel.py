"""An upgraded connection (WebSocket, RFC 6455): bytes flow both ways untouched, each side at the other's pace."""

import asyncio
from collections.abc import Callable


class TunnelEnd(asyncio.Protocol):
    """One side of a tunnel; what it reads the other side writes."""

    __slots__ = ("_on_end", "other", "received", "transport")

    def __init__(self, transport: asyncio.Transport, on_end: Callable[[], None]) -> None:
        """`transport` is connected already; `on_end` is called when it is gone."""
        self.transport = transport
        self.received = 0
        self.other: TunnelEnd
        self._on_end = on_end

    def __repr__(self) -> str:
        """Tell how much came in here."""
        return f"<TunnelEnd received={self.received}>"

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.received += len(data)
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        """One side has said its last word: the other is told so once it has everything."""
        if self.other.transport.can_write_eof():
            self.other.transport.write_eof()
            return True
        self.other.transport.close()
        return False

    def pause_writing(self) -> None:
        """This side reads slowly: read no more from the other."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """This side caught up."""
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """This side is gone, so the tunnel is."""
        self.other.transport.close()
        self._on_end()


class Tunnel:
    """Both ends, and the account of what flowed."""

    __slots__ = ("_on_end", "_on_gone", "_standing", "client", "upstream")

    def __init__(
        self,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        on_end: Callable[[int, int], None],
        *,
        on_gone: Callable[[], None] = lambda: None,
        early: tuple[bytes, bytes] = (b"", b""),
    ) -> None:
        """Take over both transports. `on_end(sent, received)` is called once, with bytes from client and provider.

        It is as soon as either is gone; `on_gone` when both are: the other one takes what was said last, in its time.
        `early` is what came in from either before there was a tunnel.
        """
        self._on_end: Callable[[int, int], None] | None = on_end
        self._on_gone = on_gone
        self._standing = 2
        self.client = TunnelEnd(client, self._ended)
        self.upstream = TunnelEnd(upstream, self._ended)
        self.client.other = self.upstream
        self.upstream.other = self.client
        client.set_protocol(self.client)
        upstream.set_protocol(self.upstream)
        for transport in (client, upstream):
            if not transport.is_closing() and not transport.is_reading():
                transport.resume_reading()
        for end, data in zip((self.client, self.upstream), early, strict=True):
            if data:
                end.data_received(data)

    def __repr__(self) -> str:
        """Tell what flowed."""
        return f"<Tunnel sent={self.client.received} received={self.upstream.received}>"

    def close(self) -> None:
        """End both sides."""
        self.client.transport.abort()
        self.upstream.transport.abort()

    def _ended(self) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self.client.received, self.upstream.received)
        self._standing -= 1
        if not self._standing:
            self._on_gone()
