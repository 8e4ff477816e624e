"""Server-sent events, cut and read as the HTML standard says, whatever the reads' boundaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.wire.sse import EventCutter, event, last_end, payloads, split

LINE_ENDS = (b"\n", b"\r\n", b"\r")


def cut_all(reads: list[bytes]) -> tuple[list[bytes], bytes]:
    """What a cutter lets out for each read that made something whole, and what is left in the end."""
    cutter = EventCutter()
    whole = [cut for read in reads if (cut := cutter.cut(read))]
    return whole, cutter.take_rest()


def data_of(whole: list[bytes], rest: bytes) -> list[bytes]:
    """The data of all events, also of a last one whose end may still get a line feed."""
    return [payload for part in whole for payload in payloads(part)] + (payloads(rest) if rest[-2:] == b"\n\r" else [])


def by_the_book(stream: bytes) -> list[bytes]:
    """Data of a stream's events, by a plain reading of the standard's algorithm (section 9.2.6), line by line."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *lines, _ = text.split(b"\n")
    found: list[bytes] = []
    buffer: list[bytes] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not line:
            if buffer:
                found.append(b"\n".join(buffer))
            buffer = []
        elif name == b"data":
            buffer.append(value[1:] if colon and value.startswith(b" ") else value)
    return found


@pytest.mark.parametrize("end", LINE_ENDS)
def test_every_line_end_ends_a_line(end: bytes) -> None:
    """LF, CRLF and CR end lines; an empty line ends an event."""
    stream = end.join([b"event: a", b"data: one", b"", b"data: two", b"", b""])
    assert payloads(stream) == [b"one", b"two"]
    assert last_end(stream) == len(stream)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data:no space\n\n", [b"no space"]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\nevent: x\ndata: b\n\n", [b"a\nb"]),
        (b"event: x\ndata: a\nid: 3\n\n", [b"a"]),
        (b"event: x\nid: 3\ndata: a\n\n", [b"a"]),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"data\ndata\n\n", [b"\n"]),
        (b": a comment\n\n", []),
        (b": a comment\ndata: a\n\n", [b"a"]),
        (b"event: ping\n\n", []),
        (b"database: x\n\n", []),
        (b"Data: x\n\n", []),
        (b" data: x\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a: b\n\n", [b"a: b"]),
        (b"", []),
    ],
)
def test_data_is_read_as_the_standard_says(stream: bytes, expected: list[bytes]) -> None:
    """Names, colons, spaces, comments, several data lines, the byte order mark."""
    assert payloads(stream) == expected
    assert by_the_book(stream) == expected


def test_a_last_event_without_its_blank_line_is_read() -> None:
    """Who asks for the data of a stream's rest gets it, as from the SDKs."""
    assert payloads(b"data: [DONE]") == [b"[DONE]"]
    assert payloads(b"event: x\ndata: y\n") == [b"y"]


@pytest.mark.parametrize(
    ("stream", "whole"),
    [
        (b"", b""),
        (b"data: a", b""),
        (b"data: a\n", b""),
        (b"data: a\r\n", b""),
        (b"data: a\n\ndata: b\n", b"data: a\n\n"),
        (b"data: a\r\n\r\ndata: b\r\n", b"data: a\r\n\r\n"),
        (b"data: a\r\rdata: b\r", b"data: a\r\r"),
        (b"data: a\r\n\r", b""),
        (b"data: a\n\ndata: b\r\n\r", b"data: a\n\n"),
        (b"data: a\n\r\ndata: b", b"data: a\n\r\n"),
        (b"data: a\r\r\ndata: b", b"data: a\r\r\n"),
    ],
)
def test_the_last_end_is_found(stream: bytes, whole: bytes) -> None:
    """Behind the blank line, all of it; a line feed after `CR` belongs to it, and is waited for."""
    assert stream[: last_end(stream)] == whole


def test_whole_reads_pass_as_they_are() -> None:
    """The usual read, of whole events, comes out as the same object: nothing is copied."""
    cutter = EventCutter()
    read = b"data: a\n\ndata: b\n\n"
    assert cutter.cut(read) is read
    assert repr(cutter) == "<EventCutter held=0>"


def test_the_rest_waits_for_its_end() -> None:
    """Half an event is held until the read that ends it."""
    cutter = EventCutter()
    assert cutter.cut(b"data: a\n\ndata:") == b"data: a\n\n"
    assert repr(cutter) == "<EventCutter held=5>"
    assert cutter.cut(b" b\n") == b""
    assert cutter.cut(b"") == b""
    assert cutter.cut(b"\ndata: c") == b"data: b\n\n"
    assert cutter.take_rest() == b"data: c"
    assert cutter.held == 0
    assert cutter.take_rest() == b""


def test_an_event_of_many_reads_comes_out_whole() -> None:
    """Thousands of reads without an end let nothing out; the read with the end lets all of it out."""
    whole, rest = cut_all([b"data: "] + [b"x" * 1000] * 5000 + [b"\n\n"])
    assert whole == [b"data: " + b"x" * 5_000_000 + b"\n\n"]
    assert rest == b""


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_blank_line_is_never_cut_in_two(end: bytes) -> None:
    """Byte by byte, what comes out is one event and all of its end each time."""
    events = [b"data: a" + end + end, b"data: b" + end + end]
    assert cut_all([bytes([byte]) for byte in b"".join(events)]) == (events, b"")


def test_a_blank_line_of_a_lone_cr_ends_an_event_with_the_next_byte() -> None:
    """Line ends may be mixed: no line feed follows, so the event was whole before this read."""
    assert cut_all([b"data: a\n\r", b"data: b\n"]) == ([b"data: a\n\r"], b"data: b\n")


def test_events_are_split_with_their_ends() -> None:
    """Each piece is one event and its end; a rest without end comes last."""
    assert split(b"data: a\n\ndata: b\r\n\r\n: c\r\rrest") == [b"data: a\n\n", b"data: b\r\n\r\n", b": c\r\r", b"rest"]
    assert split(b"") == []


def test_an_event_is_written() -> None:
    """With and without a name."""
    assert event(b"{}") == b"data: {}\n\n"
    assert event(b"{}", "error") == b"event: error\ndata: {}\n\n"


_fields = st.sampled_from(
    [b"data: x", b"data:", b"data", b"data:  \xc3\xa9", b"event: e", b": note", b"id", b"", b"", b"other: 1", b" "]
)


@given(st.lists(st.tuples(_fields, st.sampled_from(LINE_ENDS)), max_size=14), st.data())
def test_reads_do_not_matter(lines: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """However a stream is cut into reads, its bytes come out in order and its events are those of the standard."""
    stream = b"".join(field + end for field, end in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reads = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, rest = cut_all(reads)
    assert b"".join(whole) + rest == stream
    assert data_of(whole, rest) == by_the_book(stream)
    whole, rest = cut_all([stream[at : at + 1] for at in range(len(stream))])
    assert b"".join(whole) + rest == stream
    assert data_of(whole, rest) == by_the_book(stream)
    assert b"".join(split(stream)) == stream
