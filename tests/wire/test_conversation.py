"""What stays the same in all turns of a conversation, and whom a request says it is for."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sluicegate.wire.conversation import beginning, user_of

SYSTEM = {"role": "system", "content": "Be brief."}
FIRST = {"role": "user", "content": "What is a sluice?"}
ANSWER = {"role": "assistant", "content": "A gate."}
SECOND = {"role": "user", "content": "And a lock?"}


def body(**fields: Any) -> bytes:
    """A request."""
    return json.dumps({"model": "m", "stream": True, **fields}).encode()


TURNS = [
    ({"messages": [SYSTEM, FIRST]}, {"messages": [SYSTEM, FIRST, ANSWER, SECOND]}),
    ({"system": "Be brief.", "messages": [FIRST]}, {"system": "Be brief.", "messages": [FIRST, ANSWER, SECOND]}),
    ({"instructions": "Be brief.", "input": [FIRST]}, {"instructions": "Be brief.", "input": [FIRST, ANSWER, SECOND]}),
    (
        {"input": [{"type": "item_reference", "role": "user", "id": "x"}, FIRST]},
        {"input": [{"type": "item_reference", "role": "user", "id": "x"}, FIRST, ANSWER]},
    ),
    (
        {"systemInstruction": {"parts": [{"text": "a"}]}, "contents": [{"parts": [{"text": "b"}]}]},
        {
            "systemInstruction": {"parts": [{"text": "a"}]},
            "contents": [{"parts": [{"text": "b"}]}, {"role": "model", "parts": []}, {"role": "user", "parts": []}],
        },
    ),
    ({"prompt": "x" * 1_100}, {"prompt": "x" * 1_100 + " and more"}),
    ({"input": ["first", "second"]}, {"input": ["first", "third"]}),
]


@pytest.mark.parametrize(("first", "later"), TURNS)
def test_turns_of_one_conversation_begin_alike(first: dict[str, Any], later: dict[str, Any]) -> None:
    """In every API: what the first turn held is found in the later one, however the rest has changed."""
    assert beginning(body(**first)) == beginning(body(temperature=1, **later)) != b""


def test_other_conversations_begin_otherwise() -> None:
    """Another system text, or another first question, is another conversation."""
    begins = {
        beginning(body(messages=messages))
        for messages in ([SYSTEM, FIRST], [SYSTEM, SECOND], [FIRST], [SECOND], [SYSTEM], [SYSTEM, ANSWER, FIRST])
    }
    assert len(begins) == 6
    assert beginning(body(system="a", messages=[FIRST])) != beginning(body(system="b", messages=[FIRST]))
    assert beginning(body(input="a")) != beginning(body(input="b"))


def test_it_is_bytes_of_the_body() -> None:
    """The raw bytes of the fields, spelling kept; what comes after the first question is not among them."""
    raw = b'{"messages" : [ {"role":"system", "content":"\\u0041"},{"role":"user","content": "q"} , {"role":"tool"}]}'
    assert beginning(raw) == b'{"role":"system", "content":"\\u0041"}\n{"role":"user","content": "q"}'


@pytest.mark.parametrize("mark", ['"cache_control": {"type": "ephemeral"}', '"cache_control": null'])
def test_cache_marks_do_not_count(mark: str) -> None:
    """Clients move Anthropic's cache marks from turn to turn; the conversation is the same."""
    plain = b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}]}'
    for place in (
        b'"type": "text", "text": "q", %s',
        b'%s, "type": "text", "text": "q"',
        b'"type": "text", %s, "text": "q"',
    ):
        marked = plain.replace(b'"type": "text", "text": "q"', place % mark.encode())
        assert beginning(marked) == beginning(plain)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"messages": null, "system": null}',
        b'{"messages": [1',
        b"\xff\xfe",
        b'{"messages": []}',
        b'{"system":' + b"[" * 100_000,
        b'{"messages": [{"role": "user", "content": "\\ud800"}, 7',
    ],
)
def test_where_there_is_none(raw: bytes) -> None:
    """No JSON object, or none of the fields: nothing, and no error."""
    assert beginning(raw) == b""
    assert user_of(raw) == ""


def test_unusual_messages() -> None:
    """Messages that are none of the usual shapes are kept as they are."""
    assert beginning(b'{"messages": "text"}') == b'"text"'
    assert beginning(b'{"messages": [{"role": 7}, {"role": ["user"]}, 5, 6]}') == b'{"role": 7}\n{"role": ["user"]}\n5'


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"user": "ann"}, "ann"),
        ({"metadata": {"user_id": "ann"}}, "ann"),
        ({"safety_identifier": "ann"}, "ann"),
        ({"prompt_cache_key": "ann", "user": "bob"}, "ann"),
        ({"user": "ann", "metadata": {"user_id": "bob"}, "safety_identifier": "cid"}, "ann"),
        ({"metadata": {"user_id": "ann"}, "safety_identifier": "cid"}, "ann"),
        ({"user": "", "safety_identifier": "cid"}, "cid"),
        ({"user": 7, "metadata": {"user_id": ["x"]}}, ""),
        ({"user": {"id": "x"}, "metadata": "text"}, ""),
        ({}, ""),
    ],
)
def test_the_user(fields: dict[str, Any], name: str) -> None:
    """The cache key first, then the fields that name users; what is no text, or empty, is passed over."""
    assert user_of(body(**fields)) == name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["user", "x", "message"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "type", "content", "user_id", "messages", "input"]), inner)
    ),
    max_leaves=8,
)
NAMES = ["messages", "input", "contents", "system", "instructions", "systemInstruction", "prompt", "user", "metadata"]


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(NAMES), JSON), st.integers(0, 200))
def test_nothing_is_raised(fields: dict[str, Any], cut: int) -> None:
    """Whatever is in the fields, and wherever the body is cut off; the same body says the same."""
    raw = json.dumps(fields).encode()
    assert beginning(raw) == beginning(raw)
    assert isinstance(user_of(raw), str)
    beginning(raw[:cut])
    user_of(raw[:cut])
