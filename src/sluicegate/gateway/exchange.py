"""One request and its answer: what is known of it, and what happens when either side moves.

It is driven from four sides: the client's connection (head, body, loss, backpressure), the pipeline's stages, the
provider's connection (answer, failure, backpressure) and the sweep (deadlines). It ends exactly once, in `_end`.
"""

from typing import TYPE_CHECKING

from sluicegate.domain.errors import (
    GatewayError,
    UpstreamBrokenError,
)
from sluicegate.domain.pricing import Price
from sluicegate.domain.principal import Principal
from sluicegate.domain.usage import Reading, Usage, UsageSource
from sluicegate.gateway import pipeline, relay, retrial, verdicts
from sluicegate.gateway.attempts import Retrial
from sluicegate.gateway.away import told
from sluicegate.gateway.azure import name_deployment
from sluicegate.gateway.heads import DISCARDED, RequestHead
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.purses import Reservation
from sluicegate.gateway.replies import CONTINUE, error_reply
from sluicegate.gateway.request_body import HELD_UNCOUNTED, can_be_held, hold
from sluicegate.gateway.routes import Route
from sluicegate.gateway.selection import Selector
from sluicegate.gateway.services import NOBODY, Services
from sluicegate.gateway.stages.budget import NOT_COUNTED
from sluicegate.gateway.stages.forward import dispatch, send
from sluicegate.gateway.taps import Tap, UsageFilter
from sluicegate.gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from sluicegate.gateway.client import ClientConnection

CLIENT_CLOSED = 499
"""Status recorded, never sent, where the client left before any answer (nginx's convention)."""
NOTHING = Reading()


class Exchange:
    """See the module."""

    __slots__ = (
        "attempts",
        "body",
        "body_size",
        "client",
        "connection",
        "content_length",
        "counted_input",
        "elsewhere",
        "ended",
        "error",
        "filter",
        "first_byte",
        "framing",
        "has_body",
        "head",
        "held_size",
        "is_capped",
        "is_chunked",
        "is_client_gone",
        "is_cut",
        "is_ended",
        "is_forwarding",
        "is_fresh",
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
        "retrial",
        "route",
        "runtime_or_none",
        "seen",
        "seen_reads",
        "selector",
        "sent",
        "services",
        "started",
        "status",
        "tap",
        "unedited",
        "upstream_request_id",
        "upstream_status",
        "usage",
        "usage_source",
        "waiting_since",
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
        self.unedited: bytes | None = None
        self.prefix = b""
        self.started = 0.0
        self.principal: Principal = NOBODY
        self.runtime_or_none: ProviderRuntime | None = None
        self.selector: Selector | None = None
        self.retrial: Retrial | None = None
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
        self.framing = self.held_size = 0
        self.ready = self.sent = self.first_byte = self.ended = self.seen = self.waiting_since = 0.0
        self.elsewhere = 0.0
        """Seconds since `ready` that others took: connections that were waited for, and attempts that failed."""
        self.seen_reads = 0
        self.is_forwarding = self.is_waiting = self.is_fresh = self.is_stream_request = self.is_stream = False
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
        if stages is not pipeline.ON_HEAD:
            selector = self.selector
            if stages is not pipeline.ON_RETRY and selector is not None and selector.hedge is not None:
                retrial.hedge_later(self, selector, selector.hedge)
            return
        if self.head.expect and not self.body_size and not self.is_request_complete:
            self.client.write(CONTINUE)
        self.is_held = can_be_held(self)
        if self.is_held and max(self.content_length, self.body_size) > HELD_UNCOUNTED:
            hold(self, max(self.content_length, self.body_size))
            if self.is_ended:
                return
        self.client.resume_reading()
        if not self.is_held or self.is_request_complete:
            self.forward()

    def forward(self) -> None:
        self.is_forwarding = True
        stages = self.services.on_body
        pipeline.advance(self, (name_deployment, *stages) if self.route.deployment else stages)

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
            self.forward()

    @property
    def is_admitted(self) -> bool:
        """Whether the stages of the head have passed."""
        return self.principal is not NOBODY or (self.started > 0.0 and self.route.kind == "control")

    def body_sent(self) -> None:
        """What had arrived of a streaming body is on its way: say its end, where that had arrived too."""
        if self.is_request_complete and self.is_chunked and self.connection is not None:
            self.connection.write(b"0\r\n\r\n")

    def whole_body(self) -> bytes:
        """A held body in one piece."""
        body = self.body
        if len(body) != 1:
            self.body = body = [b"".join(body)]
        return body[0]

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

    def stopped(self, stages: "tuple[pipeline.Stage, ...]", error: GatewayError) -> None:
        """A stage of these raised `error`."""
        rival = self.retrial.rival if self.retrial is not None else None
        if stages is pipeline.ON_RETRY and rival is not None:
            # Only a second one cannot be asked.
            retrial.return_to_first(self, rival)
        else:
            self.refuse(error)

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

    @property
    def owner(self) -> str:
        """With whom it stands in line for a connection."""
        return self.principal.organization_id

    def connected(self, connection: UpstreamConnection) -> None:
        """The pool has a connection for us."""
        send(self, connection)

    def not_connected(self, error: GatewayError) -> None:
        """The pool has none."""
        self.is_waiting = False
        if not retrial.not_connected(self, error):
            self.refuse(error)

    def answered(self, connection: UpstreamConnection, data: bytes, *, is_complete: bool) -> None:
        """The provider sent its head, or more of its body: pass it on, one write per read."""
        if self.is_ended:
            return
        head = b""
        if not self.is_head_sent:
            selector = self.selector
            found = connection.head
            assert found is not None, "the first read told of is the one that completes the head"
            if selector is None:
                pass
            elif found.status == 200 and self.retrial is None and not self.is_stream_request:
                # The usual answer: nothing else was tried, and nothing of it can turn out to be an error.
                verdicts.answered_well(self, selector, found)
            else:
                passed = retrial.judge(self, selector, connection, data, is_complete=is_complete)
                if passed is None:
                    return
                data = passed
            head = relay.begin(self, found, data, is_complete=is_complete)
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
        lets_through = self.filter.lets_through if self.filter is not None else None
        is_plain = self.framing == relay.CHUNKED and self.first_byte > 0.0
        if not is_plain or (lets_through is not None and not lets_through(data)):
            self.answered(connection, data, is_complete=False)
            return
        self.response_bytes += len(data)
        if self.tap is not None:
            self.tap.feed(data)
        transport = self.client.transport
        if transport is not None:
            transport.write(chunk)
            if self.tap is not None:
                connection.pass_on(self.tap.feed, transport.write, lets_through)

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
            if self.selector is not None:
                verdicts.answered_well(self, self.selector, connection.head)
            self.client.tunnel(self, connection, relay.upgrade_head(self, connection.head), rest)

    def upstream_failed(self, connection: UpstreamConnection, error: GatewayError, *, was_read: bool) -> None:
        """No (more) answer will come. A request that was surely not read is sent once more, on a fresh connection."""
        if self.is_ended:
            return
        if connection is not self.connection:
            retrial.rival_failed(self, connection, error, was_read=was_read)
            return
        self.connection = None
        if not was_read and self.is_held and not self.is_fresh and not self.is_head_sent:
            try:
                dispatch(self, fresh=True)
            except GatewayError as refusal:
                self.refuse(refusal)
            return
        if not retrial.failed(self, error, was_read=was_read):
            self.refuse(error)

    def upstream_paused(self) -> None:
        """The provider takes no more of the body for now. One that is whole comes from no client any more."""
        if not self.is_request_complete:
            self.client.pause_reading()

    def upstream_resumed(self) -> None:
        """It takes more again."""
        self.client.resume_reading()

    def _leave_upstream(self) -> None:
        """Nobody waits for a provider any more."""
        if self.retrial is not None:
            self.retrial.leave(self)
        if self.runtime_or_none is not None and not self.is_head_sent:
            self.runtime_or_none.breaker.abandoned(self.services.clock(), self)
        self.leave_connection()

    def leave_connection(self) -> None:
        """End the attempt under way, if there is one."""
        if self.is_waiting:
            self.is_waiting = False
            self.runtime.pool.leave(self)
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.cancel()

    # -- the end

    def cut(self, ending: bytes) -> None:
        """End a stream before its provider does, by these bytes."""
        self.is_cut = True
        self._leave_upstream()
        self._end(ending)

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
        self.services.held_bytes -= self.held_size
        self.ended = self.services.clock()
        if not hasattr(self, "route") or self.route.kind in ("local", "control"):
            return
        for stage in self.services.on_end:
            stage(self)
