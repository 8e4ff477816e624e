"""Streams whose events differ in nothing but their text."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.dialects.steady import Steady, TextOf


def _decoding(seen: list[bytes]) -> TextOf:
    """A dialect of `{"id":…,"text":…}`, which notes what it was asked."""

    def text_of(payload: bytes) -> tuple[object, str] | None:
        seen.append(payload)
        try:
            event = json.loads(payload)
        except ValueError:
            return None
        text = event.pop("text", None)
        return (event, text) if isinstance(text, str) else None

    return text_of


_text_of = _decoding([])


def _event(text: str, **others: object) -> bytes:
    return json.dumps({"id": "a", "text": text, **others}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _steady(payload: bytes) -> Steady:
    steady = Steady(_text_of)
    steady.learn(payload)
    return steady


def test_nothing_is_read_before_anything_was_learned() -> None:
    """What surrounds the text must be known."""
    assert Steady(_text_of).read([_event("river")]) is None


def test_events_that_differ_in_their_text_alone_are_read_at_once() -> None:
    """The texts come joined, without a look at each event."""
    seen: list[bytes] = []
    steady = Steady(_decoding(seen))
    steady.learn(_event(" river"))
    seen.clear()

    text = steady.read([_event(each) for each in (" gate", "", " stone")])

    assert (text, seen) == (" gate stone", [])


def test_an_event_of_another_shape_sends_all_of_them_back() -> None:
    """None is read where one cannot be: they are decoded one by one, in their order."""
    steady = _steady(_event("river"))

    assert steady.read([_event("gate"), _event("gate", usage=1)]) is None


def test_a_failure_forgets_what_was_learned() -> None:
    """A stream goes over to another kind of event: that one is learned next."""
    steady = _steady(_event("river"))

    assert steady.read([b"{}"]) is None
    assert steady.read([_event("gate")]) is None
    steady.learn(_event("thought", kind="thinking"))

    assert steady.read([_event("deep", kind="thinking")]) == "deep"


def test_a_text_that_is_also_a_constant_is_found_where_it_is_the_text() -> None:
    """`a` is the id's value too: only the place whose change changes the text is the text's."""
    assert _steady(_event("a")).read([_event("b")]) == "b"


def test_a_text_that_is_everywhere_is_not_learned() -> None:
    """Each place that could be it is tried, but not for ever."""
    seen: list[bytes] = []
    Steady(_decoding(seen)).learn(json.dumps({**{str(each): "x" for each in range(20)}, "text": "x"}).encode())

    assert len(seen) == 9


def test_what_has_no_text_teaches_nothing() -> None:
    """Neither an event without text nor one that cannot be read."""
    for payload in (b"{}", b"[", _event("")):
        assert _steady(payload).read([payload]) is None


def test_streams_that_pad_each_event_are_left_alone() -> None:
    """After eight failures in a row nothing more is learned: trying costs time, too."""
    seen: list[bytes] = []
    steady = Steady(_decoding(seen))
    for number in range(8):
        steady.learn(_event("x", padding="y" * number))
        assert steady.read([_event("x", padding="z" * (number + 1))]) is None
    seen.clear()

    steady.learn(_event("x"))

    assert (seen, steady.read([_event("x")])) == ([], None)


def test_escapes_are_undone() -> None:
    """A text's quotes and line ends travel escaped."""
    assert _steady(_event("river")).read([_event('"'), _event("\n\\ "), _event("é")]) == '"\n\\ é'


def test_a_backslash_at_a_texts_end_does_not_escape_the_next_one() -> None:
    """`…\\` before the closing quote means that the string goes on: another shape, whatever it looks like."""
    head, tail = b'{"id": "a", "text": "', b'"}'

    assert _steady(head + b"river" + tail).read([head + b"\\" + tail, head + b"n" + tail]) is None


def test_half_an_emoji_is_not_joined_with_the_other_half() -> None:
    """Each event is JSON of its own; what the readers make of half a pair does not depend on the read's boundaries."""
    head, tail = b'{"id": "a", "text": "', b'"}'

    assert _steady(head + b"river" + tail).read([head + b"\\ud83d" + tail, head + b"\\ude00" + tail]) is None
    assert _steady(head + b"river" + tail).read([head + b"\xf0\x9f" + tail, head + b"\x98\x80" + tail]) is None


def test_its_representation_tells_what_was_learned() -> None:
    """For people who look for why a stream costs more than another."""
    assert repr(_steady(b'{"text":"x"}')) == "<Steady b'{\"text\":\"' … b'\"}' failures=0>"


@given(
    st.lists(st.text(alphabet=st.sampled_from('ab"\\\n\u00e9😀{}: ')), max_size=6),
    st.lists(st.binary(max_size=4), max_size=2),
    st.booleans(),
)
def test_it_reads_what_decoding_reads_or_nothing(texts: list[str], junk: list[bytes], is_ascii: bool) -> None:
    """Whatever stands between the two pieces: the joined texts of the decoded events, or None."""
    head, tail = b'{"id": "a", "text": "', b'"}'
    payloads = [json.dumps({"id": "a", "text": text}, ensure_ascii=is_ascii).encode() for text in texts]
    payloads += [head + each + tail for each in junk]

    read = _steady(_event("river")).read(payloads)

    decoded = [_text_of(payload) for payload in payloads]
    if read is not None:
        assert all(each is not None and each[0] == {"id": "a"} for each in decoded)
        assert read == "".join(each[1] for each in decoded if each is not None)
