"""One client connection of the mock: bytes in, requests out; answers in, bytes out at their pace."""

import asyncio
import socket
import struct
from collections import deque
from typing import Any, Protocol

import httptools

from sluicegate.bench.mock.answers import Answer, Stream, Whole
from sluicegate.bench.mock.counters import Counters
from sluicegate.bench.mock.request import Request
from sluicegate.bench.mock.routes import route_of
from sluicegate.bench.mock.script import Ending, Script
from sluicegate.bench.mock.websocket import WebSocketEcho, accept

_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing sends RST."""


class Provider(Protocol):
    """What a connection needs of the mock that it belongs to."""

    counters: Counters

    def connected(self, connection: "MockConnection") -> None:
        """Count a new connection."""

    def disconnected(self, connection: "MockConnection") -> None:
        """Forget a connection."""

    def keeps_body(self, url: bytes) -> bool:
        """Whether the body to a path that no API has is wanted."""

    def answer(self, request: Request) -> tuple[Answer, Script]:
        """Decide what to say to a request and how to say it."""

    def refusal_of_upgrade(self, request: Request) -> bytes | None:
        """Return the answer to a WebSocket that may not be opened; None if it may."""


class MockConnection(asyncio.Protocol):
    """Reads with llhttp, answers one request after the other."""

    __slots__ = (
        "_answering",
        "_body",
        "_can_write",
        "_headers",
        "_is_closing",
        "_keeps_body",
        "_loop",
        "_next_time",
        "_parser",
        "_script",
        "_sent",
        "_server",
        "_size",
        "_timer",
        "_transport",
        "_url",
        "_waiting",
        "_websocket",
    )

    def __init__(self, server: Provider, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to `server`, which decides the answers and counts them."""
        self._server = server
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._websocket: WebSocketEcho | None = None
        self._waiting: deque[Request] = deque()
        self._answering: Answer | None = None
        self._script = Script(())
        self._sent = 0
        self._next_time = 0.0
        self._timer: asyncio.Handle | None = None
        self._can_write = True
        self._is_closing = False
        self.on_message_begin()

    def __repr__(self) -> str:
        """Tell what the connection is doing."""
        return f"<MockConnection answering={self._answering is not None} sent={self._sent} next={len(self._waiting)}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the server."""
        self._transport: Any = transport
        self._server.connected(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Leave the server; an answer under way is cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        if self._answering is not None:
            self._server.counters.cancelled += 1
            self._count_tokens(self._answering)
            self._answering = None
        self._waiting.clear()
        self._server.disconnected(self)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # Reading

    def data_received(self, data: bytes) -> None:
        """Take what came: a part of a request, or of a WebSocket."""
        if self._websocket is not None:
            self._echo(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._transport.write(_BAD_REQUEST)
            self._transport.close()

    def on_message_begin(self) -> None:
        """Forget the request before."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._keeps_body = False

    def on_url(self, url: bytes) -> None:
        """Take a part of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Decide whether the body is to be kept, and let a client send it that has asked."""
        route = route_of(self._url)
        self._keeps_body = self._server.keeps_body(self._url) if route is None else route.keeps_body
        for name, value in self._headers:
            if len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
                self._transport.write(_CONTINUE)

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self._size += len(data)
        if self._keeps_body:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Answer, or wait until the answer before is out."""
        if self._parser.should_upgrade():
            return
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, self._url, self._headers, b"".join(self._body), self._size)
        self._is_closing = self._is_closing or not self._parser.should_keep_alive()
        if self._answering is None:
            self._answer(request)
        else:
            self._waiting.append(request)

    # Answering

    def _answer(self, request: Request) -> None:
        answer, script = self._server.answer(request)
        if request.method == "HEAD" and isinstance(answer, Whole):
            answer = Whole(answer.head, b"")
            script = Script((answer.head,), script.ending, script.delay)
        self._answering, self._script, self._sent = answer, script, 0
        if script.delay:
            self._next_time = self._loop.time() + script.delay
            self._timer = self._loop.call_at(self._next_time, self._step)
        else:
            # The clock is not read where nothing is paced.
            self._next_time = self._loop.time() if script.interval else 0.0
            self._step()

    def _step(self) -> None:
        """Write the next part and arrange for the one after it."""
        self._timer = None
        script, sent = self._script, self._sent
        writes = script.writes
        if sent < len(writes):
            self._transport.write(writes[sent])
            self._sent = sent = sent + 1
        if sent >= len(writes):
            self._end()
        elif not self._can_write:
            pass  # `resume_writing` goes on
        elif script.interval:
            # From when it was due, not from now, so that lateness does not add up.
            self._next_time += script.interval
            self._timer = self._loop.call_at(self._next_time, self._step)
        else:
            self._timer = self._loop.call_soon(self._step)

    def _end(self) -> None:
        script = self._script
        if script.ending is Ending.STALL:
            return
        if script.ending is Ending.RESET:
            # uvloop writes at the end of the turn; what was written before must be out first.
            self._timer = self._loop.call_soon(self._reset)
            return
        assert self._answering is not None
        self._count_tokens(self._answering)
        self._answering = None
        if script.ending is Ending.CLOSE or (self._is_closing and not self._waiting):
            self._transport.close()
        elif self._waiting:
            self._answer(self._waiting.popleft())

    def _reset(self) -> None:
        raw = self._transport.get_extra_info("socket")
        if raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._answering = None
        self._transport.abort()

    def _count_tokens(self, answer: Answer) -> None:
        if isinstance(answer, Stream):
            self._server.counters.tokens += answer.served(self._sent)
        elif self._sent:
            self._server.counters.tokens += answer.tokens

    def pause_writing(self) -> None:
        """Hold back while the client does not read."""
        self._can_write = False

    def resume_writing(self) -> None:
        """Go on with the answer that was held back."""
        self._can_write = True
        if self._answering is not None and self._timer is None and self._sent < len(self._script.writes):
            self._timer = self._loop.call_soon(self._step)

    # WebSocket

    def _upgrade(self, rest: bytes) -> None:
        request = Request("GET", self._url, self._headers)
        key = request.header(b"sec-websocket-key")
        refusal = self._server.refusal_of_upgrade(request)
        if refusal is not None or key is None:
            self._transport.write(_BAD_REQUEST if refusal is None else refusal)
            self._transport.close()
            return
        self._websocket = WebSocketEcho()
        self._transport.write(accept(key, request.header(b"sec-websocket-protocol")))
        self._echo(rest)

    def _echo(self, data: bytes) -> None:
        assert self._websocket is not None
        out = self._websocket.feed(data)
        if out:
            self._transport.write(out)
        if self._websocket.is_closed:
            self._transport.close()
