"""What watches a side copy of an answer, and the one filter that may change a stream."""

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.usage import Reading
from sluicegate.gateway.taps import PENDING_BYTES, TAIL_BYTES, JsonTap, NullTap, StreamTap, UsageFilter, tap_for
from sluicegate.wire.sse import LARGEST_EVENT

OPENAI = DIALECTS["openai"]
GEMINI = DIALECTS["gemini"]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
ANSWER = json.encode(
    {
        "id": "c1",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": USAGE,
    }
)


def event(content: str | None = None, **fields: object) -> bytes:
    """One event of a streamed chat, with the null usage that providers add once they are asked for usage."""
    choices = [] if content is None else [{"index": 0, "delta": {"content": content}}]
    chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": choices, "usage": None}
    return b"data: " + json.encode(chunk | fields) + b"\n\n"


USAGE_ONLY = event(usage=USAGE)


def test_the_beginning_of_an_answer() -> None:
    """Of JSON, compressed or not, as long as it is held whole; of a stream its text; of all else nothing."""
    for body, encoding in (
        (ANSWER, b""),
        (gzip.compress(ANSWER, mtime=0), b"gzip"),
        (zlib.compress(ANSWER), b"deflate"),
    ):
        tap = JsonTap(OPENAI, "chat", encoding)
        for at in range(0, len(body), 7):
            tap.feed(body[at : at + 7])
        assert [tap.beginning(most) for most in (1, 20, 10_000)] == [ANSWER[:1], ANSWER[:20], ANSWER]
    broken = JsonTap(OPENAI, "chat", b"gzip")
    broken.feed(b"no gzip")
    long = JsonTap(OPENAI, "chat", limit=10)
    long.feed(ANSWER)
    assert (broken.beginning(9), long.beginning(9), NullTap().beginning(9)) == (b"", b"", b"")
    stream = StreamTap(OPENAI, "chat")
    for each in STREAM:
        stream.feed(each)
    assert [stream.beginning(most) for most in (3, 100)] == [b"one", b"one two"]


DONE = b"data: [DONE]\n\n"
STREAM = [event("one "), event("two"), USAGE_ONLY, DONE]


def tokens(reading: Reading) -> tuple[int, int] | None:
    """Input and output tokens, None where none were reported."""
    return None if reading.usage is None else (reading.usage.input_tokens, reading.usage.output_tokens)


def raw_deflate(data: bytes) -> bytes:
    """Deflate without zlib's frame, as some servers send it."""
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(data) + compress.flush()


# --- JSON answers ---


def test_json_answer_is_read() -> None:
    """A JSON answer that came in several reads is understood, and its body is what came."""
    tap = JsonTap(OPENAI, "chat")
    for start in range(0, len(ANSWER), 10):
        tap.feed(ANSWER[start : start + 10])
    reading = tap.reading()
    assert (reading.model, tokens(reading)) == ("m", (3, 2))
    assert tap.body() == ANSWER
    assert repr(tap) == f"<JsonTap chat held={len(ANSWER)} whole=True>"


def test_empty_answer_is_empty_reading() -> None:
    """Before the first byte nothing is understood."""
    tap = JsonTap(OPENAI, "chat")
    assert (tap.reading(), tap.body()) == (Reading(), b"")


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, raw_deflate])
def test_compressed_answer_is_read(compress: object) -> None:
    """gzip and both kinds of deflate are undone, whatever the coding was called."""
    assert callable(compress)
    tap = tap_for(OPENAI, "chat", b"application/json", b"GZIP" if compress is gzip.compress else b"deflate")
    tap.feed(compress(ANSWER))
    assert tokens(tap.reading()) == (3, 2)
    assert tap.body() == ANSWER


def test_falsely_compressed_answer_is_not_read() -> None:
    """What is not compressed as it says gives an empty reading and body."""
    tap = JsonTap(OPENAI, "chat", b"gzip")
    tap.feed(b"\x1f\x8b and no more")
    assert (tap.reading(), tap.body()) == (Reading(), b"")


def test_compression_cannot_fill_memory() -> None:
    """A compressed answer that would become much longer than the limit is left unread."""
    tap = JsonTap(OPENAI, "chat", b"gzip", limit=1000)
    tap.feed(gzip.compress(b" " * 4000 + ANSWER, mtime=0))
    assert (tap.reading(), tap.body()) == (Reading(), b"")


def test_usage_is_found_behind_a_dropped_head() -> None:
    """Of an answer over the limit the end is kept, and the usage found in it; its body is not given out in part."""
    tap = JsonTap(OPENAI, "embeddings", limit=100_000)
    tap.feed(b'{"object":"list","data":[')
    for _ in range(100):
        tap.feed(b"0.125," * 1000)
    assert repr(tap).endswith("whole=False>")
    tap.feed(b'0],"model":"m","usage" : {"prompt_tokens": 7, "total_tokens": 7}}')
    assert tokens(tap.reading()) == (7, 0)
    assert tap.body() == b""


def test_held_tail_is_bounded() -> None:
    """However much follows, no more than two tails are held."""
    tap = JsonTap(OPENAI, "embeddings", limit=1000)
    most = 0
    for _ in range(100):
        tap.feed(b"x" * 5000)
        most = max(most, sum(map(len, tap._parts)))
    assert TAIL_BYTES <= most <= 2 * TAIL_BYTES


def test_other_usage_key_is_found_in_the_tail() -> None:
    """Gemini's usage is found behind a dropped head as well."""
    tap = JsonTap(GEMINI, "generate", limit=1000)
    tap.feed(b'{"candidates":[],"x":"' + b"y" * 2000)
    tap.feed(b'","usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6,"totalTokenCount":10}}')
    assert tokens(tap.reading()) == (4, 6)


@pytest.mark.parametrize(
    "end",
    [
        b"no usage at all",
        b'","usage":null}',
        b'","usage":{"prompt_tokens":',
        b'","usage":' + b'{"a":' * 20_000,
        b'\\"usage":{"prompt_tokens":9}',
    ],
)
def test_no_usage_in_the_tail_is_no_fault(end: bytes) -> None:
    """A tail without usage, with a broken one, or with one that is but text, gives an empty reading."""
    tap = JsonTap(OPENAI, "chat", limit=1000)
    tap.feed(b'{"x":"' + b"y" * 2000)
    tap.feed(end[-TAIL_BYTES:])
    assert tap.reading() == Reading()


def test_compressed_answer_over_the_limit_is_let_go() -> None:
    """The end of compressed bytes says nothing, so nothing of them is kept."""
    tap = JsonTap(OPENAI, "chat", b"gzip", limit=10)
    tap.feed(gzip.compress(ANSWER, mtime=0))
    assert (tap.reading(), tap.body()) == (Reading(), b"")
    assert repr(tap) == "<JsonTap chat held=0 whole=False>"


# --- streams ---


def test_stream_is_read() -> None:
    """A stream's usage and end are understood, and its events counted."""
    tap = StreamTap(OPENAI, "chat")
    for read in STREAM:
        tap.feed(read)
    reading = tap.reading()
    assert (tokens(reading), reading.is_complete, tap.events) == ((3, 2), True, 4)
    assert tap.body() == b""
    assert repr(tap) == "<StreamTap chat events=4 pending=0>"


def test_cut_stream_is_read_as_far_as_it_went() -> None:
    """Of a stream that was cut within an event, what came before is understood, and that it is incomplete."""
    tap = StreamTap(OPENAI, "chat")
    tap.feed(STREAM[0] + STREAM[1][:20])
    assert (tap.reading().text, tap.reading().is_complete, tap.events) == ("one ", False, 1)


def test_last_event_needs_no_empty_line() -> None:
    """A stream whose last event lacks its empty line is complete, as it is for the SDKs."""
    tap = StreamTap(OPENAI, "chat")
    tap.feed(STREAM[0] + DONE.rstrip())
    assert (tap.reading().text, tap.reading().is_complete) == ("one ", True)


def test_stream_is_digested_in_portions() -> None:
    """What waits to be understood is bounded."""
    tap = StreamTap(OPENAI, "chat")
    read = event("word ")
    for _ in range(200):
        tap.feed(read)
        assert sum(map(len, tap._parts)) <= PENDING_BYTES
    assert tap.events == 200


def test_comments_are_no_events() -> None:
    """A comment that keeps a connection alive is no event."""
    tap = StreamTap(OPENAI, "chat")
    tap.feed(b": keepalive\n\n")
    assert tap.events == 0


def test_endless_event_is_given_up() -> None:
    """An event that never ends is dropped, and those after it are read."""
    tap = StreamTap(OPENAI, "chat")
    tap.feed(STREAM[0])
    tap.feed(b"data: " + b"x" * LARGEST_EVENT)
    assert tap.events == 1
    tap.feed(b"y\n\n" + STREAM[1] + DONE)
    assert (tap.reading().text, tap.events) == ("one two", 3)


# --- answers that are not read ---


def test_null_tap_knows_nothing() -> None:
    """A tap that watches nothing has the same interface and nothing to say."""
    tap = NullTap()
    tap.feed(ANSWER)
    assert (tap.reading(), tap.body(), tap.events, repr(tap)) == (Reading(), b"", 0, "<NullTap>")


@pytest.mark.parametrize(
    ("content_type", "encoding", "kind"),
    [
        (b"application/json", b"", JsonTap),
        (b"Application/JSON ; charset=utf-8", b"identity", JsonTap),
        (b"application/json", b"X-GZIP", JsonTap),
        (b"application/json", b"br", NullTap),
        (b"application/json", b"zstd", NullTap),
        (b"application/json", b"gzip, br", NullTap),
        (b"text/event-stream", b"", StreamTap),
        (b"text/Event-Stream;charset=UTF-8", b"Identity", StreamTap),
        (b"text/event-stream", b"gzip", NullTap),
        (b"audio/mpeg", b"", NullTap),
        (b"", b"", NullTap),
    ],
)
def test_tap_follows_the_headers(content_type: bytes, encoding: bytes, kind: type) -> None:
    """Media type and content coding choose the tap, in any spelling; what we cannot read is not watched."""
    assert type(tap_for(OPENAI, "chat", content_type, encoding)) is kind


# --- the filter ---


def test_usage_only_event_is_kept_back() -> None:
    """A client that did not ask for usage gets every event but the usage-only one, each at once."""
    usage_filter = UsageFilter(OPENAI)
    assert [usage_filter.feed(read) for read in STREAM] == [STREAM[0], STREAM[1], b"", STREAM[3]]
    assert usage_filter.flush() == b""


def test_one_read_of_several_events_stays_one() -> None:
    """Events that came in one read leave in one piece, without the usage-only event among them."""
    assert UsageFilter(OPENAI).feed(b"".join(STREAM)) == STREAM[0] + STREAM[1] + DONE


def test_unfinished_event_is_held() -> None:
    """Of a read only complete events go on; the rest waits for its end."""
    usage_filter = UsageFilter(OPENAI)
    assert usage_filter.feed(STREAM[0] + USAGE_ONLY[:30]) == STREAM[0]
    assert repr(usage_filter) == "<UsageFilter of <EventCutter held=30>>"
    assert usage_filter.feed(USAGE_ONLY[30:] + DONE) == DONE


def test_usage_beside_choices_passes() -> None:
    """An event that carries usage and text is more than usage: it passes."""
    both = event("text", usage=USAGE)
    assert UsageFilter(OPENAI).feed(both) == both


def test_text_about_usage_passes() -> None:
    """Text that looks like usage is text."""
    about = event('{"choices":[],"usage":{"prompt_tokens":1}}')
    assert UsageFilter(OPENAI).feed(about) == about


def test_spaced_null_usage_passes() -> None:
    """Providers that write a space after the colon are understood as well."""
    spaced = STREAM[0].replace(b'"usage":null', b'"usage": null')
    assert UsageFilter(OPENAI).feed(spaced) == spaced


@pytest.mark.parametrize(("rest", "given_on"), [(STREAM[0][:-1], STREAM[0][:-1]), (USAGE_ONLY[:-1], b"")])
def test_end_gives_the_rest(rest: bytes, given_on: bytes) -> None:
    """A stream that ends within an event gives on what there is of it, except where that is only usage."""
    usage_filter = UsageFilter(OPENAI)
    assert usage_filter.feed(rest) == b""
    assert usage_filter.flush() == given_on


def test_endless_event_is_let_through() -> None:
    """An event too long to be held goes on unfinished: it is not usage, and memory is bounded."""
    usage_filter = UsageFilter(OPENAI)
    long = b"data: " + b"x" * LARGEST_EVENT
    assert usage_filter.feed(long) == long
    assert usage_filter.feed(b"y\n\n") == b"y\n\n"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@given(cuts=st.sets(st.integers(1, sum(map(len, STREAM)) - 1)))
def test_filter_does_not_depend_on_reads(line_end: bytes, cuts: set[int]) -> None:
    """However a stream is cut into reads, and whatever ends its lines, the client gets the same bytes."""
    stream = b"".join(STREAM).replace(b"\n", line_end)
    usage_filter = UsageFilter(OPENAI)
    places = [0, *sorted(cuts), len(stream)]
    got = [usage_filter.feed(stream[start:end]) for start, end in pairwise(places)]
    assert b"".join(got) + usage_filter.flush() == (STREAM[0] + STREAM[1] + DONE).replace(b"\n", line_end)


@given(
    st.lists(
        st.sampled_from([*STREAM, DONE, b": ping\n\n", b"data: {", b'"usage":null}\n\n', b"\n", b"\n\n"]), max_size=6
    )
)
def test_what_is_let_through_need_not_be_fed(reads: list[bytes]) -> None:
    """Whichever reads go around the filter, the client gets the same bytes."""
    whole, partly = UsageFilter(OPENAI), UsageFilter(OPENAI)
    expected = b"".join(map(whole.feed, reads)) + whole.flush()
    got = b"".join([read if partly.lets_through(read) else partly.feed(read) for read in reads]) + partly.flush()
    assert got == expected


def test_the_usual_event_is_let_through() -> None:
    """Also where it says that its usage is null; not the one that has a usage, nor half of one, nor its rest."""
    usage_filter = UsageFilter(OPENAI)
    assert usage_filter.lets_through(b'data: {"choices":[],"usage":null}\n\n')
    assert not usage_filter.lets_through(b'data: {"choices":[],"usage":{"total_tokens":1}}\n\n')
    assert not usage_filter.lets_through(b"data: {")
    usage_filter.feed(b"data: {")
    assert not usage_filter.lets_through(b"}\n\n")
