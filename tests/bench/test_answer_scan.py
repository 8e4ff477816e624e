"""The end of an answer is found however it is cut into reads."""

import pytest

from sluicegate.bench.answer_scan import AnswerError, AnswerScanner

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
STREAM = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"8\r\ndata: 1\n\r\n1\r\n\n\r\n16\r\nevent: a\ndata: 2\n\n: no\n\r\n6\r\n\ndata:\r\n0\r\n\r\n"
)
"""Three events in four chunks, with a name and a comment between them."""


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
@pytest.mark.parametrize(("answer", "events"), [(WHOLE, 0), (STREAM, 3)])
def test_end_is_found_in_any_reads(answer: bytes, events: int, size: int) -> None:
    """Whatever the size of the reads, the answer is complete with the last and not before, and all events count."""
    scan = AnswerScanner()
    reads = [answer[start : start + size] for start in range(0, len(answer), size)]
    assert [scan.feed(read) for read in reads] == [False] * (len(reads) - 1) + [True]
    assert (scan.status, scan.events, scan.is_kept) == (200, events, True)


def test_scanner_serves_again() -> None:
    """The next answer starts anew, and the state can be seen."""
    scan = AnswerScanner()
    assert scan.feed(STREAM)
    scan.begin()
    assert scan.feed(WHOLE.replace(b"200", b"503"))
    assert repr(scan) == "<AnswerScanner status=503 events=0 left=0>"


def test_connection_that_ends() -> None:
    """An answer without a length is complete when the connection ends; every other one is cut short then."""
    scan = AnswerScanner()
    assert not scan.feed_end()
    assert not scan.feed(b"HTTP/1.0 200 OK\r\n\r\ndata: 1\n\n")
    assert (scan.feed_end(), scan.events, scan.is_kept) == (True, 1, False)
    scan.begin()
    assert not scan.feed(WHOLE[:-1])
    assert not scan.feed_end()


def test_close_is_noticed() -> None:
    """A gateway may say that the connection does not last."""
    scan = AnswerScanner()
    assert scan.feed(b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n")
    assert not scan.is_kept


@pytest.mark.parametrize("rest", [b"", WHOLE])
def test_interim_answer_is_passed_over(rest: bytes) -> None:
    """After 100 Continue comes the answer, in the same read or later."""
    scan = AnswerScanner()
    assert scan.feed(b"HTTP/1.1 100 Continue\r\n\r\n" + rest) is bool(rest)
    assert rest or scan.feed(WHOLE)


def test_answer_without_body() -> None:
    """204 has no body and needs no length."""
    assert AnswerScanner().feed(b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"],
)
def test_what_is_no_answer(answer: bytes) -> None:
    """Another protocol and a senseless head are errors."""
    with pytest.raises(AnswerError):
        AnswerScanner().feed(answer)


def test_head_without_end() -> None:
    """A head is bounded."""
    with pytest.raises(AnswerError):
        AnswerScanner().feed(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000)
