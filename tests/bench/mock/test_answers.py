"""Answers as bytes."""

from sluicegate.bench.mock.answers import LAST_CHUNK, chunk, data_event, named_event, stream, whole, words


def test_whole_answer_states_its_length() -> None:
    """Head and body agree, also for text beyond ASCII and for a status that has no name."""
    answer = whole({"a": "é"}, status=529, extra="x-a: b\r\n")
    assert answer.wire == (
        b"HTTP/1.1 529 Fault\r\ncontent-type: application/json\r\ncontent-length: 11\r\nx-a: b\r\n\r\n"
        + b'{"a": "\xc3\xa9"}'
    )
    assert whole(b"raw", content_type="text/plain").body == b"raw"


def test_each_event_is_a_chunk() -> None:
    """The head goes out with the first event, the end with the last."""
    answer = stream([b"one", b"two"], tokens=1, lead=1, failure=b"bad")
    assert answer.writes == (answer.head + b"3\r\none\r\n", b"3\r\ntwo\r\n" + LAST_CHUNK)
    assert answer.failure == chunk(b"bad") + LAST_CHUNK
    assert b"transfer-encoding: chunked" in answer.head


def test_tokens_served_are_counted_from_the_first_token() -> None:
    """Events before and after the tokens count for nothing."""
    answer = stream([b"role", b"a", b"b", b"end"], tokens=2, lead=1, failure=b"bad")
    assert [answer.served(sent) for sent in range(5)] == [0, 0, 1, 2, 2]


def test_events_end_with_a_blank_line() -> None:
    """Server-sent events, with and without a name, their JSON without spaces."""
    assert data_event({"a": [1, 2]}) == b'data: {"a":[1,2]}\n\n'
    assert named_event("ping", {}) == b"event: ping\ndata: {}\n\n"


def test_words_are_as_many_as_asked() -> None:
    """One word a token, always the same ones."""
    assert len(words(30)) == 30
    assert words(30)[:12] == words(12)
    assert words(0) == []
