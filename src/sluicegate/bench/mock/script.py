"""What to write when, and how it ends: an answer turned into steps, with the fault worked in."""

from dataclasses import dataclass
from enum import Enum

from sluicegate.bench.mock.answers import Answer, Stream, Whole, chunk
from sluicegate.bench.mock.settings import Fault, MockSettings

_BAD_HEAD = b"HTTP/1.1 two-hundred OK\r\ncontent-length: x\r\n\r\n"
_BAD_CHUNK = b"zz\r\nnot a chunk size\r\n"


class Ending(Enum):
    """What follows the last write."""

    KEEP = "the connection takes the next request"
    CLOSE = "it is closed, without the end of the answer"
    RESET = "it is torn down, so that the client sees a connection reset"
    STALL = "nothing, until the client gives up"


@dataclass(frozen=True, slots=True)
class Script:
    """`delay` seconds, then one write each `interval` seconds (0: each turn of the event loop), then the ending."""

    writes: tuple[bytes, ...]
    ending: Ending = Ending.KEEP
    delay: float = 0.0
    interval: float = 0.0


def script(answer: Answer, settings: MockSettings) -> Script:
    """Arrange an answer under these settings. A whole answer comes when all of its tokens are made."""
    pace = 1 / settings.rate if settings.rate else 0.0
    if isinstance(answer, Stream):
        delay, interval = settings.delay, pace
    else:
        delay, interval = settings.delay + answer.tokens * pace, 0.0
    # A faulty status is an answer like any other, and has been chosen before.
    if settings.fault is None or settings.fault.kind == "status":
        writes = answer.writes if isinstance(answer, Stream) else (answer.wire,)
        return Script(writes, Ending.KEEP, delay, interval)
    writes, ending = _faulty(answer, settings.fault)
    return Script(writes, ending, delay, interval)


def _faulty(answer: Answer, fault: Fault) -> tuple[tuple[bytes, ...], Ending]:
    match fault.kind:
        case "reset-before":
            return (), Ending.RESET
        case "stall-before":
            return (), Ending.STALL
        case "malformed-head":
            return (_BAD_HEAD,), Ending.CLOSE
        case "reset-after":
            return _beginning(answer, fault.number), Ending.RESET
        case "stall-after":
            return _beginning(answer, fault.number), Ending.STALL
        case "malformed-after":
            return _malformed(answer, fault.number)
        case "error-after" if isinstance(answer, Stream):
            return (*_beginning(answer, fault.number), answer.failure), Ending.KEEP
        case _:
            return _beginning(answer, fault.number), Ending.CLOSE


def _beginning(answer: Answer, number: int) -> tuple[bytes, ...]:
    """Return the head with the first `number` events of a stream or bytes of a body, but never all of it."""
    if isinstance(answer, Whole):
        return (answer.head + answer.body[: min(number, len(answer.body) - 1)],)
    return answer.writes[: min(number, len(answer.writes) - 1)] or (answer.head,)


def _malformed(answer: Answer, number: int) -> tuple[tuple[bytes, ...], Ending]:
    """Break the framing after `number` events or bytes. A body of known length cannot break: it is chunked for that."""
    if isinstance(answer, Stream):
        return (*_beginning(answer, number), _BAD_CHUNK), Ending.CLOSE
    start, _, rest = answer.head.partition(b"content-length: ")
    head = start + b"transfer-encoding: chunked\r\n" + rest.partition(b"\r\n")[2]
    part = chunk(answer.body[:number]) if answer.body[:number] else b""
    return (head + part, _BAD_CHUNK), Ending.CLOSE
