"""One connection to a provider: sends a request, parses the answer strictly, hands on every read as one piece.

Rule 1. An answer belongs to the request that was sent; bytes without a request, or behind an answer's end, are never
        taken for another answer: the connection is closed. So it is where an answer came before its request was whole:
        the next request would be read as the rest of that one's body (RFC 9112 section 9.3); and where much of one
        was not taken yet.
Rule 2. What llhttp lets pass and we do not: any transfer coding but a single `chunked`, heads or chunk framing beyond
        a bound, a switch of protocols nobody asked for.
Rule 3. An answer without length or chunks ends with the connection (RFC 9112 section 6.3), over TLS with TLS's own end
        (section 9.8); any other answer that ends so is broken.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from sluicegate.domain.errors import GatewayError, UpstreamBrokenError
from sluicegate.gateway.stale import was_never_read
from sluicegate.wire.answers import AnswerHead
from sluicegate.wire.chunks import LONGEST_LINE, SIZES, ChunkError, ChunkReader, whole_chunks
from sluicegate.wire.headers import HeaderKinds

if TYPE_CHECKING:
    from sluicegate.gateway.pool import Pool

LARGEST_HEAD = 131_072
"""Bytes of an answer's head, and of whatever chunk framing and trailers exceed the body by FRAMED; providers send heads
of 1–3 KB, some CDNs up to 16, and no chunk extensions."""
FRAMED = 17
"""Bytes on the wire that one byte of a body may take: chunks of one byte each take six, chunks of a page 1.002.
Bounding the sum costs a multiplication a read, counting chunks would cost a call for each."""


class AnswerReceiver(Protocol):
    """Who asked: told of every read, and of the end."""

    method: bytes
    response_bytes: int
    is_request_complete: bool

    def answered(self, connection: "UpstreamConnection", data: bytes, *, is_complete: bool) -> None:
        """A read brought the head (the first call) or more of the body."""
        ...

    def chunk_answered(self, connection: "UpstreamConnection", data: bytes, chunk: bytes) -> None:
        """A read brought more of the body, and nothing else: `data`, framed as `chunk`.

        It may have those to come passed on without it (`UpstreamConnection.pass_on`).
        """
        ...

    def upgraded(self, connection: "UpstreamConnection", rest: bytes) -> None:
        """The provider switched protocols; `rest` came behind the answer's head."""
        ...

    def upstream_failed(self, connection: "UpstreamConnection", error: GatewayError, *, was_read: bool) -> None:
        """No (more) answer will come. `was_read` is False where the provider cannot have read the request."""
        ...

    def upstream_paused(self) -> None:
        """The connection takes no more of the request's body for now."""
        ...

    def upstream_resumed(self) -> None:
        """It takes more again."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """A connection of a pool; idle, or busy with one request."""

    __slots__ = (
        "_chunk_filter",
        "_chunk_taker",
        "_chunk_writer",
        "_chunks",
        "_fed",
        "_kinds",
        "_parser",
        "_pieces",
        "_pool",
        "_raw",
        "body_bytes",
        "fault",
        "has_excess",
        "head",
        "is_complete",
        "is_full",
        "is_paused",
        "keeps_alive",
        "reads",
        "receiver",
        "served",
        "since",
        "transport",
    )

    def __init__(self, pool: "Pool", kinds: HeaderKinds) -> None:
        """`kinds` says what to do with the fields of an answer."""
        self._pool = pool
        self._kinds = kinds
        self._parser: HttpResponseParser | None = None
        self.transport: asyncio.Transport | None = None
        self.receiver: AnswerReceiver | None = None
        self.served = 0
        self.since = 0.0
        self.reads = 0
        self.is_full = False
        self.is_paused = False
        self._clear()

    def _clear(self) -> None:
        self._pieces: list[bytes] = []
        self._fed = 0
        self._chunks: ChunkReader | None = None
        self._chunk_filter: Callable[[bytes], bool] | None = None
        self._chunk_taker: Callable[[bytes], object] | None = None
        self._chunk_writer: Callable[[bytes], object] | None = None
        self._raw = b""
        self.head: AnswerHead | None = None
        self.is_complete = False
        self.has_excess = False
        self.keeps_alive = False
        self.fault = ""
        self.body_bytes = 0

    def __repr__(self) -> str:
        """Tell what the connection is doing."""
        state = "closed" if self.transport is None else "idle" if self.receiver is None else "busy"
        return f"<UpstreamConnection {state} served={self.served} {self.head!r} body={self.body_bytes}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Offer ourselves to the pool."""
        self.transport = cast("asyncio.Transport", transport)
        self._pool.opened(self)

    def send(self, receiver: AnswerReceiver, request: list[bytes]) -> None:
        """Send a request, or its head; its answer goes to `receiver`."""
        self.receiver = receiver
        self.served += 1
        self.since = 0.0
        if self.served > 1:
            self._clear()
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        transport = self.transport
        assert transport is not None, "a pool hands out open connections only"
        if len(request) == 1:
            transport.write(request[0])
        else:
            transport.writelines(request)

    def write(self, data: bytes) -> None:
        """Send more of the request's body."""
        if self.transport is not None:
            self.transport.write(data)

    def give_back(self) -> None:
        """Nothing was sent on it after all: it is for whoever waits for one to this provider."""
        self._pool.released(self)

    def pass_on(
        self,
        take: Callable[[bytes], object],
        write: Callable[[bytes], object],
        lets_through: Callable[[bytes], bool] | None,
    ) -> None:
        """From now on, until the answer ends, plain chunks go to these (the body, the chunk) and not to the receiver.

        It is only told of their bytes, unless `lets_through` says no of a body. A call less for each event of a stream.
        """
        self._chunk_filter = lets_through
        self._chunk_taker = take
        self._chunk_writer = write

    # -- httptools' callbacks

    def on_message_begin(self) -> None:
        """An answer begins: ours, or the one behind an informational one."""
        if self.is_complete:
            self.has_excess = True

    def on_headers_complete(self) -> None:
        """The head is whole; an informational one (1xx) is passed over."""
        assert self._parser is not None, "the parser calls back only while it is fed"
        if self.has_excess:
            return
        raw, _, self._raw = self._raw.partition(b"\r\n\r\n")
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        head = AnswerHead(status, raw, self._kinds)
        self._raw = b""
        if head.fault:
            self.fault = head.fault
            return
        self.head = head
        receiver = self.receiver
        if receiver is not None and receiver.method == b"HEAD":
            # llhttp knows nothing of the request and would wait for a body: end here, with a new parser next time.
            self.is_complete = True
            self.keeps_alive = b"close" not in head.options

    def on_body(self, data: bytes) -> None:
        """Collect what this read brings."""
        if self.is_complete:
            self.has_excess = True
        else:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was an informational one."""
        if self.head is not None and not self.is_complete:
            assert self._parser is not None, "the parser calls back only while it is fed"
            self.is_complete = True
            # Asked here, since the parser forgets it when the message ends.
            self.keeps_alive = self._parser.should_keep_alive()

    # -- the transport's callbacks

    def data_received(self, data: bytes) -> None:
        """Parse one read and hand on what it brought, as one piece."""
        receiver = self.receiver
        parser = self._parser
        if receiver is None or parser is None:
            self.close()
            return
        self.reads += 1
        chunks = self._chunks
        if chunks is not None:
            # The usual read is one chunk: looked at here, since a call of `whole_chunks` costs more than the look.
            end = data.find(b"\r\n", 0, LONGEST_LINE)
            size = SIZES[data[:end]] if end > 0 and chunks.is_between else -1
            if len(data) == end + size + 4 and data.endswith(b"\r\n"):
                body = data[end + 2 : -2]
            else:
                body = whole_chunks(data) if chunks.is_between else b""
            if body:
                self.body_bytes += len(body)
                take, write, lets_through = self._chunk_taker, self._chunk_writer, self._chunk_filter
                if take is None or write is None or (lets_through is not None and not lets_through(body)):
                    receiver.chunk_answered(self, body, data)
                else:
                    receiver.response_bytes += len(body)
                    take(body)
                    write(data)
                return
            try:
                body, data = chunks.read(data)
            except ChunkError as error:
                self.fault = f"it broke the HTTP protocol ({error})"
                self._break(receiver, error.body)
                return
            if not data:
                self.body_bytes += len(body)
                receiver.answered(self, body, is_complete=False)
                return
            self._chunks = None
            self._pieces.append(body)
        self._parse(receiver, parser, data)

    def _parse(self, receiver: AnswerReceiver, parser: HttpResponseParser, data: bytes) -> None:
        """Have the full parser read, and hand on what it made of it."""
        self._fed += len(data)
        if self.head is None:
            self._raw = self._raw + data if self._raw else data
        try:
            parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgrade(receiver, data[upgrade.args[0] :])
            return
        except HttpParserError as error:
            if self.is_complete:
                self.has_excess = True
            else:
                self.fault = self.fault or f"it broke the HTTP protocol ({error})"
        pieces = self._pieces
        if pieces:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._pieces = []
            self.body_bytes += len(body)
        else:
            body = b""
        if self._fed - FRAMED * self.body_bytes > LARGEST_HEAD:
            self.fault = self.fault or "its head or chunk framing is too large"
        elif self.head is not None and self.head.status == 101:
            # The parser breaks off where an answer says what it switches to: this one does not.
            self.fault = self.fault or "it switched protocols without naming one"
        if self.fault:
            self._break(receiver, body)
        elif self.head is not None:
            if self.is_complete:
                self.receiver = None
                receiver.answered(self, body, is_complete=True)
                # Only now: whoever is served next has this connection forget the answer.
                self._released(receiver)
            else:
                if self.head.is_chunked and self._fed == len(data):
                    self._chunks = _reader_behind(data)
                receiver.answered(self, body, is_complete=False)

    def _break(self, receiver: AnswerReceiver, body: bytes) -> None:
        """Act on a read that broke a rule: what came before the breach is still the answer's."""
        if body and self.head is not None and not self.is_complete:
            receiver.answered(self, body, is_complete=False)
        self._fail(f"the provider's answer cannot be read: {self.fault}", was_read=True)
        self.close()

    def _upgrade(self, receiver: AnswerReceiver, rest: bytes) -> None:
        if self.head is None or self.head.status != 101:
            self._fail("the provider's answer cannot be read: it switched protocols by itself", was_read=True)
            self.close()
            return
        self.receiver = None
        self._pool.removed(self)
        receiver.upgraded(self, rest)

    def _released(self, receiver: AnswerReceiver) -> None:
        """The answer is complete: give the connection back, or close it where it cannot be used again."""
        if receiver.method == b"HEAD":
            self._parser = None
        if self.keeps_alive and not self.has_excess and receiver.is_request_complete and not self.is_full:
            self._pool.released(self)
        else:
            self.close()

    def eof_received(self) -> bool:
        """The provider ends the connection: the end of an answer without length."""
        receiver = self.receiver
        head = self.head
        if receiver is None:
            # At once, and not with the loss that is told in the next turn: until then it would be taken for a request.
            self.close()
        elif head is not None and not self.is_complete and self._may_end(head):
            self.is_complete = True
            self.receiver = None
            receiver.answered(self, b"", is_complete=True)
        elif not self.has_answer_begun:
            self._fail(
                "the provider closed the connection without an answer",
                was_read=not (self.served > 1 and was_never_read(self.transport)),
            )
        return False

    def _may_end(self, head: AnswerHead) -> bool:
        """Whether the connection's end is the answer's (Rule 3)."""
        is_truncated = self.transport is not None and self.transport.get_extra_info("truncated")
        return not head.is_chunked and head.content_length < 0 and not is_truncated

    @property
    def has_answer_begun(self) -> bool:
        """Whether any byte of the present answer has arrived."""
        return self._fed > 0

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self.receiver is not None:
            if self.has_answer_begun:
                self._fail("the provider closed the connection before its answer was complete", was_read=True)
            else:
                # A reset before any byte of an answer means that our bytes met a closed socket or were never read.
                was_read = not (self.served > 1 and isinstance(exc, OSError))
                self._fail("the provider closed the connection without an answer", was_read=was_read)
        self.transport = None
        self._parser = None
        self._pool.removed(self)

    @property
    def unsent(self) -> int:
        """Bytes of the request that the provider's side has not taken yet."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def _fail(self, message: str, *, was_read: bool) -> None:
        receiver = self.receiver
        self.receiver = None
        if receiver is not None:
            error = UpstreamBrokenError(f"provider {self._pool.provider.name}: {message}")
            receiver.upstream_failed(self, error, was_read=was_read)

    def pause_writing(self) -> None:
        """The provider reads slower than the client sends."""
        self.is_full = True
        if self.receiver is not None:
            self.receiver.upstream_paused()

    def resume_writing(self) -> None:
        """The provider caught up."""
        self.is_full = False
        if self.receiver is not None:
            self.receiver.upstream_resumed()

    def pause_reading(self) -> None:
        """The client reads slower than the provider sends."""
        if self.transport is not None and not self.is_paused:
            self.is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """The client caught up."""
        if self.is_paused:
            self.is_paused = False
            if self.transport is not None:
                self.transport.resume_reading()

    def cancel(self) -> None:
        """Nobody wants the answer any more: end the connection at once, which ends the request at the provider."""
        self.receiver = None
        self.close()

    def close(self) -> None:
        """End the connection now, dropping what was not sent."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            self._pool.removed(self)
            transport.abort()


def _reader_behind(data: bytes) -> ChunkReader | None:
    """A reader for the chunks to come, where `data` is an answer's head and ends between two plain chunks."""
    chunks = ChunkReader()
    _, rest = chunks.read(data[data.find(b"\r\n\r\n") + 4 :])  # no ChunkError: the full parser has accepted this
    return chunks if not rest and chunks.is_between else None
