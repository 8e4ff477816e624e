"""One request to a sink, and what its answer means.

Rule 1. Redirects are not followed: credentials are for one address.
Rule 2. What goes wrong is told by its kind and the status alone: addresses, and what answers say, may hold secrets.
Rule 3. Of an answer, a bounded part is read.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from sluicegate import __version__
from sluicegate.events.sinks.base import PermanentError, TooLargeError, TransientError
from sluicegate.wire.retry_after import retry_after

DocumentT = TypeVar("DocumentT")

MOST_OF_AN_ANSWER = 262_144
"""Bytes. More than any batch's results take; an endless answer must not fill the memory."""

RETRIED = frozenset({408, 409, 423, 425, 429, *range(500, 600)})
"""Statuses after which the same request may well succeed."""
_TOO_LARGE = 413
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})

_REASONS: Mapping[type[Exception], str] = MappingProxyType(
    {
        ssl.SSLCertVerificationError: "its certificate is not accepted",
        ssl.SSLError: "cannot speak TLS with it",
        httpx2.ConnectTimeout: "no connection in time",
        httpx2.ConnectError: "cannot connect",
        httpx2.TimeoutException: "no answer in time",
        httpx2.RemoteProtocolError: "the answer is no HTTP, or ended half way",
        httpx2.DecodingError: "the answer cannot be decoded",
    }
)
"""The first that fits."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer, as much of it as is read."""

    status: int
    body: bytes
    retry_after: float | None = None

    def __repr__(self) -> str:
        """Without the body."""
        return f"<Answer {self.status}>"


class Poster:
    """A connection pool to one address."""

    def __init__(self, url: str, *, timeout: float, now: Callable[[], float]) -> None:
        """`timeout` is in seconds; `now` gives Unix seconds. Nothing is connected yet."""
        self.url = url
        self._now = now
        self._client = httpx2.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            headers={"user-agent": f"sluicegate/{__version__}"},
            # A proxy on the way to this machine itself would only get to see what is not its.
            trust_env=urlsplit(url).hostname not in _HERE,
        )

    def __repr__(self) -> str:
        """Tell the host alone: the rest may be secret."""
        return f"<Poster {urlsplit(self.url).hostname}>"

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body and read the answer, whatever its status. Raises TransientError."""
        try:
            async with self._client.stream("POST", self.url, content=body, headers=dict(headers)) as response:
                return Answer(response.status_code, await _read(response), self._asked(response))
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise TransientError(_reason(error)) from None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _asked(self, response: httpx2.Response) -> float | None:
        lines = [name + b": " + value for name, value in response.headers.raw]
        return retry_after(lines, self._now())


def accepted(answer: Answer, *, retried: frozenset[int] = RETRIED) -> Answer:
    """The answer, if it says yes. Raises TransientError, TooLargeError, PermanentError."""
    if 200 <= answer.status < 300:
        return answer
    if answer.status in retried:
        raise TransientError(f"status {answer.status}", retry_after=answer.retry_after)
    if answer.status == _TOO_LARGE:
        raise TooLargeError("status 413")
    raise PermanentError(f"status {answer.status}")


def decoded(answer: Answer, kind: type[DocumentT]) -> DocumentT:
    """What the body says. Raises TransientError where it is not what it should be: somebody else may have answered."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise TransientError(f"status {answer.status}, and an answer that is not understood") from None


def _reason(error: Exception) -> str:
    """What went wrong on the way, by the first kind that fits of the error and of what led to it, innermost first."""
    chain: list[BaseException] = [error]
    while (earlier := chain[0].__cause__ or chain[0].__context__) is not None:
        chain.insert(0, earlier)
    known = (text for each in chain for kind, text in _REASONS.items() if isinstance(each, kind))
    return next(known, "the connection broke")


async def _read(response: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size >= MOST_OF_AN_ANSWER:
            break
    return b"".join(parts)[:MOST_OF_AN_ANSWER]
