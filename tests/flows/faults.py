"""What can go wrong with an attempt, told as data: how it is played, and what a client gets that is left with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sluicegate.domain.errors import UpstreamTimeoutError, UpstreamUnreachableError
from sluicegate.domain.snapshot import Timeouts
from tests.gateway.node import Node, a_chunk, a_stream_head, an_answer

TIMEOUTS = Timeouts(connect=5, first_byte=20, between_bytes=10, total=100)

ANSWER = b'{"id":"c1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}'
EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
STREAM = (
    EVENT
    + b'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}\n\n'
    + b"data: [DONE]\n\n"
)
PING = b': waiting\n\nevent: ping\ndata: {"type": "ping"}\n\n'
EARLY = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'

Way = Literal["never", "elsewhere", "anywhere"]
"""Where a request goes again after it: to nobody, to somebody else alone, or also to the same one after a pause."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`status` and `body` are the client's where nobody else is asked; a body of None is one of ours, about `code`.

    `attempt` is what the record of the exchange says of it: status, and code of the failure. `wait` is the pause until
    the same one is asked again.
    """

    strike: Callable[[Node], object]
    status: int
    code: str
    attempt: tuple[int, str]
    way: Way
    body: bytes | None = None
    wait: float = 0.375
    is_before: bool = False
    """Whether it happens while the connection is made."""
    is_sent: bool = True
    is_begun: bool = False
    """Whether a stream had begun, which is passed on at once where nobody may be asked again."""
    only: Literal["", "plain", "stream"] = ""


def fails_to_connect(error: type[UpstreamUnreachableError] | type[UpstreamTimeoutError]) -> Callable[[Node], None]:
    """The connection that is being made fails; others are made as usual."""

    def strike(node: Node) -> None:
        node.opener.is_stuck = False
        node.opener.asked[0][2](error("no connection"))
        node.settle()

    return strike


def answers(status: int, *fields: str, body: bytes = b'{"error":{"message":"busy"}}') -> Callable[[Node], object]:
    """The provider answers so."""
    return lambda node: node.provider.says(an_answer(body, status=f"{status} X", fields=fields))


def streams(*reads: bytes) -> Callable[[Node], None]:
    """The provider streams this, each in a read of its own, and ends the stream cleanly."""

    def strike(node: Node) -> None:
        provider = node.provider.says(a_stream_head())
        for read in reads:
            provider.says(a_chunk(read))
        provider.says(b"0\r\n\r\n")

    return strike


def breaks_off(begun: bytes) -> Callable[[Node], None]:
    """The provider resets the connection after these bytes."""

    def strike(node: Node) -> None:
        if begun:
            node.provider.says(begun)
        node.provider.leaves(ConnectionResetError())

    return strike


def answered(status: int, way: Way, *fields: str, wait: float = 0.375) -> Fault:
    """An answer that is an error; the client gets it as it is."""
    body = b'{"error":{"message":"busy"}}'
    return Fault(answers(status, *fields), status, "", (status, ""), way, body, wait)


def stalls(begun: bytes) -> Callable[[Node], None]:
    """The provider begins a stream and sends nothing more."""

    def strike(node: Node) -> None:
        node.provider.says(a_stream_head() + a_chunk(begun))
        node.passes(0)
        node.passes(11)

    return strike


SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

FAULTS: dict[str, Fault] = {
    "refused": Fault(
        fails_to_connect(UpstreamUnreachableError),
        502,
        "upstream_unreachable",
        (0, "upstream_unreachable"),
        "anywhere",
        is_before=True,
        is_sent=False,
    ),
    "no connection in time": Fault(
        fails_to_connect(UpstreamTimeoutError),
        504,
        "upstream_timeout",
        (0, "upstream_timeout"),
        "anywhere",
        is_before=True,
        is_sent=False,
    ),
    "reset before the first byte": Fault(breaks_off(b""), 502, "upstream_error", (0, "upstream_error"), "anywhere"),
    "half a head": Fault(breaks_off(b"HTTP/1.1 200"), 502, "upstream_error", (0, "upstream_error"), "anywhere"),
    "reset after the first byte": Fault(breaks_off(SIZED), 200, "upstream_error", (0, ""), "never", only="plain"),
    "reset in the stream": Fault(
        breaks_off(a_stream_head() + a_chunk(EVENT)), 200, "upstream_error", (0, ""), "never", only="stream"
    ),
    "truncated stream": Fault(streams(EVENT), 200, "upstream_error", (0, ""), "never", only="stream"),
    "no first byte": Fault(lambda node: node.passes(21), 504, "upstream_timeout", (0, "upstream_timeout"), "elsewhere"),
    "malformed": Fault(
        lambda node: node.provider.says(b"220 smtp.test ESMTP\r\n"),
        502,
        "upstream_error",
        (0, "upstream_error"),
        "anywhere",
    ),
    "408": answered(408, "anywhere"),
    "429": answered(429, "anywhere"),
    "429, short": answered(429, "anywhere", "Retry-After: 2", wait=2.25),
    "429, too long": answered(429, "elsewhere", "Retry-After: 60"),
    "500": answered(500, "anywhere"),
    "502": answered(502, "anywhere"),
    "503": answered(503, "anywhere"),
    "503, short": answered(503, "anywhere", "retry-after-ms: 1500", wait=1.75),
    "504": answered(504, "anywhere"),
    "529": answered(529, "anywhere"),
    "501": answered(501, "never"),
    "400": answered(400, "never"),
    "401": answered(401, "never"),
    "404": answered(404, "never"),
    "422": answered(422, "never"),
    "early overload": Fault(streams(EARLY), 200, "", (529, ""), "anywhere", EARLY, only="stream"),
    "early overload, cut": Fault(streams(EARLY[:20], EARLY[20:]), 200, "", (529, ""), "anywhere", EARLY, only="stream"),
    "overload after a ping": Fault(streams(PING, EARLY), 200, "", (529, ""), "anywhere", PING + EARLY, only="stream"),
    "reset after a ping": Fault(
        breaks_off(a_stream_head() + a_chunk(PING)),
        502,
        "upstream_error",
        (0, "upstream_error"),
        "anywhere",
        is_begun=True,
        only="stream",
    ),
    "a stall after a ping": Fault(
        stalls(PING),
        504,
        "upstream_timeout",
        (0, "upstream_timeout"),
        "elsewhere",
        is_begun=True,
        only="stream",
    ),
}
