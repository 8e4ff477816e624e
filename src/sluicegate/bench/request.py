"""Where the load goes and what it says: a base URL taken apart, and one request built ahead as bytes."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PROMPT = "Say hello to everybody who reads this benchmark, please."
"""Short, as most of the requests are that make a gateway's own cost visible."""


class TargetError(ValueError):
    """A base URL that no request can be sent to."""


@dataclass(frozen=True, slots=True)
class Target:
    """A base URL taken apart; `prefix` is its path without a slash at the end."""

    host: str
    port: int
    is_tls: bool = False
    prefix: str = ""

    @property
    def authority(self) -> str:
        """What the `host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_target(base_url: str) -> Target:
    """Take a base URL apart. Raises TargetError."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:
        raise TargetError(f"{base_url!r} is no URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise TargetError(f"{base_url!r} is no URL of the form http://HOST:PORT")
    is_tls = parts.scheme == "https"
    return Target(parts.hostname, port or (443 if is_tls else 80), is_tls, parts.path.rstrip("/"))


def request_bytes(
    target: Target, endpoint: str, *, token: str, model: str, stream: bool, extra: tuple[str, ...] = ()
) -> bytes:
    """Build the whole request: head, with lines of `extra` in it, and a JSON body that suits `endpoint`."""
    path = _joined(target.prefix, endpoint)
    body = json.dumps(_body(path, model, stream), separators=(",", ":")).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {target.authority}",
        "content-type: application/json",
        "accept: application/json",
        "user-agent: sluicegate-benchmark",
        f"content-length: {len(body)}",
        *extra,
    ]
    if token:
        lines.append(f"authorization: Bearer {token}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _joined(prefix: str, endpoint: str) -> str:
    """Put the two together, `/v1` only once if both have it, as it is easy to give both."""
    endpoint = "/" + endpoint.lstrip("/")
    if prefix.endswith("/v1") and endpoint.startswith("/v1/"):
        prefix = prefix.removesuffix("/v1")
    return prefix + endpoint


def _body(path: str, model: str, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model}
    if path.endswith("/embeddings"):
        return body | {"input": PROMPT}
    if path.endswith("/responses"):
        body["input"] = PROMPT
    elif path.endswith("/completions") and not path.endswith("/chat/completions"):
        body["prompt"] = PROMPT
    else:
        body["messages"] = [{"role": "user", "content": PROMPT}]
    if path.endswith("/messages"):
        # The only API that insists on a cap.
        body["max_tokens"] = 1024
    return body | {"stream": True} if stream else body
