"""TLS between a socket's transport and a protocol: OpenSSL over two buffers in memory, one hand-over per read.

uvloop's own layer costs three times as much per streamed event (it ends every read with an exception, and schedules
every write), keeps larger buffers per connection, and does not bound handshakes.

Rule 1. The protocol is made, and connected, once the handshake is done; until then nobody but `ended` hears of us.
Rule 2. A peer that ends the connection without TLS's own end (RFC 8446 section 6.1) may have been cut off by an
        attacker: `get_extra_info("truncated")` says so, and an answer that only its end delimits is then not whole.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

_RECORD = 16_384
"""Bytes of the largest record (RFC 8446 section 5.1)."""

Ended = Callable[["Secured", Exception | None], None]
"""Told once how the handshake ended: None where all is well."""


class Secured(asyncio.Transport, asyncio.Protocol):
    """The protocol of a socket's transport, and the transport of the protocol above it."""

    __slots__ = (
        "_ended",
        "_incoming",
        "_is_closing",
        "_is_truncated",
        "_make",
        "_outgoing",
        "_protocol",
        "_tls",
        "_transport",
        "context",
        "since",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.Protocol],
        ended: Ended,
        *,
        server_hostname: str | None = None,
    ) -> None:
        """`make` makes the protocol above; without `server_hostname` we are the server."""
        self.context = context
        self.since = 0.0
        self._make = make
        self._ended: Ended | None = ended
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_hostname is None, server_hostname=server_hostname
        )
        self._protocol: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._is_closing = False
        self._is_truncated = False

    def __repr__(self) -> str:
        """Tell how far the connection is."""
        state = "closing" if self._is_closing else "handshake" if self._protocol is None else self._tls.version()
        return f"<Secured {state}>"

    # -- what the socket's transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._shake_hands()

    def data_received(self, data: bytes) -> None:
        """Decrypt one read, and hand on what it brought in one piece."""
        incoming = self._incoming
        incoming.write(data)
        protocol = self._protocol
        if protocol is None:
            self._shake_hands()
            protocol = self._protocol
            if protocol is None or self._is_closing or not incoming.pending:
                return  # closing: the protocol left as soon as it was connected, and hears no more
        try:
            # A read returns one record at most, never longer than what came in for it, and shorter where it is whole.
            piece = self._tls.read(len(data))
            if piece and not incoming.pending and len(piece) < len(data) and not self._outgoing.pending:
                protocol.data_received(piece)
                return
            self._read_on(protocol, [piece])
        except ssl.SSLWantReadError:
            self._flush()  # the record is not whole, or was not meant for us
        except ssl.SSLError as error:
            self._broke(error)

    def _read_on(self, protocol: asyncio.Protocol, pieces: list[bytes]) -> None:
        """Decrypt all that has arrived; an empty piece is TLS's own end, and what came before a breach is good."""
        breach = None
        try:
            while pieces[-1] and (self._incoming.pending or self._tls.pending()):
                pieces.append(self._tls.read(_RECORD))
        except ssl.SSLWantReadError:
            pass  # the last record is not whole, or was not meant for us
        except ssl.SSLError as error:
            breach = error
        self._flush()
        is_ended = not pieces[-1]
        if data := b"".join(pieces):
            protocol.data_received(data)
        if self._is_closing:
            return
        if breach is not None:
            self._broke(breach)
        elif is_ended:
            (self._protocol or protocol).eof_received()  # perhaps another one by now: see `set_protocol`
            self.close()

    def eof_received(self) -> bool:
        """The peer closed its side of the socket."""
        self._is_truncated = True
        if self._protocol is not None and not self._is_closing:
            self._protocol.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._is_closing = True
        if self._protocol is not None:
            self._protocol.connection_lost(exc)
        else:
            self._finish(exc or ConnectionResetError("the connection closed during the TLS handshake"))

    def pause_writing(self) -> None:
        """The peer reads slowly."""
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It caught up."""
        if self._protocol is not None:
            self._protocol.resume_writing()

    # -- what the protocol above calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._is_closing or not data:
            return
        try:
            sent = self._tls.write(data)
            while sent < len(data):
                sent += self._tls.write(memoryview(data)[sent:])
        except ssl.SSLError as error:
            self._broke(error)
            return
        self._flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Encrypt and send as one."""
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the socket, encrypted."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def can_write_eof(self) -> bool:
        """TLS has no half-close that peers understand."""
        return False

    def write_eof(self) -> None:
        """Send what is waiting and TLS's own end. What the peer still sends is dropped, until it ends or we abort."""
        if self._is_closing or self._transport is None:
            return
        self._say_end()
        # Else the close of a socket with unread bytes resets it, and the peer loses what it has not read.
        self._transport.set_protocol(_Deaf(self))

    def close(self) -> None:
        """Send what is waiting and TLS's own end, then close."""
        if self._transport is None or self._transport.is_closing():
            return
        if not self._is_closing:
            self._say_end()
        self._transport.close()

    def abort(self) -> None:
        """Close now, dropping what was not sent."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def is_closing(self) -> bool:
        """Whether the end has begun."""
        return self._is_closing

    def is_reading(self) -> bool:
        """Whether more is read."""
        return self._transport is not None and self._transport.is_reading()

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self._transport is not None and not self._is_closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self._transport is not None and not self._is_closing:
            self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand on to another protocol from here on."""
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol above."""
        assert self._protocol is not None, "there is none before the handshake's end"
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the socket's transport knows, and `sslcontext`, `ssl_object`, `truncated`."""
        if name == "sslcontext":
            return self.context
        if name == "ssl_object":
            return self._tls
        if name == "truncated":
            return self._is_truncated
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    # -- inside

    def _say_end(self) -> None:
        self._is_closing = True
        # The peer's end is not waited for (RFC 8446 section 6.1); and perhaps the handshake is not done.
        with suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()
        self._flush()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._broke(error)
            return
        self._flush()
        self._protocol = protocol = self._make()
        self._finish(None)
        protocol.connection_made(self)

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing.pending:
            self._transport.write(self._outgoing.read())

    def _broke(self, error: ssl.SSLError) -> None:
        """What came is not TLS, or not from whom it should be: tell the peer why, and close."""
        self._is_closing = True
        self._finish(error)
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _finish(self, error: Exception | None) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self, error)


class _Deaf(asyncio.Protocol):
    """What a socket's transport speaks to once we have ended: drops all that comes, and tells of the loss."""

    __slots__ = ("_secured",)

    def __init__(self, secured: Secured) -> None:
        self._secured = secured

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._secured.connection_lost(exc)
