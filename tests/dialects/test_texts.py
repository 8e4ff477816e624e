"""The texts inside requests and answers."""

import pytest

from sluicegate.dialects.texts import field, json_text, json_texts, text_of, texts_of


def nested(levels: int) -> object:
    """A text below that many lists."""
    value: object = "deep"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        (None, ""),
        (5, ""),
        ({"role": "user", "content": "hello"}, "hello"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:…"}}]}, "a"),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, "no"),
        ({"tool_calls": [{"function": {"name": "f", "arguments": '{"x":1}'}}]}, 'f\n{"x":1}'),
        ({"type": "tool_use", "name": "f", "input": {"x": 1}}, 'f\n{"x":1}'),
        ({"parts": [{"functionCall": {"name": "f", "args": {"x": "ü"}}}]}, 'f\n{"x":"ü"}'),
        ({"type": "function_call_output", "output": "42"}, "42"),
        ({"source": {"type": "text", "data": "document"}}, "document"),
        ({"source": {"type": "content", "content": [{"text": "part"}]}}, "part"),
        ({"source": {"type": "base64", "data": "AAAA"}}, ""),
        ({"source": "https://host/"}, ""),
    ],
)
def test_text_is_found_in_every_shape(value: object, expected: str) -> None:
    """Texts, calls and plain documents are found; images and other data are not text."""
    assert text_of(value) == expected


def test_tokens_count_as_words() -> None:
    """A prompt of token numbers becomes as many words; a list of such prompts one text each."""
    assert texts_of([11, 12, 13]) == [" the the the"]
    assert texts_of([[11, 12], [13]]) == [" the the", " the"]


def test_one_entry_per_item() -> None:
    """A list gives one text per item, a single value one, nothing none."""
    assert texts_of(["a", {"text": "b"}]) == ["a", "b"]
    assert texts_of("a") == ["a"]
    assert texts_of([]) == texts_of(None) == []


def test_nesting_is_followed_to_a_bound() -> None:
    """Text below more levels than any API has is not looked for, so that depth cannot exhaust the stack."""
    assert text_of(nested(20)) == "deep"
    assert text_of(nested(500)) == ""


def test_definitions_are_compact_json() -> None:
    """Tools are counted as the JSON that a model is given; what is no list of them gives nothing."""
    assert json_texts([{"name": "f", "parameters": {}}]) == ['{"name":"f","parameters":{}}']
    assert json_texts({"name": "f"}) == []
    assert json_text(nested(100_000)) == ""


def test_field_of_no_object_is_none() -> None:
    """A field is looked for in objects only."""
    assert field({"a": 1}, "a") == 1
    assert field({"a": 1}, "b") is None
    assert field([1], "a") is None
