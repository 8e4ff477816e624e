"""TLS between two connections in memory: real handshakes, cut wherever a read may be cut."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import trustme

from sluicegate.domain.snapshot import Provider
from sluicegate.gateway.secured import Secured
from tests.gateway.node import Node, Peer, a_request, an_answer, parts

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Wire(asyncio.Transport):
    """A socket's transport: keeps what is written, and what is asked for."""

    def __init__(self) -> None:
        super().__init__({"peername": ("203.0.113.9", 443)})
        self.sent = b""
        self.writes = 0
        self.asked: list[str] = []
        self.is_read = True
        self.is_lost = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert "close" not in self.asked, "a closed transport was written to"
        self.sent += data
        self.writes += 1

    def get_write_buffer_size(self) -> int:
        return len(self.sent)

    def close(self) -> None:
        self.asked.append("close")

    def abort(self) -> None:
        self.asked.append("abort")

    def is_closing(self) -> bool:
        return self.is_lost or bool(self.asked)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol: asyncio.BaseProtocol | None = protocol

    def is_reading(self) -> bool:
        return self.is_read

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def take(self) -> bytes:
        sent, self.sent = self.sent, b""
        return sent


class Heard(asyncio.Protocol):
    """The protocol above: keeps what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.reads = 0
        self.calls: list[str] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.reads += 1

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append(f"lost {exc}")

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")


class Side:
    """One end: the socket's transport below, the TLS, the protocol above."""

    def __init__(
        self, context: ssl.SSLContext, name: str | None = None, make: Callable[[], asyncio.Protocol] | None = None
    ) -> None:
        self.wire = Wire()
        self.heard = Heard()
        self.outcomes: list[Exception | None] = []
        self.tls = Secured(context, make or (lambda: self.heard), self.ended, server_hostname=name)

    def ended(self, secured: Secured, error: Exception | None) -> None:
        assert secured is self.tls
        self.outcomes.append(error)


class Pair:
    """A client and a server, and the wire between them."""

    def __init__(self, client: Side, server: Side) -> None:
        self.client = client
        self.server = server

    def begin(self, step: int = 1 << 30) -> "Pair":
        """Connect both and let them talk."""
        self.server.tls.connection_made(self.server.wire)
        self.client.tls.connection_made(self.client.wire)
        return self.flow(step)

    def flow(self, step: int = 1 << 30) -> "Pair":
        """Carry bytes both ways, in reads of up to `step`, until nobody has more to say."""
        while True:
            sent = [(self.client.wire.take(), self.server), (self.server.wire.take(), self.client)]
            if not any(data for data, _ in sent):
                return self
            for data, side in sent:
                for at in range(0, len(data), step):
                    side.tls.data_received(data[at : at + step])


class Authority:
    """Who signs, and the contexts of both ends."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.certificate = self.authority.issue_cert("provider.test")

    def client(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.maximum_version = version
        self.authority.configure_trust(context)
        return context

    def server(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        (certificate or self.certificate).configure_cert(context)
        return context

    def pair(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Pair:
        return Pair(Side(self.client(version), "provider.test"), Side(self.server()))


@pytest.fixture(scope="module")
def authority() -> Authority:
    """One for all: keys cost time."""
    return Authority()


both_versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@both_versions
@pytest.mark.parametrize("step", [1, 2, 7, 1 << 30])
def test_a_handshake_and_a_conversation_in_reads_of_any_size(
    authority: Authority, version: ssl.TLSVersion, step: int
) -> None:
    """Each side is told once that it stands, in this order: the handshake's end, the connection, the data."""
    pair = authority.pair(version).begin(step)
    client, server = pair.client, pair.server
    assert client.outcomes == server.outcomes == [None]
    assert client.heard.calls == server.heard.calls == ["made"]
    # What follows the handshake (session tickets, RFC 8446 section 4.6.1) is nobody's data.
    assert client.heard.reads == server.heard.reads == 0
    assert client.heard.transport is client.tls
    client.tls.write(b"ping")
    pair.flow(step)
    server.tls.writelines([b"po", bytearray(b"n"), memoryview(b"g")])
    pair.flow(step)
    assert (server.heard.data, client.heard.data) == (b"ping", b"pong")
    assert repr(client.tls) == f"<Secured {'TLSv1.3' if version == ssl.TLSVersion.TLSv1_3 else 'TLSv1.2'}>"


@both_versions
def test_data_cut_in_two_at_every_byte(authority: Authority, version: ssl.TLSVersion) -> None:
    """Records reach the protocol whole, however they arrive."""
    pair = authority.pair(version).begin()
    expected = b""
    at = 1
    while True:
        pair.client.tls.write(b"hello")
        pair.client.tls.write(b"world")
        sent = pair.client.wire.take()
        pair.server.tls.data_received(sent[:at])
        pair.server.tls.data_received(sent[at:])
        expected += b"helloworld"
        assert pair.server.heard.data == expected
        at += 1
        if at == len(sent):
            break


def test_one_read_is_handed_on_in_one_piece(authority: Authority) -> None:
    """Many records cost one call; and so does one, long or short."""
    pair = authority.pair().begin()
    for number in range(100):
        pair.server.tls.write(b"data: %d\n\n" % number)
    pair.flow()
    assert pair.client.heard.data == b"".join(b"data: %d\n\n" % number for number in range(100))
    assert pair.client.heard.reads == 1
    pair.server.tls.write(b"a" * 16_384)
    pair.flow()
    assert pair.client.heard.reads == 2
    assert pair.client.heard.data.endswith(b"a" * 16_384)


@pytest.mark.parametrize("step", [65_536, 1 << 30])
def test_five_megabytes(authority: Authority, step: int) -> None:
    """Written in one call, sent in one, received whole."""
    pair = authority.pair().begin()
    body = bytes(range(256)) * 20_480
    before = pair.client.wire.writes
    pair.client.tls.write(memoryview(body))
    assert pair.client.wire.writes == before + 1
    pair.flow(step)
    assert pair.server.heard.data == body


class Sparing:
    """A context whose connections take no more than a thousand bytes at once, as `SSLObject.write` may."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def wrap_bio(self, *arguments: Any, **options: Any) -> Any:
        tls = self.context.wrap_bio(*arguments, **options)

        class Taking:
            def write(self, data: Any) -> int:
                return tls.write(data[:1000])

            def __getattr__(self, name: str) -> Any:
                return getattr(tls, name)

        return Taking()


def test_a_write_that_is_taken_in_parts(authority: Authority) -> None:
    """The rest follows, and all of it goes out as one."""
    context = cast("ssl.SSLContext", Sparing(authority.client()))
    pair = Pair(Side(context, "provider.test"), Side(authority.server())).begin()
    body = bytes(range(256)) * 20
    before = pair.client.wire.writes
    pair.client.tls.write(body)
    assert pair.client.wire.writes == before + 1
    pair.flow()
    assert pair.server.heard.data == body


def test_nothing_is_sent_for_nothing(authority: Authority) -> None:
    """An empty write makes no record."""
    pair = authority.pair().begin()
    pair.client.tls.write(b"")
    pair.client.tls.writelines([])
    assert pair.client.wire.take() == b""


@both_versions
def test_data_in_the_read_that_ends_the_handshake(authority: Authority, version: ssl.TLSVersion) -> None:
    """A client's first request may come together with the end of its handshake, and is heard behind `made`."""
    pair = authority.pair(version)
    client, server = pair.client, pair.server
    client.tls.connection_made(client.wire)
    server.tls.connection_made(server.wire)
    while client.outcomes == []:
        server.tls.data_received(client.wire.take())
        client.tls.data_received(server.wire.take())
    client.tls.write(b"request")
    if version == ssl.TLSVersion.TLSv1_3:
        assert server.outcomes == []
    server.tls.data_received(client.wire.take())
    assert server.heard.calls == ["made"]
    assert server.heard.data == b"request"


def test_who_leaves_at_once_hears_no_more(authority: Authority) -> None:
    """A protocol that closes as soon as it is connected is not given the request that came with the handshake's end."""

    class Leaving(Heard):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            cast("asyncio.Transport", transport).write(b"too many")
            transport.close()

    leaving = Leaving()
    client, server = Side(authority.client(), "provider.test"), Side(authority.server(), make=lambda: leaving)
    client.tls.connection_made(client.wire)
    server.tls.connection_made(server.wire)
    server.tls.data_received(client.wire.take())
    client.tls.data_received(server.wire.take())
    for _ in range(3):
        client.tls.write(b"request")
    server.tls.data_received(client.wire.take())
    assert leaving.data == b""
    assert server.wire.asked == ["close"]
    client.tls.data_received(server.wire.take())
    assert client.heard.data == b"too many"
    assert client.heard.calls == ["made", "eof"]


# -- the end


@both_versions
def test_an_end_is_told_before_the_close(authority: Authority, version: ssl.TLSVersion) -> None:
    """TLS's own end (RFC 8446 section 6.1): data, its end, then the connection's; nothing was cut."""
    pair = authority.pair(version).begin()
    pair.server.tls.write(b"all of it")
    pair.server.tls.close()
    assert pair.server.tls.is_closing()
    assert pair.server.wire.asked == ["close"]
    assert repr(pair.server.tls) == "<Secured closing>"
    pair.client.tls.data_received(pair.server.wire.take())
    assert pair.client.heard.data == b"all of it"
    assert pair.client.heard.calls == ["made", "eof"]
    assert pair.client.wire.asked == ["close"]
    assert pair.client.tls.get_extra_info("truncated") is False
    # The socket's own end comes behind it, and is told no second time.
    assert pair.client.tls.eof_received() is False
    pair.client.tls.connection_lost(None)
    assert pair.client.heard.calls == ["made", "eof", "lost None"]


@pytest.mark.parametrize("is_alone", [True, False])
def test_the_end_cut_anywhere(authority: Authority, *, is_alone: bool) -> None:
    """In a read of its own, and with data in front."""
    at = 1
    length = 1 << 30
    while at < length:
        pair = authority.pair().begin()
        if not is_alone:
            pair.server.tls.write(b"data")
        pair.server.tls.close()
        sent = pair.server.wire.take()
        length = len(sent)
        pair.client.tls.data_received(sent[:at])
        pair.client.tls.data_received(sent[at:])
        assert pair.client.heard.data == (b"" if is_alone else b"data")
        assert pair.client.heard.calls == ["made", "eof"]
        at += 3


def test_a_cut_is_not_an_end(authority: Authority) -> None:
    """Without TLS's own end anybody on the way may have cut it: the protocol can ask."""
    pair = authority.pair().begin()
    pair.server.tls.write(b"half")
    pair.flow()
    assert pair.client.tls.get_extra_info("truncated") is False
    assert pair.client.tls.eof_received() is False
    assert pair.client.tls.get_extra_info("truncated") is True
    assert pair.client.heard.calls == ["made", "eof"]
    pair.client.tls.connection_lost(None)
    assert pair.client.heard.calls == ["made", "eof", "lost None"]
    assert pair.client.tls.is_closing()


def test_a_protocol_that_closes_when_told_of_data_is_not_told_of_the_end(authority: Authority) -> None:
    """It has left already."""

    class Closing(Heard):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            assert self.transport is not None
            self.transport.abort()

    closing = Closing()
    pair = Pair(Side(authority.client(), "provider.test", lambda: closing), Side(authority.server())).begin()
    pair.server.tls.write(b"data")
    pair.server.tls.close()
    pair.client.tls.data_received(pair.server.wire.take())
    assert closing.data == b"data"
    assert closing.calls == ["made"]
    assert pair.client.wire.asked == ["abort"]


def test_nothing_is_sent_behind_the_end(authority: Authority) -> None:
    """Writes after a close, an abort or a loss are dropped, further closes do nothing."""
    for end in ("close", "abort", "lost"):
        pair = authority.pair().begin()
        tls = pair.client.tls
        if end == "lost":
            pair.client.wire.is_lost = True
            tls.connection_lost(ConnectionResetError("reset"))
            assert pair.client.heard.calls == ["made", "lost reset"]
        else:
            getattr(tls, end)()
        pair.client.wire.take()
        tls.write(b"late")
        tls.writelines([b"late"])
        tls.close()
        assert pair.client.wire.take() == b""
        assert pair.client.wire.asked == ([] if end == "lost" else [end])


@both_versions
def test_a_side_that_ends_lets_the_other_finish(authority: Authority, version: ssl.TLSVersion) -> None:
    """The peer has all, and its end; what it still sends is dropped; a later close closes, and the loss is told."""
    pair = authority.pair(version).begin()
    pair.server.tls.write(b"refused")
    pair.server.tls.write_eof()
    assert pair.server.wire.asked == []
    pair.client.tls.data_received(pair.server.wire.take())
    assert (pair.client.heard.data, pair.client.heard.calls) == (b"refused", ["made", "eof"])
    deaf = pair.server.wire.protocol
    assert isinstance(deaf, asyncio.Protocol)
    deaf.data_received(b"the rest of a body")
    pair.server.tls.write(b"late")
    pair.server.tls.write_eof()
    assert pair.server.wire.take() == b""
    assert not pair.server.heard.data
    pair.server.tls.close()
    assert pair.server.wire.asked == ["close"]
    deaf.connection_lost(None)
    assert pair.server.heard.calls == ["made", "lost None"]


def test_an_abort_drops_what_was_not_sent(authority: Authority) -> None:
    """It is the transport's, and there may be none yet."""
    pair = authority.pair().begin()
    pair.client.tls.abort()
    assert pair.client.wire.asked == ["abort"]
    fresh = authority.pair().client.tls
    fresh.close()
    assert not fresh.is_closing()
    fresh.abort()
    assert fresh.is_closing()


# -- what goes wrong


def refusal(side: Side) -> ssl.SSLError:
    """Why the handshake failed; it is told once, nobody is connected, and the connection closes."""
    (error,) = side.outcomes
    assert isinstance(error, ssl.SSLError)
    assert side.heard.calls == []
    assert side.wire.asked == ["close"]
    side.tls.connection_lost(None)
    assert len(side.outcomes) == 1
    assert side.heard.calls == []
    return error


def test_a_certificate_for_another_name(authority: Authority) -> None:
    """Is refused, and the provider is told by an alert."""
    pair = Pair(Side(authority.client(), "other.test"), Side(authority.server())).begin()
    error = refusal(pair.client)
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert "other.test" in error.verify_message
    assert "alert" in str(refusal(pair.server)).lower()


def test_an_authority_that_is_not_trusted(authority: Authority) -> None:
    """Likewise."""
    stranger = Authority()
    pair = Pair(Side(stranger.client(), "provider.test"), Side(authority.server())).begin()
    assert isinstance(refusal(pair.client), ssl.SSLCertVerificationError)
    assert "UNKNOWN_CA" in str(refusal(pair.server)).upper().replace(" ", "_")


def test_a_certificate_that_expired(authority: Authority) -> None:
    """Likewise."""
    expired = authority.authority.issue_cert("provider.test", not_before=LONG_AGO, not_after=LONG_AGO)
    pair = Pair(Side(authority.client(), "provider.test"), Side(authority.server(expired))).begin()
    error = refusal(pair.client)
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert "expired" in error.verify_message
    assert "expired" in str(refusal(pair.server)).lower()


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"\x00" * 20])
def test_what_is_not_tls(authority: Authority, garbage: bytes) -> None:
    """To either side, in one read or byte by byte: refused with an alert at most."""
    for step in (1, len(garbage)):
        for side in (Side(authority.server()), Side(authority.client(), "provider.test")):
            side.tls.connection_made(side.wire)
            side.wire.take()
            for at in range(0, len(garbage), step):
                if not side.tls.is_closing():
                    side.tls.data_received(garbage[at : at + step])
            refusal(side)
            assert side.wire.take()[:1] in (b"", b"\x15")


def test_versions_that_do_not_meet(authority: Authority) -> None:
    """Both sides learn that there is no connection."""
    context = authority.server()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    pair = Pair(Side(authority.client(ssl.TLSVersion.TLSv1_2), "provider.test"), Side(context)).begin()
    refusal(pair.client)
    refusal(pair.server)


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
def test_a_connection_that_ends_during_the_handshake(authority: Authority, error: Exception | None) -> None:
    """Nobody was connected; whoever waits for the handshake is told why."""
    side = authority.pair().client
    side.tls.connection_made(side.wire)
    assert repr(side.tls) == "<Secured handshake>"
    assert side.tls.eof_received() is False
    side.tls.connection_lost(error)
    (outcome,) = side.outcomes
    assert isinstance(outcome, ConnectionResetError)
    assert error is None or outcome is error
    assert side.heard.calls == []


def test_a_handshake_that_is_given_up(authority: Authority) -> None:
    """Closed politely or not, before its end."""
    side = authority.pair().client
    side.tls.connection_made(side.wire)
    side.tls.close()
    assert side.wire.asked == ["close"]
    side.tls.connection_lost(None)
    assert isinstance(side.outcomes[0], ConnectionResetError)


@both_versions
def test_a_record_that_was_tampered_with(authority: Authority, version: ssl.TLSVersion) -> None:
    """It breaks the connection with an alert; what came before it in the same read is still the protocol's."""
    pair = authority.pair(version).begin()
    pair.server.tls.write(b"good")
    pair.server.tls.write(b"bad")
    sent = bytearray(pair.server.wire.take())
    sent[-1] ^= 1
    pair.client.tls.data_received(bytes(sent))
    assert pair.client.heard.data == b"good"
    assert pair.client.heard.calls == ["made"]
    assert pair.client.wire.asked == ["close"]
    assert pair.client.outcomes == [None]
    pair.server.tls.data_received(pair.client.wire.take())
    assert pair.server.wire.asked == ["close"]
    # It is not the data's end: whoever waits for one is told of a loss only.
    pair.client.tls.connection_lost(None)
    assert pair.client.heard.calls == ["made", "lost None"]


def test_a_record_that_was_tampered_with_alone(authority: Authority) -> None:
    """In a read of its own."""
    pair = authority.pair().begin()
    pair.server.tls.write(b"bad")
    sent = bytearray(pair.server.wire.take())
    sent[-1] ^= 1
    pair.client.tls.data_received(bytes(sent))
    assert pair.client.heard.data == b""
    assert pair.client.wire.asked == ["close"]


def test_a_write_that_tls_refuses(authority: Authority) -> None:
    """There is nothing to write to before the handshake's end: the connection breaks, and nothing goes out in clear."""
    side = authority.pair().client
    side.tls.connection_made(side.wire)
    side.wire.take()
    side.tls.write(b"secret")
    assert b"secret" not in side.wire.take()
    assert side.wire.asked == ["close"]
    assert len(side.outcomes) == 1
    unconnected = authority.pair().client
    unconnected.tls.write(b"secret")
    assert unconnected.tls.is_closing()
    assert isinstance(unconnected.outcomes[0], ssl.SSLError)


# -- what is handed through


def test_backpressure_is_handed_through(authority: Authority) -> None:
    """Both ways; before the handshake's end nobody listens, after the end nothing is asked."""
    pair = authority.pair()
    tls, heard, wire = pair.client.tls, pair.client.heard, pair.client.wire
    assert (tls.is_reading(), tls.get_write_buffer_size()) == (False, 0)
    tls.pause_writing()
    tls.resume_writing()
    tls.pause_reading()
    tls.resume_reading()
    pair.begin()
    tls.pause_writing()
    tls.resume_writing()
    assert heard.calls == ["made", "pause", "resume"]
    tls.write(b"waits")
    assert tls.get_write_buffer_size() == len(wire.sent) > len(b"waits")
    tls.pause_reading()
    assert (tls.is_reading(), wire.is_read) == (False, False)
    tls.resume_reading()
    assert (tls.is_reading(), wire.is_read) == (True, True)
    tls.close()
    tls.pause_reading()
    assert wire.is_read
    wire.pause_reading()
    tls.resume_reading()
    assert not wire.is_read


def test_another_protocol_takes_over(authority: Authority) -> None:
    """From there on it hears all: data, the end, the loss."""
    pair = authority.pair().begin()
    assert pair.client.tls.get_protocol() is pair.client.heard
    other = Heard()
    pair.client.tls.set_protocol(other)
    assert pair.client.tls.get_protocol() is other
    pair.server.tls.write(b"data")
    pair.server.tls.close()
    pair.flow()
    pair.client.tls.connection_lost(None)
    assert (other.data, other.calls) == (b"data", ["eof", "lost None"])
    assert (pair.client.heard.data, pair.client.heard.calls) == (b"", ["made"])


def test_a_protocol_that_hands_over_while_it_is_told_of_data(authority: Authority) -> None:
    """The end that came in the same read is told to the new one."""
    other = Heard()

    class Handing(Heard):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            assert self.transport is not None
            self.transport.set_protocol(other)

    handing = Handing()
    pair = Pair(Side(authority.client(), "provider.test", lambda: handing), Side(authority.server())).begin()
    pair.server.tls.write(b"data")
    pair.server.tls.close()
    pair.client.tls.data_received(pair.server.wire.take())
    assert handing.calls == ["made"]
    assert other.calls == ["eof"]


def test_what_is_known_of_the_connection(authority: Authority) -> None:
    """TLS's own things are ours to tell, the rest is the socket's."""
    context = authority.client()
    side = Side(context, "provider.test")
    tls = side.tls
    assert tls.get_extra_info("peername", "nobody") == "nobody"
    tls.connection_made(side.wire)
    assert tls.get_extra_info("peername") == ("203.0.113.9", 443)
    assert tls.get_extra_info("nothing", 7) == 7
    assert tls.get_extra_info("sslcontext") is tls.context is context
    assert isinstance(tls.get_extra_info("ssl_object"), ssl.SSLObject)
    assert not tls.can_write_eof()


def test_the_representation_tells_no_secret(authority: Authority) -> None:
    """Neither what was sent nor to whom."""
    pair = authority.pair().begin()
    pair.client.tls.write(b"secret")
    for tls in (pair.client.tls, pair.server.tls):
        assert repr(tls) == "<Secured TLSv1.3>"
    pair.flow()
    assert repr(pair.server.tls) == "<Secured TLSv1.3>"


# -- a provider's answers over TLS


class SecuredProvider:
    """A provider behind TLS, as a node's opener would connect it."""

    def __init__(self, node: Node, authority: Authority) -> None:
        self.node = node
        self.outcomes: list[Any] = []
        node.opener.is_stuck = True
        self.client = node.client().says(a_request())
        _, make, _ = cast("tuple[Provider, Callable[[], asyncio.Protocol], Any]", node.opener.asked[0])
        self.server = Side(authority.server())
        self.peer = Peer(node, cast("Any", node.opener.connect(self._secured(authority, make)).transport))
        self.server.tls.connection_made(self.server.wire)
        self._flow()
        assert self.outcomes == [None]
        self._flow()
        assert self.server.heard.data.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")

    def _secured(self, authority: Authority, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        def made() -> asyncio.Protocol:
            return Secured(
                authority.client(), make, lambda _, error: self.outcomes.append(error), server_hostname="provider.test"
            )

        return made

    def _flow(self) -> None:
        while data := self.peer.hears():
            self.server.tls.data_received(data)
            if answer := self.server.wire.take():
                self.peer.says(answer)

    def says(self, data: bytes) -> None:
        """Answer, encrypted."""
        self.server.tls.write(data)
        self.peer.says(self.server.wire.take())

    def closes(self) -> None:
        """End as TLS does."""
        self.server.tls.close()
        self.peer.says(self.server.wire.take())


UNTIL_CLOSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"ok":true}'


def test_an_answer_that_ends_with_the_connection(node: Node, authority: Authority) -> None:
    """Its end is TLS's own (RFC 9112 section 9.8): then it is whole."""
    provider = SecuredProvider(node, authority)
    provider.says(UNTIL_CLOSE)
    provider.closes()
    heard = provider.client.hears()
    assert heard.endswith(b'b\r\n{"ok":true}\r\n0\r\n\r\n')
    assert provider.client.is_connected


def test_an_answer_that_was_cut_off_is_not_whole(node: Node, authority: Authority) -> None:
    """Without TLS's own end nobody knows whether more was to come: the client is cut off, too."""
    provider = SecuredProvider(node, authority)
    provider.says(UNTIL_CLOSE)
    provider.peer.ends()
    assert b"0\r\n\r\n" not in provider.client.hears().partition(b"\r\n\r\n")[2]
    assert provider.client.transport.is_aborted


def test_an_answer_that_was_cut_off_before_its_body_is_refused(node: Node, authority: Authority) -> None:
    """Nothing has gone to the client yet: it gets an error."""
    provider = SecuredProvider(node, authority)
    provider.says(UNTIL_CLOSE[:30])
    provider.peer.ends()
    assert parts(provider.client.hears())[0] == 502


def test_a_sized_answer_needs_no_end(node: Node, authority: Authority) -> None:
    """A provider that then just closes the socket loses us nothing."""
    provider = SecuredProvider(node, authority)
    provider.says(an_answer())
    provider.peer.ends()
    assert parts(provider.client.hears())[::2] == (200, b'{"ok":true}')
    assert provider.client.is_connected
