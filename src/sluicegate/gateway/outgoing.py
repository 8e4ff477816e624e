"""A request as its provider gets it: request line and credential are ours, fields and body the client's."""

from typing import TYPE_CHECKING, Final

from sluicegate.domain.errors import CredentialUnusableError
from sluicegate.domain.principal import Principal
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.wire import headers

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

_JOINED: Final = 65_536
"""Bodies up to this are copied behind the head into one buffer: cheaper than a second one in the system call."""
_ABOUT_BODY: Final = frozenset({b"content-type", b"content-encoding"})
"""Fields without which the provider could not read the body: they travel whatever a token allows."""


def prefix_of(exchange: "Exchange") -> bytes:
    """Request line and fields of an exchange whose provider is chosen, but for those that say how its body is framed.

    Raises CredentialUnusableError, PathUnknownError, MethodForbiddenError.
    """
    head = exchange.head
    if head.prefixed_for is not exchange.principal:
        head.prefixes.clear()
        head.prefixed_for = exchange.principal
    key = (exchange.runtime, exchange.is_stream_request)
    prefix = head.prefixes.get(key)
    if prefix is None:
        prefix = _prefix(head, exchange.runtime, exchange.principal, is_stream=exchange.is_stream_request)
        head.prefixes[key] = prefix
    return prefix


def request_parts(exchange: "Exchange") -> list[bytes]:
    """The request, in as few pieces as are worth it."""
    head = exchange.head
    prefix = exchange.prefix
    if exchange.route.kind == "control":
        prefix = b"".join([prefix, *exchange.control_fields()])
    if head.upgrade:
        return [prefix + b"Connection: Upgrade\r\nUpgrade: " + head.upgrade + b"\r\n\r\n"]
    body = exchange.body
    if exchange.is_held:
        size = len(body[0]) if len(body) == 1 else sum(map(len, body))
        if not size and not exchange.has_body:
            return [prefix + b"\r\n"]
        if len(body) == 1 and size <= _JOINED:
            return [b"%bContent-Length: %d\r\n\r\n%b" % (prefix, size, body[0])]
        return [b"%bContent-Length: %d\r\n\r\n" % (prefix, size), *body]
    if exchange.content_length >= 0:
        return [b"%bContent-Length: %d\r\n\r\n" % (prefix, exchange.content_length), *body]
    return [prefix + b"Transfer-Encoding: chunked\r\n\r\n", *[exchange.chunk(data) for data in body]]


def _prefix(head: RequestHead, runtime: ProviderRuntime, principal: Principal, *, is_stream: bool) -> bytes:
    lines = head.lines
    if runtime.overridden:
        lines = headers.without(lines, runtime.overridden)
    if not head.options <= headers.PLAIN_OPTIONS:
        lines = headers.without(lines, head.options)
    if principal.request_headers:
        travelling = _ABOUT_BODY.union(name.encode() for name in principal.request_headers)
        lines = [line for line in lines if line.partition(b":")[0].lower() in travelling]
    defaults = [field for name, field in runtime.defaults if not headers.has_field(lines, name)]
    fields = [line + b"\r\n" for line in lines]
    return b"".join(
        [
            head.route.line_for(runtime),
            _own_fields(runtime, principal),
            *fields,
            *defaults,
            _encoding_field(head, is_stream=is_stream),
        ]
    )


def _own_fields(runtime: ProviderRuntime, principal: Principal) -> bytes:
    """Host and credential: the key of the caller's project where it has one, else the configured one."""
    for provider, key in principal.credentials:
        if provider == runtime.name:
            if not key:
                raise CredentialUnusableError(
                    f"the project's own key for provider {provider} cannot be read; set it anew, or remove it"
                )
            return runtime.head_with(key)
    return runtime.head


def _encoding_field(head: RequestHead, *, is_stream: bool) -> bytes:
    """What the answer may be encoded with: nothing for a stream, else what both the client and our taps can read."""
    offered = head.accept_encoding
    if not offered:
        return b""
    if is_stream:
        return b"Accept-Encoding: identity\r\n"
    if head.route.kind != "control" and (b"br" in offered or b"zstd" in offered):
        return b"Accept-Encoding: gzip, deflate\r\n" if b"gzip" in offered else b"Accept-Encoding: identity\r\n"
    return b"Accept-Encoding: " + offered + b"\r\n"
