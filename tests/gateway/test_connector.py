"""Connections opened over real loopback sockets: TCP, TLS, Unix, through a proxy; and every way in which that fails."""

import asyncio
import gc
import os
import resource
import socket
import ssl
import struct
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
import uvloop

from sluicegate.domain.errors import OverloadedError, UpstreamTimeoutError, UpstreamUnreachableError
from sluicegate.domain.snapshot import Origin, Provider, Timeouts
from sluicegate.gateway.connector import LARGEST_PROXY_ANSWER, Connector, ProxyHandshake, connect_request, tls_context

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Opened(asyncio.Protocol):
    """The connection asked for: says `ping` when it stands, and gives what it hears."""

    def __init__(self, outcome: "asyncio.Future[Opened]") -> None:
        self.outcome = outcome
        self.heard: asyncio.Future[bytes] = outcome.get_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(b"ping")
        self.outcome.set_result(self)

    def data_received(self, data: bytes) -> None:
        self.heard.set_result(data)


async def talk(provider: Provider) -> bytes:
    """Open a connection, say `ping`, return the answer. Raises what the connector says has failed."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Opened] = loop.create_future()
    connector = Connector(loop)
    connector.open(provider, lambda: Opened(outcome), outcome.set_exception)
    assert repr(connector) == "<Connector opening=1>"
    opened = await outcome
    answer = await opened.heard
    assert opened.transport is not None
    opened.transport.abort()
    await settled()
    return answer


async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A provider that answers one `ping`."""
    assert await reader.readexactly(4) == b"ping"
    writer.write(b"pong")
    await reader.read()
    writer.close()


@asynccontextmanager
async def served(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port."""
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        # A peer that hangs up while a handler talks is what some of these tests are about.
        with suppress(OSError, EOFError):
            await handler(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield cast("int", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await settled()


async def settled() -> None:
    """Let the loop finish what is due, so that no transport is left half closed."""
    for _ in range(10):
        await asyncio.sleep(0)


def at(port: int, scheme: Any = "http", **changes: Any) -> Provider:
    """A provider on this machine."""
    origin = changes.pop("origin", Origin(scheme, "127.0.0.1", port))
    return Provider("local", "openai", origin, "local", **changes)


def run(main: Coroutine[Any, Any, bytes]) -> bytes:
    """Run to the end, however it ends; nothing here takes more than a moment."""
    return asyncio.run(asyncio.wait_for(main, 60))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority no system trusts."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Its certificate in a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """A provider's side of TLS, with a certificate for 127.0.0.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_connection_over_tcp() -> None:
    """The protocol is made for the connection and hears what the provider says."""

    async def main() -> bytes:
        async with served(pong) as port:
            return await talk(at(port))

    assert run(main()) == b"pong"


def test_a_connection_over_a_unix_socket(tmp_path: Path) -> None:
    """The origin's host is the path."""

    async def main() -> bytes:
        path = str(tmp_path / "s")
        server = await asyncio.start_unix_server(pong, path)
        answer = await talk(at(0, origin=Origin("unix", path, 0)))
        server.close()
        await settled()
        return answer

    assert run(main()) == b"pong"


def test_a_connection_over_tls(server_context: ssl.SSLContext, ca_file: str) -> None:
    """The provider's own authority is trusted where it is configured."""

    async def main() -> bytes:
        async with served(pong, server_context) as port:
            return await talk(at(port, "https", ca_file=ca_file))

    assert run(main()) == b"pong"


def test_an_untrusted_certificate_is_refused(server_context: ssl.SSLContext) -> None:
    """The error names the provider and says why."""

    async def main() -> bytes:
        async with served(pong, server_context) as port:
            return await talk(at(port, "https"))

    with pytest.raises(UpstreamUnreachableError, match=r"provider local: its TLS certificate is not trusted: .*issuer"):
        run(main())


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA, ca_file: str) -> None:
    """A trusted authority alone is not enough."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.test").configure_cert(context)

    async def main() -> bytes:
        async with served(pong, context) as port:
            return await talk(at(port, "https", ca_file=ca_file))

    with pytest.raises(UpstreamUnreachableError, match="not trusted"):
        run(main())


def test_verification_can_be_switched_off(server_context: ssl.SSLContext) -> None:
    """`verify_tls` off takes any certificate."""

    async def main() -> bytes:
        async with served(pong, server_context) as port:
            return await talk(at(port, "https", verify_tls=False))

    assert run(main()) == b"pong"


def test_contexts_are_shared_and_verify_unless_told_otherwise() -> None:
    """One context for the same settings."""
    strict = tls_context(verify=True, ca_file=None)
    assert strict is tls_context(verify=True, ca_file=None)
    assert (strict.check_hostname, strict.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert tls_context(verify=False, ca_file=None).verify_mode == ssl.CERT_NONE


def test_a_refused_connection_is_unreachable() -> None:
    """In words, without the address: the client need not know where a provider is."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(UpstreamUnreachableError, match="provider local cannot be reached: Connection refused") as e:
            uvloop.run(talk(at(port)))  # the loop that workers run on: asyncio words this its own way
    assert str(port) not in str(e.value)


def test_a_machine_without_files_is_no_fault_of_the_provider() -> None:
    """Else it would be taken for broken, and passed over when there are files again."""

    async def main() -> bytes:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            return await talk(at(80))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with pytest.raises(OverloadedError, match="the gateway can open no more connections"):
        uvloop.run(main())


def test_a_machine_without_threads_is_no_fault_of_the_provider() -> None:
    """A thread looks up its name; the request hears of it at once."""

    async def main() -> bytes:
        usual = threading.stack_size(1 << 46)
        try:
            return await asyncio.wait_for(talk(at(80, origin=Origin("http", "provider.test", 80))), 60)
        finally:
            threading.stack_size(usual)

    with pytest.raises(OverloadedError, match="the gateway can open no more connections: can't start new thread"):
        uvloop.run(main())


def test_a_missing_ca_file_is_unreachable(tmp_path: Path) -> None:
    """A file that went away after configuration was checked fails requests, not the worker."""
    provider = at(9, "https", ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(UpstreamUnreachableError, match="No such file"):
        run(talk(provider))


def test_a_host_that_cannot_be_a_name_is_unreachable() -> None:
    """A label beyond 63 characters cannot be asked for; whoever waits is told."""
    provider = at(0, origin=Origin("http", f"{'a' * 64}.test", 80))

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bytes] = loop.create_future()
        loop.set_exception_handler(lambda _, context: told.set_exception(context["exception"]))
        connector = Connector(loop)
        connector.open(provider, asyncio.Protocol, told.set_exception)
        return await told

    with pytest.raises(UpstreamUnreachableError):
        run(main())


def test_a_provider_that_never_accepts_times_out() -> None:
    """The bound covers TLS too: here the peer takes the connection and is silent."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def main() -> bytes:
        async with served(silent) as port:
            return await talk(at(port, "https", timeouts=Timeouts(connect=0.05)))

    with pytest.raises(UpstreamTimeoutError, match=r"provider local: no connection within 0\.05 s"):
        run(main())


def test_closing_gives_up_what_is_being_opened() -> None:
    """Nobody is told, and the peer's connection ends."""

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        asked, left = loop.create_future(), loop.create_future()

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set_result(await reader.readuntil(b"\r\n\r\n"))
            left.set_result(await reader.read())
            writer.close()

        async with served(proxy) as port:
            connector = Connector(loop)
            told: list[Exception] = []
            connector.open(at(9, proxy=f"http://127.0.0.1:{port}"), asyncio.Protocol, told.append)
            await asked
            connector.close()
            rest = cast("bytes", await left)
            assert told == []
            return rest

    assert run(main()) == b""


class Left(Opened):
    """One whose opener is closed in the very turn in which it stands."""

    def __init__(self, outcome: "asyncio.Future[Opened]", connector: Connector) -> None:
        super().__init__(outcome)
        self.connector = connector

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connector.close()
        super().connection_made(transport)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["address", "name"])
def test_a_connection_that_stands_is_no_matter_of_its_opener_any_more(host: str) -> None:
    """Else uvloop ends it without a word to its protocol, where its time is up in the turn in which it stands."""

    async def main() -> bytes:
        async with served(pong) as port:
            loop = asyncio.get_running_loop()
            outcome: asyncio.Future[Opened] = loop.create_future()
            connector = Connector(loop)
            connector.open(
                at(port, origin=Origin("http", host, port)),
                lambda: Left(outcome, connector),
                outcome.set_exception,
            )
            answer = await (await outcome).heard
            cast("asyncio.Transport", outcome.result().transport).abort()
            await settled()
            return answer

    assert uvloop.run(asyncio.wait_for(main(), 60)) == b"pong"


class Reset(asyncio.Protocol):
    """A connection that its peer has reset when the first bytes are written; `then` is called behind its loss."""

    def __init__(self, listening: socket.socket, then: Callable[[], None]) -> None:
        self.listening = listening
        self.then = then

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer, _ = self.listening.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        cast("asyncio.Transport", transport).write(b"ping")
        asyncio.get_running_loop().call_soon(self.then)


def test_a_connection_lost_at_its_first_write_takes_nobody_with_it() -> None:
    """Its descriptor's number may be another's in the next moment, and that one must stay open."""
    files: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            done: asyncio.Future[None] = loop.create_future()

            def then() -> None:
                files.append(os.open(os.devnull, os.O_RDONLY))
                loop.call_later(0, done.set_result, None)

            port = listening.getsockname()[1]
            Connector(loop).open(
                at(port, origin=Origin("http", "localhost", port)), lambda: Reset(listening, then), done.set_exception
            )
            await done
            await settled()
            gc.collect()

    uvloop.run(asyncio.wait_for(main(), 60))
    os.close(files[0])


def a_proxy(answer: bytes, *, closes: bool = False) -> Handler:
    """A proxy with one answer to everything."""

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if not closes:
            await reader.read()
        writer.close()

    return proxy


async def through(proxy: Handler, provider: Provider) -> bytes:
    """Talk to a provider through a proxy."""
    async with served(proxy) as port:
        changed = {name: getattr(provider, name) for name in ("timeouts", "ca_file", "verify_tls", "origin")}
        return await talk(at(0, proxy=f"http://127.0.0.1:{port}", **changed))


def tunnelling(heads: list[bytes]) -> Handler:
    """A proxy that does what it is asked, and keeps the heads of its requests."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        host, _, port = heads[-1].split(b" ")[1].decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        # In two writes: an answer may be cut anywhere.
        writer.write(b"HTTP/1.1 200 Connection")
        await writer.drain()
        writer.write(b" established\r\n\r\n")
        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))

    return proxy


def test_a_tunnel_through_a_proxy() -> None:
    """The proxy is asked for host and port of the provider; behind its answer the bytes are the provider's."""
    heads: list[bytes] = []

    async def main() -> bytes:
        async with served(pong) as port:
            answer = await through(tunnelling(heads), at(port))
            assert heads == [b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (port, port)]
            return answer

    assert run(main()) == b"pong"


def test_tls_through_a_proxy(server_context: ssl.SSLContext, ca_file: str) -> None:
    """The handshake is with the provider; the proxy sees none of it."""

    async def main() -> bytes:
        async with served(pong, server_context) as port:
            return await through(tunnelling([]), at(port, "https", ca_file=ca_file))

    assert run(main()) == b"pong"


def test_an_untrusted_provider_behind_a_proxy_is_refused(server_context: ssl.SSLContext) -> None:
    """A proxy takes nothing from verification."""

    async def main() -> bytes:
        async with served(pong, server_context) as port:
            return await through(tunnelling([]), at(port, "https"))

    with pytest.raises(UpstreamUnreachableError, match="not trusted"):
        run(main())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "'HTTP/1.1 407 Proxy Authentication Required'"),
        (b"SSH-2.0-OpenSSH 200\r\n\r\n", "the proxy answered 'SSH-2.0-OpenSSH 200'"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "bytes before the tunnel was used"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * LARGEST_PROXY_ANSWER, "answer is too long"),
    ],
    ids=["407", "garbage", "early bytes", "too long"],
)
def test_a_proxy_that_does_not_tunnel_is_unreachable(answer: bytes, words: str) -> None:
    """The reason says that it was the proxy."""
    with pytest.raises(UpstreamUnreachableError, match="provider local cannot be reached") as caught:
        run(through(a_proxy(answer), at(9)))
    assert words in str(caught.value)


def test_a_proxy_that_closes_is_unreachable() -> None:
    """Before any answer."""
    with pytest.raises(UpstreamUnreachableError, match="the proxy closed the connection"):
        run(through(a_proxy(b"", closes=True), at(9)))


def test_a_tunnel_that_closes_during_the_handshake_is_unreachable() -> None:
    """The proxy promised a tunnel and hung up."""
    with pytest.raises(UpstreamUnreachableError, match="provider local cannot be reached"):
        run(through(a_proxy(b"HTTP/1.1 200 OK\r\n\r\n", closes=True), at(9, "https")))


def test_a_proxy_that_never_answers_times_out() -> None:
    """The bound on connecting covers the proxy, and its connection does not stay behind."""

    async def main() -> bytes:
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            left.set_result(None)
            writer.close()

        with pytest.raises(UpstreamTimeoutError):
            await through(silent, at(9, timeouts=Timeouts(connect=0.05)))
        await left
        return b"left"

    assert run(main()) == b"left"


def test_the_proxys_credentials_are_decoded() -> None:
    """They come percent-encoded in the URL and go as Basic authentication (RFC 7617)."""
    provider = at(0, origin=Origin("https", "api.test", 443))
    sent = connect_request(provider, "us%40er", "p%3Ass")
    assert sent == (
        b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n"
        b"Proxy-Authorization: Basic " + b64encode(b"us@er:p:ss") + b"\r\n\r\n"
    )
    assert b"Basic " + b64encode(b"user:") in connect_request(provider, "user", None)


def test_an_ipv6_origin_is_bracketed() -> None:
    """So that its port can be told apart."""
    provider = at(0, origin=Origin("https", "::1", 8443))
    assert connect_request(provider, None, None).startswith(b"CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n")


def test_credentials_of_the_url_reach_the_proxy() -> None:
    """The proxy's URL is configured as `http://user:password@host:port`."""

    async def main() -> bytes:
        head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head.set_result(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        async with served(proxy) as port:
            with pytest.raises(UpstreamUnreachableError) as caught:
                await talk(at(9, proxy=f"http://user:secret-canary@127.0.0.1:{port}"))
        assert "secret-canary" not in str(caught.value)
        return await head

    assert b"Basic " + b64encode(b"user:secret-canary") in run(main())


@pytest.mark.parametrize("answer", [b"\r\n\r\n", b"HTTP/1.1\r\n\r\n"])
def test_a_proxys_empty_answer_is_a_refusal(answer: bytes) -> None:
    """An answer without a status is told to whoever waits, not raised into the loop."""
    with asyncio.Runner() as runner:
        answered: asyncio.Future[None] = runner.get_loop().create_future()
        ProxyHandshake(b"", answered).data_received(answer)
        assert isinstance(answered.exception(), ConnectionError)


def test_what_follows_the_answer_is_not_another_answer() -> None:
    """Once the tunnel stands, neither more bytes nor the end change what was said."""
    with asyncio.Runner() as runner:
        answered: asyncio.Future[None] = runner.get_loop().create_future()
        handshake = ProxyHandshake(b"", answered)
        handshake.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
        handshake.data_received(b"")
        handshake.connection_lost(None)
        assert answered.result() is None
