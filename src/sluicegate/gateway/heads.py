"""The head of a client's request: what it says, and how a head that comes again is known by its bytes.

A client that keeps its connection sends the same head with every request, but for the digits of Content-Length. Bytes
that are the same mean the same: such a head is neither parsed nor judged again, which saves a third of the cost.
"""

from typing import TYPE_CHECKING

from sluicegate.domain.routing import ANYWHERE, Narrowing
from sluicegate.wire import headers, trace_context

if TYPE_CHECKING:
    from sluicegate.domain.principal import Principal
    from sluicegate.gateway.providers import ProviderRuntime
    from sluicegate.gateway.routes import Route, Routes

DISCARDED = 65_536
"""A refused request's unread body up to this is read and dropped, so that the client's connection can be used again."""
_LONGEST_LENGTH = 12
"""Digits of a body's length that is known again, and the CR behind them: more than any bound lets pass."""
_KEPT = {headers.EXPECT: "expect", headers.MAX_COST: "max_cost"}
"""Fields that are kept as they are, and do not travel."""
_SEEN = {headers.CONTENT_ENCODING: "content_encoding", headers.ORIGIN: "origin"}
"""Fields that are kept as they are, and do."""
_LENGTH_FIELD = b"\r\ncontent-length:"


class RequestHead:
    """What one head says. It is written while it is parsed and judged, and then shared by the requests it serves.

    `lines` are the fields that travel, without line ends. `route` is valid while `judged_by` is the present
    routes' object: what `stages/accept` checked about this head then holds for every request it begins.
    """

    __slots__ = (
        "accept_encoding",
        "content_encoding",
        "content_length",
        "content_type",
        "credential_digest",
        "credentials",
        "expect",
        "fault",
        "for_control",
        "hosts",
        "is_chunked",
        "is_http10",
        "judged_by",
        "keeps_alive",
        "lines",
        "max_cost",
        "method",
        "narrowing",
        "options",
        "origin",
        "prefixed_for",
        "prefixes",
        "raw_target",
        "route",
        "session",
        "traceparent",
        "tracestate",
        "upgrade",
    )

    route: "Route"

    def __init__(self) -> None:
        """A head whose first byte has arrived."""
        self.method = b""
        self.raw_target = b""
        self.lines: list[bytes] = []
        self.credentials: list[tuple[int, bytes, bytes]] = []
        self.for_control: list[bytes] = []
        """Lines of fields that the control process alone may see."""
        self.hosts: list[bytes] = []
        self.options: frozenset[bytes] = frozenset()
        self.content_length = -1
        self.content_type = b""
        self.content_encoding = b""
        self.accept_encoding = b""
        self.upgrade = b""
        self.expect = b""
        self.session = ""
        self.max_cost = b""
        self.origin = b""
        self.traceparent: str | None = None
        """Of the client's span; empty where what it says of that is not valid."""
        self.tracestate = ""
        self.narrowing: Narrowing = ANYWHERE
        """The regions, and the tags, that a deployment must have to answer."""
        self.fault = ""
        self.is_chunked = False
        self.is_http10 = False
        self.keeps_alive = True
        self.judged_by: Routes | None = None
        self.credential_digest = b""
        self.prefixed_for: Principal | None = None
        self.prefixes: dict[tuple[ProviderRuntime, bool, str], bytes] = {}
        """What providers get of this head for the caller `prefixed_for`; by provider, whether it streams, and the model
        where the path names it."""

    def __repr__(self) -> str:
        """Tell the request line; never a field, which could be a credential."""
        return f"<RequestHead {self.method.decode('latin-1')} fields={len(self.lines)}>"

    def note(self, kind: int, name: bytes, value: bytes) -> None:
        """Take a field that means something to us."""
        if kind >= headers.AUTHORIZATION:
            self.credentials.append((kind, name, value))
        elif kind == headers.HOST:
            self.hosts.append(value)
        elif kind == headers.CONTENT_LENGTH:
            self.content_length = int(value) if len(value) < 19 else 1 << 62
        elif kind == headers.CONTENT_TYPE:
            self.content_type = value.lower()
            self.lines.append(b"%b: %b" % (name, value))
        elif kind == headers.ACCEPT_ENCODING:
            self.accept_encoding = value.lower()
        elif kind == headers.CONNECTION:
            self.options |= headers.connection_options(value)
        elif kind == headers.TRANSFER_ENCODING:
            if self.is_chunked or value.lower() != b"chunked":
                self.fault = "the only transfer coding served is a single 'chunked'"
            self.is_chunked = True
        elif kind in _SEEN:
            setattr(self, _SEEN[kind], value)
            self.lines.append(b"%b: %b" % (name, value))
        elif kind == headers.UPGRADE:
            self.upgrade = value if value.lower() == b"websocket" else b""
        elif kind == headers.SESSION:
            self.session = value.decode("latin-1")
            self.lines.append(b"%b: %b" % (name, value))
        elif kind in _KEPT:
            setattr(self, _KEPT[kind], value)
        elif kind in (headers.REGION, headers.TAGS):
            regions, tags = self.narrowing
            self.narrowing = (_words(value), tags) if kind == headers.REGION else (regions, _words(value))
        elif kind in (headers.TRACEPARENT, headers.TRACESTATE):
            self._note_trace(kind, value)
            self.lines.append(b"%b: %b" % (name, value))
        elif kind in (headers.COOKIE, headers.ADMIN_SECRET):
            self.for_control.append(b"%b: %b" % (name, value))
        else:
            self.lines.append(b"%b: %b" % (name, value))

    def finish(self, method: bytes, version: str) -> None:
        """All fields are in."""
        self.method = method
        self.is_http10 = version == "1.0"
        if not self.is_http10 and version != "1.1":
            # The parser knows 0.9 and 2.0 as well.
            self.fault = f"HTTP/{version} is not served: this is HTTP/1.1"
            self.keeps_alive = False
        elif self.is_http10:
            self.keeps_alive = b"keep-alive" in self.options and not self.is_chunked
            if self.is_chunked:
                self.fault = "HTTP/1.0 has no chunked bodies"
            self.expect = b""  # nor 100 (RFC 9110 section 10.1.1)
        else:
            self.keeps_alive = b"close" not in self.options
        if self.upgrade and (self.is_http10 or b"upgrade" not in self.options):
            self.upgrade = b""  # from a hop before, or of a version without it (RFC 9110 section 7.8)
        if self.tracestate:
            self.tracestate = trace_context.state_of(self.tracestate) if self.traceparent else ""

    def _note_trace(self, kind: int, value: bytes) -> None:
        """Take a part of the client's trace context. Two parents are none; states are one list."""
        if kind == headers.TRACEPARENT:
            self.traceparent = trace_context.parent_of(value) if self.traceparent is None else ""
        else:
            value_before = f"{self.tracestate}," if self.tracestate else ""
            self.tracestate = value_before + value.decode("latin-1")

    def size(self) -> int:
        """Bytes of the fields that are kept."""
        noted = sum(len(name) + len(value) for _, name, value in self.credentials)
        return sum(map(len, self.lines)) + noted + sum(map(len, self.hosts)) + sum(map(len, self.for_control))

    def credential(self) -> bytes:
        """The caller's credential: `Authorization`, else `x-api-key`, else `api-key`, else `x-goog-api-key`."""
        if not self.credentials:
            return b""
        kind, _, value = self.credentials[0] if len(self.credentials) == 1 else min(self.credentials)
        return headers.bearer(value) if kind == headers.AUTHORIZATION else value.strip()


def _words(value: bytes) -> tuple[str, ...]:
    """The words between the commas of a field's value."""
    return tuple(word.strip() for word in value.decode("latin-1").split(",") if word.strip())


class KnownHead:
    """A head by its bytes, around the digits of its Content-Length."""

    __slots__ = ("_after", "_before", "head")

    def __init__(self, head: RequestHead, before: bytes, after: bytes) -> None:
        """`after` is empty where the head has no Content-Length, and `before` all of it."""
        self.head = head
        self._before = before
        self._after = after

    def __repr__(self) -> str:
        """Tell the request line and the length; never the bytes, which hold a credential."""
        return f"<KnownHead {self.head!r} bytes={len(self._before) + len(self._after)}>"

    def body_of(self, data: bytes) -> bytes | None:
        """The body where `data` is this head and a whole body, and nothing else; None for all others."""
        before = self._before
        if not data.startswith(before):
            return None
        if not self._after:
            return b"" if len(data) == len(before) else None
        end = data.find(b"\r", len(before), len(before) + _LONGEST_LENGTH)
        digits = data[len(before) : max(end, 0)]
        # More than that is not always read to its end, where the head alone refuses the request.
        if not digits.isdigit() or int(digits) > DISCARDED or not data.startswith(self._after, end):
            return None
        body = data[end + len(self._after) :]
        return body if len(body) == int(digits) else None


def known_head(head: RequestHead, data: bytes) -> KnownHead | None:
    """The head that `data` begins with, to be known again; None where its bytes do not say all, or may mean more.

    The parser has accepted `data`, whose head said what `head` holds.
    """
    end = data.find(b"\r\n\r\n") + 4
    start = b"%b %b " % (head.method, head.raw_target)
    if end < 4 or head.is_chunked or head.expect or head.upgrade or head.fault or not data.startswith(start):
        return None
    raw = data[:end]
    if raw.count(b"\n") != raw.count(b"\r\n"):
        return None
    lower = raw.lower()
    at = lower.find(_LENGTH_FIELD)
    if at < 0:
        return KnownHead(head, raw, b"") if head.content_length < 0 else None
    at += len(_LENGTH_FIELD)
    if raw[at : at + 1] == b" ":
        at += 1
    stop = raw.find(b"\r", at)
    if not raw[at:stop].isdigit() or int(raw[at:stop]) != head.content_length or lower.count(_LENGTH_FIELD) != 1:
        return None
    return KnownHead(head, raw[:at], raw[stop:])
