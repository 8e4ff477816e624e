"""An answer turned into timed writes, with each fault worked in."""

import pytest

from sluicegate.bench.mock.answers import Stream, stream, whole
from sluicegate.bench.mock.script import Ending, Script, script
from sluicegate.bench.mock.settings import MockSettings, parse_fault

STREAM = stream([b"a", b"b", b"c"], tokens=3, lead=0, failure=b"bad")
WHOLE = whole(b"0123456789", tokens=4)


def faulty(answer: Stream | None, fault: str) -> tuple[list[bytes], Ending]:
    """The writes without their head, and the ending, of the stream or else of the whole answer."""
    chosen = answer or WHOLE
    made = script(chosen, MockSettings(fault=parse_fault(fault)))
    return [write.removeprefix(chosen.head) for write in made.writes], made.ending


def test_whole_answer_waits_for_its_last_token() -> None:
    """Who does not stream waits for the delay and for all tokens, then gets everything in one write."""
    assert script(WHOLE, MockSettings(delay=0.5, rate=8)) == Script((WHOLE.wire,), Ending.KEEP, delay=1.0)


def test_stream_is_paced() -> None:
    """A stream begins after the delay and goes on at its rate."""
    assert script(STREAM, MockSettings(delay=0.5, rate=8)) == Script(STREAM.writes, Ending.KEEP, 0.5, 0.125)


def test_faulty_status_is_an_answer_like_any_other() -> None:
    """The error was chosen before; nothing is cut off it."""
    assert faulty(None, "status=503") == ([b"0123456789"], Ending.KEEP)


@pytest.mark.parametrize(
    ("fault", "writes", "ending"),
    [
        ("reset-before", [], Ending.RESET),
        ("stall-before", [], Ending.STALL),
        ("reset-after=0", [b""], Ending.RESET),
        ("reset-after=2", [b"1\r\na\r\n", b"1\r\nb\r\n"], Ending.RESET),
        ("stall-after=1", [b"1\r\na\r\n"], Ending.STALL),
        ("truncate-after=9", [b"1\r\na\r\n", b"1\r\nb\r\n"], Ending.CLOSE),
        ("malformed-after=1", [b"1\r\na\r\n", b"zz\r\nnot a chunk size\r\n"], Ending.CLOSE),
        ("error-after=1", [b"1\r\na\r\n", b"3\r\nbad\r\n0\r\n\r\n"], Ending.KEEP),
    ],
)
def test_fault_strikes_a_stream_after_events(fault: str, writes: list[bytes], ending: Ending) -> None:
    """Only the first events go out, and never the end of the stream."""
    assert faulty(STREAM, fault) == (writes, ending)


@pytest.mark.parametrize(
    ("fault", "writes", "ending"),
    [
        ("reset-before", [], Ending.RESET),
        ("reset-after=4", [b"0123"], Ending.RESET),
        ("stall-after=0", [b""], Ending.STALL),
        ("truncate-after=99", [b"012345678"], Ending.CLOSE),
        ("error-after=4", [b"0123"], Ending.CLOSE),
    ],
)
def test_fault_strikes_a_whole_answer_after_bytes(fault: str, writes: list[bytes], ending: Ending) -> None:
    """The head states the whole length, so what is missing can be noticed."""
    assert faulty(None, fault) == (writes, ending)


def test_whole_answer_with_a_malformed_chunk() -> None:
    """To have a chunk at all, the answer is chunked."""
    made = script(WHOLE, MockSettings(fault=parse_fault("malformed-after=4")))
    head, _, body = made.writes[0].partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"content-length" not in head
    assert body == b"4\r\n0123\r\n"
    assert made.ending is Ending.CLOSE
    assert script(WHOLE, MockSettings(fault=parse_fault("malformed-after=0"))).writes[0].endswith(b"\r\n\r\n")


def test_malformed_head() -> None:
    """No parser takes it for an answer."""
    made = script(STREAM, MockSettings(fault=parse_fault("malformed-head")))
    assert made.writes[0].startswith(b"HTTP/1.1 two-hundred")
    assert made.ending is Ending.CLOSE
