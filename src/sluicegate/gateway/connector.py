"""Opens connections to providers: TCP, TLS, Unix sockets, and through a proxy that is asked to CONNECT."""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Callable
from functools import cache, partial
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

from sluicegate.domain.errors import GatewayError, OverloadedError, UpstreamTimeoutError, UpstreamUnreachableError
from sluicegate.domain.snapshot import Provider
from sluicegate.gateway.addresses import Addresses, is_literal
from sluicegate.gateway.files import OURS
from sluicegate.gateway.secured import Secured
from sluicegate.gateway.standing import Standing

_PROXY_AGREES = re.compile(rb"HTTP/1\.[01] 2\d\d(?: |$)")
"""Any 2xx makes the tunnel (RFC 9110 section 9.3.6)."""

_MISNAMED = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (x509_vfy.h): their messages name the host."""

LARGEST_PROXY_ANSWER = 16_384
"""Bytes of a proxy's answer to CONNECT; real ones have a few hundred."""


class Opener(Protocol):
    """Opens one connection in the background."""

    def open(
        self, provider: Provider, make: Callable[[], asyncio.Protocol], failed: Callable[[GatewayError], None]
    ) -> None:
        """Connect `make()` to the provider; its `connection_made` says that it worked, else `failed` is called."""
        ...


@cache
def tls_context(*, verify: bool, ca_file: str | None) -> ssl.SSLContext:
    """The context for providers that share these settings: loading the system's authorities takes 20 ms and 1 MB."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Connector:
    """Opens connections on a running loop and holds the tasks that do it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Connections live on `loop`."""
        self._loop = loop
        self._addresses = Addresses(loop)
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        """Tell how many connections are being opened."""
        return f"<Connector opening={len(self._tasks)}>"

    def open(
        self, provider: Provider, make: Callable[[], asyncio.Protocol], failed: Callable[[GatewayError], None]
    ) -> None:
        """See `Opener.open`."""
        task = self._loop.create_task(self._open(provider, make, failed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Give up on every connection still being opened."""
        for task in self._tasks:
            task.cancel()

    async def _open(
        self, provider: Provider, make: Callable[[], asyncio.Protocol], failed: Callable[[GatewayError], None]
    ) -> None:
        seconds = provider.timeouts.connect
        try:
            async with asyncio.timeout(seconds):
                standing = await self._connect(provider)
            standing.hand_over(make())
        except TimeoutError:
            failed(UpstreamTimeoutError(f"provider {provider.name}: no connection within {seconds:g} s"))
        except ssl.SSLCertVerificationError as error:
            failed(
                UpstreamUnreachableError(
                    f"provider {provider.name}: its TLS certificate is not trusted: {_distrust(error)}"
                )
            )
        except (
            OSError,
            UnicodeError,
        ) as error:  # UnicodeError: a host that is no name (RFC 5890: labels up to 63 bytes)
            if isinstance(error, OSError) and error.errno in OURS:
                # Not the provider's fault: nobody shall take it for broken.
                failed(OverloadedError(f"the gateway can open no more connections: {error.strerror}", retry_after=1.0))
                return
            failed(UpstreamUnreachableError(f"provider {provider.name} cannot be reached: {_reason(error)}"))

    async def _connect(self, provider: Provider) -> Standing:
        origin = provider.origin
        if origin.scheme == "unix":
            _, standing = await self._loop.create_unix_connection(Standing, origin.host)
            return standing
        is_secured = origin.scheme == "https"
        context = tls_context(verify=provider.verify_tls, ca_file=provider.ca_file) if is_secured else None
        if provider.proxy is None:
            standing = await self._reach(origin.host, origin.port)
        else:
            standing = await self._through_proxy(provider, provider.proxy)
        return standing if context is None else await self._secure(standing, context, origin.host)

    async def _reach(self, host: str, port: int) -> Standing:
        if is_literal(host):
            _, standing = await self._loop.create_connection(Standing, host, port)
            return standing
        connected = await self._addresses.connect(host, port)
        try:
            _, standing = await self._loop.create_connection(Standing, sock=connected)
        except BaseException:  # also a cancellation: a half-open connection must not stay behind; it goes on up
            connected.close()
            raise
        return standing

    async def _through_proxy(self, provider: Provider, proxy: str) -> Standing:
        parts = urlsplit(proxy)
        answered: asyncio.Future[None] = self._loop.create_future()
        request = connect_request(provider, parts.username, parts.password)
        standing = await self._reach(parts.hostname or "", parts.port or 80)
        try:
            standing.hand_over(ProxyHandshake(request, answered))
            await answered
        except BaseException:  # also a cancellation: a half-open tunnel must not stay behind; it goes on up
            standing.transport.abort()
            raise
        return standing

    async def _secure(self, standing: Standing, context: ssl.SSLContext, host: str) -> Standing:
        secured: asyncio.Future[None] = self._loop.create_future()
        above = Standing()
        try:
            standing.hand_over(Secured(context, lambda: above, partial(_tell, secured), server_hostname=host))
            await secured
        except BaseException:  # also a cancellation: a half-open connection must not stay behind; it goes on up
            standing.transport.abort()
            raise
        return above


def _tell(secured: "asyncio.Future[None]", _connection: Secured, error: Exception | None) -> None:
    """How the handshake ended."""
    if secured.done():
        return
    if error is None:
        secured.set_result(None)
    else:
        secured.set_exception(error)


def connect_request(provider: Provider, user: str | None, password: str | None) -> bytes:
    """The CONNECT request for a provider (RFC 9110 section 9.3.6), with the credentials of the proxy's URL."""
    host = f"[{provider.origin.host}]" if ":" in provider.origin.host else provider.origin.host
    authority = f"{host}:{provider.origin.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if user is not None:
        pair = f"{unquote(user)}:{unquote(password or '')}"
        lines.append(f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


class ProxyHandshake(asyncio.Protocol):
    """Sends CONNECT and waits for the proxy's answer; the tunnel begins right behind its head."""

    def __init__(self, request: bytes, answered: "asyncio.Future[None]") -> None:
        """`answered` gets a result when the tunnel stands, else an OSError."""
        self._request = request
        self._answered = answered
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the tunnel."""
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the answer's head."""
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            if len(self._received) > LARGEST_PROXY_ANSWER:
                self._fail("the proxy's answer is too long")
            return
        line = head.partition(b"\r\n")[0]
        if _PROXY_AGREES.match(line) is None:
            self._fail(f"the proxy answered {line[:80].decode('latin-1')!r} to CONNECT")
        elif rest:
            self._fail("the proxy sent bytes before the tunnel was used")
        elif not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The proxy went away before it answered."""
        self._fail("the proxy closed the connection")

    def _fail(self, reason: str) -> None:
        if not self._answered.done():
            self._answered.set_exception(ConnectionError(reason))


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate was refused, in OpenSSL's words where these name no host."""
    return "it is for another host" if error.verify_code in _MISNAMED else error.verify_message


def _reason(error: OSError | UnicodeError) -> str:
    """An error in the operating system's words, which name no address and no secret of ours."""
    if isinstance(error, UnicodeError):
        return "its host is not a name"
    return error.strerror or str(error) or type(error).__name__
