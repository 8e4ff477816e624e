"""Addresses in a configuration: a provider's base URL, a proxy's URL.

Messages never repeat them: they may hold secrets.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from sluicegate.domain.snapshot import Origin

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")
"""Segments that need no decoding and are no dot segments, so that every server reads the same path."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base URL, taken apart. `path` starts with a slash and does not end with one, or is empty."""

    origin: Origin
    authority: str
    path: str


def parse_base(text: str) -> Base:
    """Read `http://…`, `https://…` or `unix:/path`. Raises ValueError with what is wrong."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/") or "\0" in path:
            raise ValueError("must be unix: and an absolute path")
        return Base(Origin("unix", path, 0), "localhost", "")
    parts = _split(text)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("must begin with http://, https:// or unix:/")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password: a credential belongs into api_key or headers")
    if "?" in text or "#" in text:
        raise ValueError("must not hold a query or fragment")
    host, port = _host_and_port(parts)
    path = parts.path.rstrip("/")
    if _PATH.fullmatch(path) is None:
        raise ValueError("has a path that other servers could read differently: empty or dot segments, escapes, spaces")
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == _DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
    return Base(Origin("https" if parts.scheme == "https" else "http", host, port), authority, path)


def parse_proxy(text: str) -> str:
    """Normalize a proxy's URL to `http://[user:password@]host:port`. Raises ValueError with what is wrong.

    Without a scheme it is `http://`, as curl has it; without a port it is 80.
    """
    parts = _split(text if "://" in text else f"http://{text}")
    if parts.scheme != "http":
        raise ValueError("must be an http:// proxy: SOCKS and https:// proxies are not supported")
    if parts.path not in {"", "/"} or "?" in text or "#" in text:
        raise ValueError("must be http://[user:password@]host[:port]")
    host, port = _host_and_port(parts)
    user, at, _ = parts.netloc.rpartition("@")
    return f"http://{user}{at}{f'[{host}]' if ':' in host else host}:{port}"


def without_user(proxy: str) -> str:
    """A proxy's URL as it may be shown."""
    _, at, rest = proxy.rpartition("@")
    return f"http://****@{rest}" if at else proxy


def _split(text: str) -> SplitResult:
    # `urlsplit` drops line breaks and tabs, and trims: what it cannot have seen must not be let through.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces (a name beyond ASCII in its xn-- form)")
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError("is not a URL") from None


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    """The host in lower case without brackets, and the port, given or the scheme's own."""
    host = parts.hostname or ""
    if _HOST.fullmatch(host) is None:
        raise ValueError("names no valid host")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("has a port outside 1 to 65535")
    return host, port or _DEFAULT_PORTS[parts.scheme]
