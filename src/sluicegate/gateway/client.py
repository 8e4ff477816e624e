"""One client's connection: parses requests strictly, answers them in order, one at a time.

Rule 1. What llhttp lets pass and we do not: transfer codings other than a single `chunked`, heads and chunk framing
        beyond their bounds, more than one Host. Whoever sends bytes we cannot read gets 400 and no further chance.
Rule 2. Pipelined requests wait in order, read but not begun; beyond a few the client is not read any further. Nor are
        they begun, or others read, while the client has not taken what was sent: answers would pile up here.
Rule 3. A client that ends its side has left, and its requests are cancelled; unless it had announced that the last of
        them was its last (`Connection: close`, HTTP/1.0): then it still reads, and gets its answers.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from sluicegate.domain.errors import (
    ClientTooSlowError,
    DrainingError,
    GatewayError,
    HeadTooLargeError,
    MalformedRequestError,
    OverloadedError,
    TargetTooLongError,
)
from sluicegate.gateway import request_body
from sluicegate.gateway.deadlines import look_at
from sluicegate.gateway.exchange import Exchange
from sluicegate.gateway.heads import KnownHead, RequestHead, known_head
from sluicegate.gateway.services import Services
from sluicegate.gateway.tunnel import Tunnel
from sluicegate.gateway.upstream import FRAMED, UpstreamConnection
from sluicegate.wire import headers

if TYPE_CHECKING:
    from sluicegate.gateway.listener import Listener

LARGEST_PIPELINE = 16
"""Requests waiting behind the present one. SDKs send none; more than a few is a flood."""
LARGEST_FRAMING = 16_384
"""Bytes of chunk framing and trailers beyond FRAMED times the body: no client sends chunk extensions."""
LARGEST_UNKNOWN = 8
"""Heads of a connection that are learned in the hope that they come again; most clients' first does."""
LINGER_SECONDS = 30.0
"""How long a refused client may finish sending, so that it reads our answer before its connection is reset: many read
nothing until a whole upload is out."""

IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
ANSWER: Final = 3
LINGERING: Final = 4


class ClientConnection(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_fed",
        "_head",
        "_head_bytes",
        "_is_discarding",
        "_is_full",
        "_is_paused",
        "_kinds",
        "_known",
        "_listener",
        "_parser",
        "_reading",
        "_reads",
        "_rest",
        "_seen_reads",
        "_since",
        "_stop",
        "_tunnel",
        "_unknown",
        "_waiting",
        "address",
        "current",
        "must_abort",
        "phase",
        "services",
        "transport",
    )

    def __init__(self, listener: "Listener", services: Services) -> None:
        """A connection about to be made."""
        self._listener = listener
        self.services = services
        self._kinds = services.kinds
        self._parser: HttpRequestParser | None = None
        self.transport: asyncio.Transport | None = None
        self.current: Exchange | None = None
        self._head: RequestHead | None = None
        self._reading: Exchange | None = None
        self._known: KnownHead | None = None
        self._unknown = 0
        self._waiting: deque[Exchange] = deque()
        self._tunnel: Tunnel | None = None
        self._rest = b""
        self._stop: GatewayError | None = None
        self._fed = self._head_bytes = self._reads = self._seen_reads = 0
        self._since = 0.0
        self._is_discarding = False
        self._is_full = False
        self._is_paused = False
        self.phase = IDLE
        self.address: str | None = None
        self.must_abort = False

    def __repr__(self) -> str:
        """Tell what the connection is doing."""
        phase = ("idle", "head", "body", "answer", "lingering")[self.phase]
        return f"<ClientConnection {self.address} {phase} current={self.current!r} waiting={len(self._waiting)}>"

    # -- the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here, unless there are too many."""
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else None
        self._parser = HttpRequestParser(self)
        if not self._listener.admit(self):
            self._say(OverloadedError("there are too many connections; try again in a moment", retry_after=1.0))
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse one read."""
        parser = self._parser
        if parser is None or self.phase == LINGERING:
            return
        self._reads += 1
        is_idle = self.phase == IDLE
        if is_idle and self._known is not None:
            body = self._known.body_of(data)
            if body is not None and self._known.head.judged_by is self.services.routes:
                self._begin_known(self._known.head, body)
                return
        elif not is_idle and self._may_switch():
            self._rest += data
            self.pause_reading()
            return
        self._fed += len(data)
        try:
            parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgrade_asked(data[upgrade.args[0] :])
        except HttpParserError as error:
            self._stopped(self._stop or MalformedRequestError(f"the request is not valid HTTP/1.1: {error}"))
            return
        if self._stop is not None:
            self._stopped(self._stop)
        elif self._head is not None:
            self._check_head()
        elif self.phase == BODY and self._reading is not None:
            framing = self._fed - self._head_bytes - FRAMED * self._reading.body_size
            if self._reading.is_chunked and framing > LARGEST_FRAMING:
                self._stopped(MalformedRequestError("the body's chunk extensions or trailers are too long"))
        if is_idle and self.current is not None and self._unknown < LARGEST_UNKNOWN:
            self._learn(self.current.head, data)

    def eof_received(self) -> bool:
        """The client ends its side; see Rule 3."""
        exchange = self.current
        if exchange is None or self.phase == LINGERING:
            return False
        last = self._waiting[-1] if self._waiting else exchange
        is_secured = self.transport is not None and self.transport.get_extra_info("sslcontext") is not None
        return not last.keeps_alive and last.is_request_complete and not is_secured

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._listener.gone(self)
        self._parser = None
        self._waiting.clear()
        self._head = self._reading = None
        self.transport = None
        if self.current is not None:
            self.current.client_lost()

    def pause_writing(self) -> None:
        """The client reads slowly: read no more from its provider, and begin no other answer (`_next`)."""
        self._is_full = True
        if self.current is not None:
            self.current.pause()

    def resume_writing(self) -> None:
        """The client caught up."""
        self._is_full = False
        if self.current is not None:
            self.current.resume()
        elif self.phase == IDLE and self.transport is not None and not self.transport.is_closing():
            self._next()

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        """A request begins; or the body of one does, in a parser of its own (`_read_body`)."""
        if self._stop is None and self._reading is None:
            if len(self._waiting) >= LARGEST_PIPELINE:
                self._stop = MalformedRequestError(f"more than {LARGEST_PIPELINE} requests are pipelined")
                return
            self._head = RequestHead()
            self._head_bytes = 0
            if self.current is None and not self._is_full:
                self._enter(HEAD)

    def on_url(self, target: bytes) -> None:
        """The request's target, or a part of it."""
        if self._head is not None:
            self._head.raw_target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Sort one field."""
        head = self._head
        if head is None:
            return  # a trailer: dropped (RFC 9110 section 6.5.1 lets an intermediary do so)
        kind = self._kinds[name]
        if kind == headers.FORWARD:
            head.lines.append(b"%b: %b" % (name, value))
        elif kind != headers.DROP:
            head.note(kind, name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: check its bounds, and begin if its turn has come."""
        head = self._head
        parser = self._parser
        if head is None or parser is None or self._stop is not None:
            return
        bounds = self.services.bounds
        if len(head.raw_target) > bounds.request_line:
            self._stop = TargetTooLongError(f"the request's target is longer than {bounds.request_line} bytes")
        elif len(head.lines) > bounds.header_count or (
            self._fed > bounds.header_bytes and head.size() > bounds.header_bytes
        ):
            self._stop = HeadTooLargeError(
                f"the header fields exceed {bounds.header_bytes} bytes or {bounds.header_count} fields"
            )
        if self._stop is not None:
            return
        self._head = None
        head.finish(parser.get_method(), parser.get_http_version())
        if head.is_chunked:
            self._head_bytes = len(head.raw_target) + head.size()
        self._reading = exchange = Exchange(self, self.services, head, head.content_length)
        if self.current is None and not self._is_full:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)
            self.pause_reading()

    def on_body(self, data: bytes) -> None:
        """A piece of a request's body."""
        if self._reading is not None:
            request_body.take(self._reading, data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        exchange = self._reading
        if exchange is not None and exchange.has_body and not exchange.body_size and self._is_body_left():
            return
        self._reading = None
        self._fed = 0
        if exchange is not None and self._stop is None:
            if exchange is self.current and self.phase == BODY:
                self._enter(ANSWER)
            exchange.complete_request()
            if self._is_discarding:
                self._is_discarding = False
                self.current = None
                self._next()

    # -- what the exchange asks for

    def write(self, data: bytes) -> None:
        """Send a part of an answer."""
        if self.transport is not None:
            self.transport.write(data)

    def pause_reading(self) -> None:
        """The provider cannot take more of the body."""
        if not self._is_paused and self.transport is not None and not self.transport.is_closing():
            self._is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """It can again."""
        if self._is_paused and not self._waiting:
            self._is_paused = False
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()

    def ended(self, data: bytes) -> None:
        """The present exchange is over; `data` is the end of its answer. Go on with the next."""
        exchange = self.current
        self.current = None
        transport = self.transport
        if transport is None or exchange is None:
            return
        if data:
            transport.write(data)
        if self.must_abort:
            transport.abort()
        elif self._stop is not None or not (exchange.is_request_complete or exchange.keeps_alive):
            if self._stop is not None and exchange.keeps_alive and exchange.error is not self._stop:
                self._say(self._stop)  # else that answer was the last (RFC 9112 section 9.6)
            self._linger()
        elif not exchange.keeps_alive or self.services.is_draining:
            self._close(transport)
        elif not exchange.is_request_complete:
            self._discard(exchange)
        else:
            self._next()
            if self._rest:  # nothing was switched: it is HTTP
                early, self._rest = self._rest, b""
                self.data_received(early)

    def tunnel(self, exchange: Exchange, upstream: UpstreamConnection, head: bytes, rest: bytes) -> None:
        """Turn this connection and the provider's into a tunnel."""
        transport = self.transport
        if transport is None or upstream.transport is None:
            upstream.cancel()
            exchange.client_lost()
            return
        transport.write(head)
        self.current = None
        self._parser = None

        def over(sent: int, received: int) -> None:
            self._enter(IDLE)  # as for `_close`: whichever side is left, and does not fetch the rest
            exchange.tunnel_ended(sent, received)

        early, self._rest, gone = (self._rest, rest), b"", self._listener.gone
        self._tunnel = Tunnel(transport, upstream.transport, over, on_gone=lambda: gone(self), early=early)

    # -- inside

    def _enter(self, phase: int) -> None:
        self.phase = phase
        self._since = 0.0

    def _begin_known(self, head: RequestHead, body: bytes) -> None:
        """Begin a request whose head came before, and whose body is here."""
        self._unknown = 0
        exchange = Exchange(self, self.services, head, len(body) if head.content_length >= 0 else -1)
        if body:
            exchange.body.append(body)
            exchange.body_size = len(body)
        exchange.is_request_complete = True
        self.current = exchange
        self._enter(ANSWER)
        exchange.begin()

    def _learn(self, head: RequestHead, data: bytes) -> None:
        """Know this head when it comes again. A client whose heads are never the same is not paid for."""
        self._unknown += 1
        if head.judged_by is not None:
            self._known = known_head(head, data)

    def _begin(self, exchange: Exchange) -> None:
        self.current = exchange
        self._enter(BODY if exchange.has_body else ANSWER)
        exchange.begin()

    def _next(self) -> None:
        """The connection is free: begin the request that waits, or wait for one."""
        if self._is_full:
            self._enter(IDLE)
            self.pause_reading()
        elif self._waiting:
            exchange = self._waiting.popleft()
            is_complete = exchange.is_request_complete
            exchange.is_request_complete = False
            self._begin(exchange)
            if is_complete:
                self._enter(ANSWER)
                exchange.complete_request()
            self.resume_reading()
        else:
            self._enter(HEAD if self._head is not None else IDLE)
            self.resume_reading()

    def _discard(self, exchange: Exchange) -> None:
        """The answer is out, a small rest of the request is still to come: it is read and dropped."""
        self.current = exchange
        self._is_discarding = True
        exchange.body = []
        self._enter(BODY)
        self.resume_reading()

    def _check_head(self) -> None:
        """A head is arriving in pieces: it must not grow beyond its bounds while we wait for its end."""
        bounds = self.services.bounds
        head = self._head
        if head is not None and len(head.raw_target) > bounds.request_line:
            self._stopped(TargetTooLongError(f"the request's target is longer than {bounds.request_line} bytes"))
        elif self._fed > bounds.request_line + bounds.header_bytes + 4 * bounds.header_count:
            self._stopped(HeadTooLargeError(f"the header fields exceed {bounds.header_bytes} bytes"))

    def _upgrade_asked(self, rest: bytes) -> None:
        """A request that wants another protocol was parsed; what follows it is that protocol's."""
        if self._reading is not None:
            self._read_body(self._reading, rest)
        elif rest:
            self.data_received(rest)

    def _may_switch(self) -> bool:
        """Whether it is for an answer that is not there yet to say of which protocol the next bytes are."""
        last = self._waiting[-1] if self._waiting else self.current
        return last is not None and bool(last.head.upgrade) and last.is_request_complete and not last.is_ended

    def _is_body_left(self) -> bool:
        """Whether the parser ended a request before its body: it takes all behind an Upgrade for another protocol's."""
        return self._parser is not None and self._parser.should_upgrade()

    def _read_body(self, exchange: Exchange, rest: bytes) -> None:
        """Read the body of a request that wants a protocol we do not speak (the JDK's client asks for HTTP/2 first).

        It stays a request like any other (RFC 9110 section 7.8). A new parser is told how the body is framed.
        """
        self._parser = parser = HttpRequestParser(self)
        length = b"Content-Length: %d" % exchange.content_length
        framing = b"Transfer-Encoding: chunked" if exchange.is_chunked else length
        parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
        if rest:
            self._fed -= len(rest)
            self.data_received(rest)

    def _stopped(self, error: GatewayError) -> None:
        """Nothing more can be read from this client."""
        self._parser = None
        self._stop = error
        self._head = self._reading = None
        exchange = self.current
        if exchange is None:
            self._say(error)
            self._linger()
        elif self._is_discarding:
            self._linger()  # its answer is out
        elif not exchange.is_request_complete:
            exchange.keeps_alive = False
            exchange.refuse(error)

    def _say(self, error: GatewayError) -> None:
        if self.transport is not None:
            self.transport.write(self._listener.refusal(error))

    def _linger(self) -> None:
        """Close our side and drop what the client still sends, so that no reset overtakes our answer."""
        transport = self.transport
        if transport is None:
            return
        self._parser = None
        self._enter(LINGERING)
        self.resume_reading()
        transport.write_eof()

    def _close(self, transport: asyncio.Transport) -> None:
        """Close behind what is still to be sent. Who does not fetch that is kept no longer than who asks nothing."""
        self._enter(IDLE)
        transport.close()

    def sweep(self, now: float) -> None:
        """Act on a deadline that has passed."""
        if self.current is not None:
            look_at(self.current, now)
        if self.phase == BODY and (self._reads != self._seen_reads or self._is_paused):
            # While it is not read it cannot be late, nor is it at once when it is read again.
            self._seen_reads = self._reads
            self._since = 0.0
        if self._since == 0.0:
            self._since = now
            return
        bounds = self.services.bounds
        waited = now - self._since
        if self.phase == HEAD and waited > bounds.head_seconds:
            self._stopped(ClientTooSlowError(f"the request's head did not arrive within {bounds.head_seconds:g} s"))
        elif self.phase == BODY and waited > bounds.body_seconds:
            self._stopped(ClientTooSlowError(f"no more of the body arrived within {bounds.body_seconds:g} s"))
        elif self.transport is not None:
            if (self.phase == IDLE and waited > bounds.idle_seconds) or (
                self.phase == LINGERING and waited > LINGER_SECONDS
            ):
                (self._tunnel.close if self._tunnel is not None else self.transport.abort)()

    def drain(self) -> None:
        """The gateway is shutting down: close now if idle, else after the present exchange."""
        is_idle = self.current is None or self._is_discarding
        if is_idle and self._tunnel is None and self.transport is not None:
            self.transport.close()

    def cut(self) -> None:
        """The time for draining is over."""
        if self._tunnel is not None:
            self._tunnel.close()
        elif self.current is not None:
            self.current.refuse(DrainingError("the gateway is shutting down; try again", retry_after=1.0))
        elif self.transport is not None:
            self.transport.abort()
