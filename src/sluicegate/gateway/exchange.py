"""One request and its answer: what is known of it, and what happens when either side moves.

It is driven from four sides: the client's connection (head, body, loss, backpressure), the pipeline's stages, the
provider's connection (answer, failure, backpressure) and the sweep (deadlines). It ends exactly once, in `_end`.
"""

from typing import TYPE_CHECKING

from sluicegate.domain.errors import (
    BodyTooLargeError,
    GatewayError,
    LimitReachedError,
    UpstreamBrokenError,
    UpstreamTimeoutError,
)
from sluicegate.domain.pricing import Price
from sluicegate.domain.principal import Principal
from sluicegate.domain.usage import Reading, Usage, UsageSource
from sluicegate.gateway import pipeline, relay
from sluicegate.gateway.away import told
from sluicegate.gateway.heads import DISCARDED, RequestHead
from sluicegate.gateway.overrun import is_overrun
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.purses import Reservation
from sluicegate.gateway.replies import CONTINUE, error_reply
from sluicegate.gateway.routes import Route
from sluicegate.gateway.services import NOBODY, Services
from sluicegate.gateway.stages.budget import NOT_COUNTED
from sluicegate.gateway.stages.forward import dispatch, send
from sluicegate.gateway.taps import Tap, UsageFilter
from sluicegate.gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from sluicegate.gateway.client import ClientConnection

CLIENT_CLOSED = 499
"""Status recorded, never sent, where the client left before any answer (nginx's convention)."""
LARGEST_UNSENT = 262_144
"""Bytes of a streaming body that wait for the provider's connection before the client is made to wait."""
NOTHING = Reading()


class Exchange:
    """See the module."""

    __slots__ = (
        "_seen",
        "_seen_reads",
        "attempts",
        "body",
        "body_size",
        "client",
        "connection",
        "content_length",
        "counted_input",
        "ended",
        "error",
        "filter",
        "first_byte",
        "framing",
        "has_body",
        "head",
        "is_capped",
        "is_chunked",
        "is_client_gone",
        "is_cut",
        "is_ended",
        "is_forwarding",
        "is_head_sent",
        "is_held",
        "is_request_complete",
        "is_stream",
        "is_stream_request",
        "is_waiting",
        "keeps_alive",
        "method",
        "model",
        "overhead_us",
        "prefix",
        "price",
        "principal",
        "reading",
        "ready",
        "request_id",
        "requested_model",
        "reservation",
        "response_bytes",
        "route",
        "runtime_or_none",
        "sent",
        "services",
        "started",
        "status",
        "tap",
        "upstream_request_id",
        "upstream_status",
        "usage",
        "usage_source",
        "wall",
    )

    route: Route

    def __init__(self, client: "ClientConnection", services: Services, head: RequestHead, content_length: int) -> None:
        """A request whose head has arrived; `content_length` is -1 where none was said."""
        self.client = client
        self.services = services
        self.head = head
        self.method = head.method
        self.content_length = content_length
        self.is_chunked = head.is_chunked
        self.has_body = content_length > 0 or head.is_chunked
        self.keeps_alive = head.keeps_alive
        self.is_held = True
        self.is_request_complete = False
        self.body: list[bytes] = []
        self.body_size = 0
        self.prefix = b""
        self.started = 0.0
        self.principal: Principal = NOBODY
        self.runtime_or_none: ProviderRuntime | None = None
        self.price: Price | None = None
        self.reservation: Reservation | None = None
        self.counted_input = NOT_COUNTED
        self.is_capped = False
        self.connection: UpstreamConnection | None = None
        self.filter: UsageFilter | None = None
        self.tap: Tap | None = None
        self.error: GatewayError | None = None
        self.usage: Usage | None = None
        self.usage_source: UsageSource = "none"
        self.reading = NOTHING
        self.requested_model = self.model = self.upstream_request_id = ""
        self.status = self.upstream_status = self.attempts = self.response_bytes = self.overhead_us = 0
        self.framing = 0
        self.ready = self.sent = self.first_byte = self.ended = self._seen = 0.0
        self._seen_reads = 0
        self.is_forwarding = self.is_waiting = self.is_stream_request = self.is_stream = False
        self.is_head_sent = self.is_cut = self.is_client_gone = self.is_ended = False

    def __repr__(self) -> str:
        """Tell how far the exchange has come."""
        state = (
            "ended"
            if self.is_ended
            else "answering"
            if self.is_head_sent
            else "waiting"
            if self.is_waiting
            else "forwarding"
            if self.is_forwarding
            else "reading"
        )
        return (
            f"<Exchange {self.method.decode()} {state} status={self.status} attempts={self.attempts}"
            f" request={self.body_size} answer={self.response_bytes}>"
        )

    @property
    def runtime(self) -> ProviderRuntime:
        """The provider chosen; there is one from the stage `forward` on."""
        assert self.runtime_or_none is not None, "no provider has been chosen yet"
        return self.runtime_or_none

    @runtime.setter
    def runtime(self, runtime: ProviderRuntime) -> None:
        self.runtime_or_none = runtime

    @property
    def price_key(self) -> tuple[str, str, str]:
        """What the price of its model is known by."""
        return self.runtime.name, self.model, self.principal.organization_id

    # -- the client's side

    def begin(self) -> None:
        """The head is in: run the stages that need no more."""
        services = self.services
        self.started = self.ready = services.clock()
        self.wall = services.wall()
        self.request_id = services.ids.next()
        pipeline.advance(self, pipeline.ON_HEAD)

    def passed(self, stages: "tuple[pipeline.Stage, ...]") -> None:
        """The pipeline ran `stages` through."""
        if stages is pipeline.ON_BODY:
            return
        if self.head.expect and not self.body_size and not self.is_request_complete:
            self.client.write(CONTINUE)
        self.is_held = self._can_be_held()
        self.client.resume_reading()
        if not self.is_held or self.is_request_complete:
            self._forward()

    def _can_be_held(self) -> bool:
        """Whether the body is kept whole: what we must read or may send twice, as long as it is small enough."""
        if not self.has_body:
            return True
        if max(self.content_length, self.body_size) > self.services.bounds.held_body_bytes:
            return False
        return b"json" in self.head.content_type and not self.head.content_encoding

    def _forward(self) -> None:
        self.is_forwarding = True
        pipeline.advance(self, pipeline.ON_BODY)

    def take_body(self, data: bytes) -> None:
        """The client sent more of its body."""
        self.body_size += len(data)
        bounds = self.services.bounds
        if self.is_ended:
            return
        if self.body_size > bounds.body_bytes:
            self.refuse(BodyTooLargeError(f"the body is longer than {bounds.body_bytes} bytes, the limit"))
            return
        if not self.is_held and self.connection is not None:
            self.connection.write(self.chunk(data) if self.is_chunked else data)
            return
        self.body.append(data)
        if self.is_held:
            if not self.is_admitted:
                if self.body_size > LARGEST_UNSENT:
                    self.client.pause_reading()
            elif self.body_size > bounds.held_body_bytes and not self.is_forwarding:
                self.is_held = False
                self._forward()
        elif self.body_size > LARGEST_UNSENT:
            self.client.pause_reading()

    def complete_request(self) -> None:
        """The client's request is whole."""
        self.is_request_complete = True
        if self.is_ended or self.started == 0.0:
            return
        self.ready = self.services.clock()
        if not self.is_held:
            self.sent = self.ready
            if self.is_chunked and self.connection is not None:
                self.connection.write(b"0\r\n\r\n")
        elif not self.is_forwarding and self.is_admitted:
            self._forward()

    @property
    def is_admitted(self) -> bool:
        """Whether the stages of the head have passed."""
        return self.principal is not NOBODY or (self.started > 0.0 and self.route.kind == "control")

    def body_sent(self) -> None:
        """What had arrived of a streaming body is on its way: let the client send on."""
        if self.is_request_complete and self.is_chunked and self.connection is not None:
            self.connection.write(b"0\r\n\r\n")
        self.client.resume_reading()

    def chunk(self, data: bytes) -> bytes:
        """One chunk of a body whose length is unknown (RFC 9112 section 7.1)."""
        return b"%x\r\n%b\r\n" % (len(data), data)

    def whole_body(self) -> bytes:
        """A held body in one piece."""
        body = self.body
        if len(body) != 1:
            self.body = body = [b"".join(body)]
        return body[0]

    def control_fields(self) -> list[bytes]:
        """What only the control process may see: the caller's credentials and address, and the request's id."""
        head = self.head
        fields = [name + b": " + value + b"\r\n" for _, name, value in head.credentials]
        host = head.hosts[0] if head.hosts else b"localhost"
        about = f"x-request-id: {self.request_id}\r\nx-forwarded-for: {self.client.address or 'unknown'}\r\n"
        cookies = [b"Cookie: " + cookie + b"\r\n" for cookie in head.cookies]
        return [*fields, *cookies, about.encode(), b"x-forwarded-host: " + host + b"\r\n"]

    def client_lost(self) -> None:
        """The client is gone: nobody wants the answer."""
        if not self.is_ended:
            self.is_client_gone = True
            self.is_cut = True
            self.status = self.status or CLIENT_CLOSED
            self._leave_upstream()
            self._end(b"")

    def pause(self) -> None:
        """The client reads slower than the provider sends."""
        if self.connection is not None and not self.is_ended:
            self.connection.pause_reading()

    def resume(self) -> None:
        """The client caught up."""
        if self.connection is not None and not self.is_ended:
            self.connection.resume_reading()

    # -- the pipeline's side

    def reply(self, answer: bytes) -> None:
        """Answer with these bytes."""
        self.status = int(answer[9:12])
        self._end(answer)

    def refuse(self, error: GatewayError) -> None:
        """End with an error: an answer, or the end of a stream, in the words of the route's API."""
        if self.is_ended:
            return
        self.error = error = told(self, error)
        self._leave_upstream()
        if self.is_head_sent:
            self.is_cut = True
            ending = relay.broken_ending(self, error)
            if ending is None:
                self.client.must_abort = True
            self._end(ending or b"")
            return
        self.status = error.status
        dialect = self.route.dialect if hasattr(self, "route") else self.services.dialects["openai"]
        closes = not self.keeps_alive or error.closes_connection or self._leaves_body()
        if closes:
            self.keeps_alive = False
        self._end(
            error_reply(
                error,
                dialect,
                request_id=self.request_id,
                closes=closes,
                is_head=self.method == b"HEAD",
                extra=relay.gateway_fields(self),
            )
        )

    def _leaves_body(self) -> bool:
        """Whether more of the request is to come than we would read only to drop it."""
        if self.is_request_complete:
            return False
        return self.is_chunked or bool(self.head.expect) or self.content_length - self.body_size > DISCARDED

    # -- the provider's side

    def connected(self, connection: UpstreamConnection) -> None:
        """The pool has a connection for us."""
        send(self, connection)

    def not_connected(self, error: GatewayError) -> None:
        """The pool has none."""
        self.is_waiting = False
        self.refuse(error)

    def answered(self, connection: UpstreamConnection, data: bytes, *, is_complete: bool) -> None:
        """The provider sent its head, or more of its body: pass it on, one write per read."""
        if self.is_ended:
            return
        head = b""
        if not self.is_head_sent:
            assert connection.head is not None, "the first read told of is the one that completes the head"
            head = relay.begin(self, connection.head, data, is_complete=is_complete)
        if data:
            if self.first_byte == 0.0:
                self.first_byte = self.services.clock()
            self.response_bytes += len(data)
            if self.tap is not None:
                self.tap.feed(data)
            if self.framing == relay.CHUNKED and self.filter is None:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            else:
                data = relay.framed(self, data)
        if is_complete:
            self.connection = None
            self._complete(head, data)
        elif head or data:
            self.client.write(head + data if head else data)

    def chunk_answered(self, connection: UpstreamConnection, data: bytes, chunk: bytes) -> None:
        """The provider sent a chunk of its body: mostly the client gets it as it is."""
        if self.is_ended:
            return
        if self.framing != relay.CHUNKED or self.filter is not None or self.first_byte == 0.0:
            self.answered(connection, data, is_complete=False)
            return
        self.response_bytes += len(data)
        if self.tap is not None:
            self.tap.feed(data)
        transport = self.client.transport
        if transport is not None:
            transport.write(chunk)
            if self.tap is not None:
                connection.pass_on(self.tap.feed, transport.write)

    def _complete(self, head: bytes, data: bytes) -> None:
        ending = relay.ending(self)
        if self.is_stream and relay.is_truncated(self):
            self.error = error = UpstreamBrokenError(
                f"provider {self.runtime.name}: the stream ended before its last event"
            )
            self.is_cut = True
            ending = relay.broken_ending(self, error) or b""
        self._end(head + data + ending)

    def upgraded(self, connection: UpstreamConnection, rest: bytes) -> None:
        """The provider switched protocols: from here on bytes flow both ways untouched."""
        if self.is_ended:
            connection.cancel()
        elif not self.head.upgrade:
            connection.cancel()
            self.refuse(UpstreamBrokenError(f"provider {self.runtime.name} switched protocols by itself"))
        else:
            self.connection = None
            assert connection.head is not None, "a switch of protocols is told of behind a head"
            self.client.tunnel(self, connection, relay.upgrade_head(self, connection.head), rest)

    def upstream_failed(self, connection: UpstreamConnection, error: GatewayError, *, was_read: bool) -> None:
        """No (more) answer will come. A request that was surely not read is sent once more, on a fresh connection."""
        if self.is_ended or connection is not self.connection:
            return
        self.connection = None
        if not was_read and self.is_held and self.attempts == 1 and not self.is_head_sent:
            try:
                dispatch(self, fresh=True)
            except GatewayError as refusal:
                self.refuse(refusal)
            return
        self.refuse(error)

    def upstream_paused(self) -> None:
        """The provider takes no more of the body for now."""
        self.client.pause_reading()

    def upstream_resumed(self) -> None:
        """It takes more again."""
        self.client.resume_reading()

    def _leave_upstream(self) -> None:
        """Nobody waits for the provider any more."""
        if self.is_waiting:
            self.is_waiting = False
            self.runtime.pool.leave(self)
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.cancel()

    # -- deadlines and the end

    def sweep(self, now: float) -> None:
        """Refuse what takes longer than the provider's timeouts allow."""
        connection = self.connection
        if connection is None or self.is_ended:
            return
        reservation = self.reservation
        if reservation is not None and reservation.is_open and self.is_stream and is_overrun(self, reservation):
            self._end_at_length()
            return
        timeouts = self.runtime.provider.timeouts
        if now - self.started > timeouts.total:
            self.refuse(self._too_slow("did not finish", timeouts.total))
        elif not connection.has_answer_begun:
            if self.is_request_complete and now - self.sent > timeouts.first_byte:
                self.refuse(self._too_slow("did not begin its answer", timeouts.first_byte))
        elif connection.reads != self._seen_reads or connection.is_paused:
            self._seen_reads = connection.reads
            self._seen = now
        elif now - self._seen > timeouts.between_bytes:
            self.refuse(self._too_slow("sent nothing more", timeouts.between_bytes))

    def _end_at_length(self) -> None:
        """The limit is reached in the middle of a stream: end it as if the model had reached its cap."""
        ending = relay.length_ending(self)
        if ending is None:
            assert self.reservation is not None, "only reservations are overrun"
            self.refuse(LimitReachedError(f"the limit {self.reservation.limit} was reached while the answer came"))
            return
        self.is_cut = True
        self._leave_upstream()
        self._end(ending)

    def _too_slow(self, what: str, seconds: float) -> UpstreamTimeoutError:
        return UpstreamTimeoutError(f"provider {self.runtime.name} {what} within {seconds:g} s")

    def tunnel_ended(self, sent: int, received: int) -> None:
        """An upgraded connection is over: account for it."""
        self.body_size += sent
        self.response_bytes += received
        self._record()

    def _end(self, data: bytes) -> None:
        """Meter, publish, and let the client have the last bytes once the record of it is written."""
        self._record()
        self.services.turn.end(self.client.ended, data)

    def _record(self) -> None:
        self.is_ended = True
        self.ended = self.services.clock()
        if not hasattr(self, "route") or self.route.kind in ("local", "control"):
            return
        for stage in pipeline.ON_END:
            stage(self)
