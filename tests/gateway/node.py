"""A worker's insides without sockets: scripted clients and providers, a clock that is moved by hand."""

import asyncio
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import msgspec

from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.errors import GatewayError
from sluicegate.domain.events import Exchange, Line, Pending
from sluicegate.domain.pricing import Price
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ModelAlias, Origin, Provider, Retries, Snapshot, Target
from sluicegate.domain.tokens import digest
from sluicegate.gateway.client import ClientConnection
from sluicegate.gateway.journal import Journal
from sluicegate.gateway.link import Link
from sluicegate.gateway.listener import Listener
from sluicegate.gateway.plugins import Plugins
from sluicegate.gateway.services import Services
from sluicegate.gateway.turn import Turn
from sluicegate.wire.link import AskLease, Bodies, Counted, Lent, Priced
from tests.gateway.ledger import PlayedLedger

TOKEN = "sk-sg-test-0123456789"
PROVIDER_KEY = "provider-key-canary-77"

PRINCIPAL = Principal(token_id="tok_1", name="tester", project_id="prj_a", organization_id="org_a")


class FakeTransport(asyncio.Transport):
    """Collects what is written; closing is told to the protocol in the loop's next turn, as real transports do."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol, **extra: Any) -> None:
        super().__init__({"peername": ("203.0.113.9", 4711), **extra})
        self.loop = loop
        self.protocol = protocol
        self.sent = bytearray()
        self.writes: list[bytes] = []
        self.is_open = True
        self.is_aborted = False
        self.is_half_closed = False
        self.is_read = True
        self.is_stuck = False
        """Whether nobody takes what was sent, so that it is closed behind that only: never."""
        self.room = 1 << 62
        """Bytes that are sent before anybody takes them, until the protocol is asked to pause."""
        self.is_full = False
        self.is_ending = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_open:
            self.sent += data
            self.writes.append(bytes(data))
            if len(self.sent) > self.room and not self.is_full:
                self.is_full = True
                self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return len(self.sent)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_half_closed = True

    def is_closing(self) -> bool:
        return self.is_ending or not self.is_open

    def close(self) -> None:
        self.is_ending = True
        if not self.is_stuck:
            self.lose(None)

    def abort(self) -> None:
        self.is_aborted = True
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self.is_open:
            self.is_open = False
            self.loop.call_soon(cast("asyncio.Protocol", self.protocol).connection_lost, error)

    def is_reading(self) -> bool:
        return self.is_read

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.sent)
        self.sent.clear()
        if self.is_full:
            self.is_full = False
            self.protocol.resume_writing()
        return data


class Peer:
    """One side of a conversation: the far end of a FakeTransport."""

    def __init__(self, node: "Node", transport: FakeTransport) -> None:
        self.node = node
        self.transport = transport

    def says(self, data: bytes) -> "Peer":
        """Send bytes, in one read."""
        cast("asyncio.Protocol", self.transport.protocol).data_received(data)
        self.node.settle()
        return self

    def ends(self) -> "Peer":
        """Send a FIN."""
        if not cast("asyncio.Protocol", self.transport.protocol).eof_received():
            self.transport.close()
        self.node.settle()
        return self

    def leaves(self, error: Exception | None = None) -> "Peer":
        """Be gone."""
        self.transport.lose(error)
        self.node.settle()
        return self

    def hears(self) -> bytes:
        """What the gateway wrote to this side since the last time."""
        return self.transport.take()

    @property
    def is_connected(self) -> bool:
        return self.transport.is_open


class ScriptedOpener:
    """Connects at once, or refuses, or leaves everybody waiting."""

    def __init__(self, node: "Node") -> None:
        self.node = node
        self.peers: list[Peer] = []
        self.reached: list[str] = []
        """Whom each of `peers` is."""
        self.refusal: GatewayError | None = None
        self.is_stuck = False
        self.room = 1 << 62
        """Of the transports that are made: see there."""
        self.asked: list[tuple[Provider, Callable[[], asyncio.Protocol], Callable[[GatewayError], None]]] = []

    def open(
        self, provider: Provider, make: Callable[[], asyncio.Protocol], failed: Callable[[GatewayError], None]
    ) -> None:
        if self.is_stuck:
            self.asked.append((provider, make, failed))
        elif self.refusal is not None:
            self.node.loop.call_soon(failed, self.refusal)
        else:
            self.node.loop.call_soon(self.connect, make, provider)

    def connect(self, make: Callable[[], asyncio.Protocol], provider: Provider | None = None) -> Peer:
        protocol = make()
        transport = FakeTransport(self.node.loop, protocol)
        transport.room = self.room
        peer = Peer(self.node, transport)
        self.peers.append(peer)
        self.reached.append(provider.id if provider is not None else "")
        protocol.connection_made(transport)
        return peer


class ScriptedLink(Link):
    """Control, as far as a test scripts it: knows `tokens`, counts with `counts`."""

    def __init__(self, node: "Node") -> None:
        super().__init__("/nowhere", worker=0, pid=1, listener=cast("Any", node), loop=node.loop)
        self.node = node
        self.tokens: dict[bytes, Principal] = {}
        self.asked: list[bytes] = []
        self.is_silent = False
        self.questions: list[Any] = []
        self.answer: Counted | None = None
        self.counted: list[Callable[[Counted | None], None]] = []
        self.bodies: list[Bodies] = []
        """What was handed over."""
        self.prices: dict[str, Price] = {}
        self.priced: list[tuple[str, str, str]] = []

    def resolve(self, digest: bytes, *, is_damaged: bool = False) -> None:
        self.asked.append(digest)
        if not self.is_silent:
            self.node.loop.call_soon(self.node.services.principals.learn, digest, self.tokens.get(digest))

    def hand_over(self, bodies: Bodies) -> bool:
        self.bodies.append(bodies)
        return True

    def lend(self, asks: tuple[AskLease, ...], callback: Callable[[Lent | None], None]) -> None:
        self.node.ledger.lend(asks, callback)

    def ask_price(
        self, provider: str, model: str, organization: str, callback: Callable[[Priced | None], None]
    ) -> None:
        self.priced.append((provider, model, organization))
        if self.is_silent:
            return
        self.node.loop.call_soon(callback, Priced(0, self.prices.get(model)))

    def count(self, question: Any, now: float, callback: Callable[[Counted | None], None]) -> None:
        self.questions.append(question)
        self.counted.append(callback)


class Node:
    """See the module."""

    def __init__(self, directory: Path, snapshot: Snapshot | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.opener = ScriptedOpener(self)
        self.directory = directory
        self.said: list[str] = []
        """What plugins made the worker say."""
        self.plugins: dict[str, tuple[EntryPoint, ...]] = {}
        """Those that are installed."""
        turn = Turn(schedule=self.loop.call_soon)
        self.journal = Journal(
            directory, 0, "0193a5b0c0de", schedule=turn.write_first, on_error=lambda state, reason: None
        )
        self.services = Services(
            dialects=DIALECTS,
            opener=self.opener,
            control_socket="/run/control.sock",
            journal=self.journal,
            turn=turn,
            clock=lambda: self.now,
            wall=lambda: 1_700_000_000.0 + self.now,
            salt=7,
            version="1.2.3",
            plugins=Plugins(clock=lambda: self.now, say=self.said.append, find=lambda name: self.plugins.get(name, ())),
        )
        self.link = ScriptedLink(self)
        self.ledger = PlayedLedger(self.loop, lambda: self.now)
        self.services.connect(self.link, self.loop)
        self.link.tokens[digest(TOKEN.encode())] = PRINCIPAL
        self.timers: list[tuple[float, asyncio.TimerHandle]] = []
        self.services.later = self.later
        self.listener = Listener(self.services)
        self.services.configure(snapshot or a_snapshot())

    def later(self, seconds: float, callback: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
        """Call somebody when so many seconds have passed."""
        handle = asyncio.TimerHandle(self.now + seconds, callback, arguments, self.loop)
        self.timers.append((self.now + seconds, handle))
        return handle

    def settle(self) -> None:
        """Let the loop run until nothing is due."""
        # Sixteen rounds, but one run: to begin a run takes longer than a round.
        self.loop.call_soon(self.go_round, 15)
        self.loop.run_forever()

    def go_round(self, more: int) -> None:
        """Let the loop go round so many more times."""
        if more:
            self.loop.call_soon(self.go_round, more - 1)
        else:
            self.loop.stop()

    def client(self, **extra: Any) -> Peer:
        """A client connects."""
        protocol = ClientConnection(self.listener, self.services)
        transport = FakeTransport(self.loop, protocol, **extra)
        protocol.connection_made(transport)
        return Peer(self, transport)

    @property
    def provider(self) -> Peer:
        """The provider's side of the connection opened last."""
        return self.opener.peers[-1]

    def passes(self, seconds: float) -> None:
        """Time passes, in the sweep's steps."""
        for _ in range(2):
            self.listener.sweep(self.now)
        self.now += seconds
        due = [handle for at, handle in self.timers if at <= self.now]
        self.timers = [(at, handle) for at, handle in self.timers if at > self.now]
        for handle in due:
            if not handle.cancelled():
                self.loop.call_soon(handle._run)
        self.listener.sweep(self.now)
        self.services.principals.sweep(self.now)
        self.services.providers.sweep(self.now)
        self.services.budgets.borrower.sweep(self.now)
        self.services.prices.sweep(self.now)
        self.services.budgets.tick()
        self.settle()

    def lines(self) -> list[Line]:
        """Every line of the journal."""
        self.settle()
        decoder = msgspec.json.Decoder(Exchange | Pending)
        return [
            decoder.decode(line)
            for path in sorted(self.directory.glob("*.jsonl"))
            for line in path.read_bytes().splitlines()
        ]

    def events(self) -> list[Exchange]:
        """Every final event of the journal."""
        return [line for line in self.lines() if isinstance(line, Exchange)]

    def close(self) -> None:
        self.journal.close()
        self.loop.close()


def a_provider(name: str = "openai", dialect: str = "openai", **changes: Any) -> Provider:
    """A provider as configuration would compile it."""
    api = DIALECTS[dialect]
    base = changes.pop("base_path", "/v1" if dialect == "openai" else "")
    return Provider(
        name=name,
        dialect=dialect,
        origin=Origin("http", f"{name}.test", 80),
        authority=f"{name}.test",
        base_path=base,
        version_path=api.version_path(base),
        headers=api.credential_headers(PROVIDER_KEY),
        default_headers=api.default_headers(),
        allow=changes.pop("allow", api.allow),
        **changes,
    )


def a_snapshot(**changes: Any) -> Snapshot:
    """Three providers, one alias; nothing is sent twice unless `retries` say so."""
    providers = changes.pop(
        "providers",
        (a_provider(), a_provider("anthropic", "anthropic"), a_provider("gemini", "gemini")),
    )
    return Snapshot(
        version=1,
        providers=providers,
        models=changes.pop("models", (ModelAlias("smart", (Target("openai", "gpt-large", 1),)),)),
        retries=changes.pop("retries", Retries(attempts=1)),
        defaults={provider.dialect: provider.name for provider in reversed(providers)},
        **changes,
    )


def a_request(
    path: str = "/v1/chat/completions",
    body: bytes = b'{"model":"gpt-4o-mini","messages":[]}',
    *,
    method: str = "POST",
    fields: tuple[str, ...] = (),
    token: str | None = TOKEN,
    version: str = "1.1",
) -> bytes:
    """A request as an SDK sends it."""
    lines = [f"{method} {path} HTTP/{version}", "Host: gateway.test"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *fields, "", ""]).encode() + body


def an_answer(body: bytes = b'{"ok":true}', *, status: str = "200 OK", fields: tuple[str, ...] = ()) -> bytes:
    """A provider's answer with a length."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def a_stream_head(*fields: str) -> bytes:
    """The head of a provider's chunked event stream."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", *fields, "", ""]
    return "\r\n".join(lines).encode()


def a_chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, fields (lower-case names) and the rest of an answer."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split(" ")[1]), {name.lower(): value for name, value in fields.items()}, rest
