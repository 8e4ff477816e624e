"""What a worker answers by itself: the health of the node, without a credential, a database or a provider."""

from collections.abc import Callable


def local_answer(path: str, *, is_ready: bool, version: str, timestamp: Callable[[], str]) -> tuple[int, bytes, bytes]:
    """Status, content type and body. `timestamp` gives ISO 8601 UTC."""
    if path == "/health":
        body = f'{{"status":"ok","timestamp":"{timestamp()}","version":"{version}"}}'
        return 200, b"application/json", body.encode()
    if path == "/readyz" and not is_ready:
        return 503, b"text/plain; charset=utf-8", b"draining\n"
    if path == "/":
        return 200, b"text/plain; charset=utf-8", b""
    # System B's clients compare the body of /healthz with `ok`, to the byte.
    return 200, b"text/plain; charset=utf-8", b"ok"
