"""Top-level fields of a JSON request, read and replaced without touching any other byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.wire.peek import Peek, PeekError, StreamOptions, peek, with_included_usage, with_model

LARGE = b'"' + b"lorem ipsum " * 400 + b'"'
"""A value that makes a body larger than what is merely searched."""


def test_the_usual_body_is_read() -> None:
    """Model, stream and stream options; everything else is passed over."""
    body = b'{"model":"m","messages":[{"model":"n"}],"stream":true,"stream_options":{"include_usage":true,"x":1}}'
    found = peek(body)
    assert found == Peek("m", True, StreamOptions(True))
    assert found is not None
    assert found.includes_usage


@pytest.mark.parametrize("body", [b"{}", b' { "model" : null, "stream":null, "stream_options":null } ', b'{"x":[]}'])
def test_missing_and_null_are_the_same(body: bytes) -> None:
    """Both are None."""
    found = peek(body)
    assert found == Peek()
    assert found is not None
    assert not found.includes_usage


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"model"', b"null", b"{", b'{"model":"a"}}', b"\xff", b'{"model":"\xff"}']
)
def test_what_is_no_object_is_none(body: bytes) -> None:
    """Other JSON, no JSON, no UTF-8."""
    assert peek(body) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"model":1}', "model"),
        (b'{"model":["a"]}', "model"),
        (b'{"model":"a","stream":"yes"}', "stream"),
        (b'{"stream":1}', "stream"),
        (b'{"stream_options":[]}', "stream_options"),
        (b'{"stream_options":{"include_usage":"x"}}', "stream_options"),
        (b'{"model":"\\ud800"}', "model"),
    ],
)
def test_a_wrong_type_is_named(body: bytes, field: str) -> None:
    """The message begins with the field that is wrong."""
    with pytest.raises(PeekError, match=f"^{field}") as caught:
        peek(body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a","x":1,"model":"a"}',
        b'{"model":"a","model":null}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"mod\\u0065l":"b","model":"a"}',
        b'{"model":"a","x":' + LARGE + b',"model":"b"}',
        b'{"model":"a","\\u006dodel":"b","x":' + LARGE + b"}",
        b'{"x":"\\ud800","model":"a","model":"b"}',
    ],
)
def test_two_models_are_refused(body: bytes) -> None:
    """However they are spelt, and whatever they are: another server could take the other one."""
    with pytest.raises(PeekError, match="model is given twice"):
        peek(body)


def test_a_member_that_looks_like_the_walk_goes_on_does_not_hide_a_second_model() -> None:
    """A decoder keeps the last of two members; a first one of another length must not lead the walk astray."""
    for first, last in ((b'"aa"', b'"a"'), (b"12", b"1"), (b'"a"', b'"aa"')):
        body = b'{"x":%b,"model":"a","y":%b,"x":%b' % (first, LARGE, last)
        with pytest.raises(PeekError, match="model is given twice"):
            peek(body + b',"model":"b"}')
        assert peek(body + b"}") == Peek("a")
        assert with_model(body + b"}", "b") == body.replace(b'"model":"a"', b'"model":"b"') + b"}"


def test_nesting_too_deep_to_read_is_refused() -> None:
    """It could hide a model from us that a more patient server finds."""
    with pytest.raises(PeekError, match="nested too deeply"):
        peek(b'{"model":"a","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


def test_lone_surrogates_elsewhere_do_not_matter() -> None:
    """Half a surrogate pair in a message, as some clients send it, hides no field."""
    body = b'{"messages":["\\ud83d"],"model":"a","stream":true,"stream_options":{"include_usage":false}}'
    assert peek(body) == Peek("a", True, StreamOptions(False))
    assert with_model(body, "b") == body.replace(b'"a"', b'"b"')
    assert with_included_usage(body) == body.replace(b"false", b"true")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"a"}', b'{"model":"n/\xc3\xa9"}'),
        (b' {\n "model" :\t"a" , "x": 1.50E+2 }\n', b' {\n "model" :\t"n/\xc3\xa9" , "x": 1.50E+2 }\n'),
        (b'{"m":[{"model":"a"}],"model":"a"}', b'{"m":[{"model":"a"}],"model":"n/\xc3\xa9"}'),
        (b'{"model":"a","m":{"model":"a"}}', b'{"model":"n/\xc3\xa9","m":{"model":"a"}}'),
        (b'{"c":"\\"model\\":\\"a\\"","model":"a"}', b'{"c":"\\"model\\":\\"a\\"","model":"n/\xc3\xa9"}'),
        (b'{"a \\"model":"x","model":"a"}', b'{"a \\"model":"x","model":"n/\xc3\xa9"}'),
        (b'{"x":"model","model":"model"}', b'{"x":"model","model":"n/\xc3\xa9"}'),
        (b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"n/\xc3\xa9"}'),
        (b'{"model":"\\u0061\\"}"}', b'{"model":"n/\xc3\xa9"}'),
        (b'{"model":null}', b'{"model":"n/\xc3\xa9"}'),
        (b"{}", b'{"model":"n/\xc3\xa9"}'),
        (b"{ }", b'{"model":"n/\xc3\xa9" }'),
        (b' { "x":1}', b' {"model":"n/\xc3\xa9", "x":1}'),
        (b'{"x":{"model":"a"}}', b'{"model":"n/\xc3\xa9","x":{"model":"a"}}'),
    ],
)
def test_only_the_model_is_replaced(body: bytes, expected: bytes) -> None:
    """Every other byte stays; a model that is missing becomes the first field."""
    assert with_model(body, "n/é") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (b'{"stream_options":{}}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options": { "a":1 } }', b'{"stream_options": {"include_usage":true, "a":1 } }'),
        (b'{"stream_options":{"include_usage" : false}}', b'{"stream_options":{"include_usage" : true}}'),
        (b'{"stream_options":{"include_usage":true}}', b'{"stream_options":{"include_usage":true}}'),
        (b'{"stream_options":{"include_usage":null,"a":[]}}', b'{"stream_options":{"include_usage":true,"a":[]}}'),
        (b'{"stream_options":null}', b'{"stream_options":{"include_usage":true}}'),
        (
            b'{"include_usage":false,"x":{"stream_options":{}}}',
            b'{"stream_options":{"include_usage":true},"include_usage":false,"x":{"stream_options":{}}}',
        ),
    ],
)
def test_usage_is_asked_for(body: bytes, expected: bytes) -> None:
    """Other options are kept, and fields of the same name elsewhere are left alone."""
    assert with_included_usage(body) == expected


@pytest.mark.parametrize(
    "body",
    [b'{"stream_options":{},"stream_options":{}}', b'{"stream_options":{"include_usage":true,"include_usage":false}}'],
)
def test_options_given_twice_are_refused(body: bytes) -> None:
    """Which one would be edited is not which one would be read."""
    with pytest.raises(PeekError, match="is given twice"):
        with_included_usage(body)


_names = st.sampled_from(["model", "stream_options", "include_usage", "messages", 'the "model', "model ", "é", "MODEL"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | _names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def _bodies(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A request with a model and stream options in some place, and how it is written."""
    fields: dict[str, Any] = draw(st.dictionaries(_names | st.text(max_size=4), _values, max_size=5))
    for name, kind in (
        ("model", st.text(max_size=6)),
        ("stream_options", st.just({}) | st.just({"a": [1.0, "model"]})),
    ):
        fields.pop(name, None)
        if draw(st.booleans()):
            fields[name] = draw(kind)
    fields.pop("stream", None)
    order = draw(st.permutations(list(fields)))
    if draw(st.booleans()):
        fields["large"] = "model " * 1000
        order = [*order, "large"]
    ordered = {name: fields[name] for name in order}
    text = json.dumps(
        ordered,
        indent=draw(st.sampled_from([None, 0, 2])),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (" , ", " : ")])),
    )
    return text.encode(), ordered


@given(_bodies(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
def test_edits_are_what_a_decoder_sees(body_and_fields: tuple[bytes, dict[str, Any]], model: str) -> None:
    """After an edit exactly one field differs, and what surrounds it is the original, byte for byte."""
    body, fields = body_and_fields
    found = peek(body)
    assert found is not None
    assert found.model == fields.get("model")
    edited = with_model(body, model)
    assert json.loads(edited) == fields | {"model": model}
    assert len(edited) >= len(body) - len(json.dumps(fields.get("model")))
    usage = with_included_usage(body)
    assert json.loads(usage) == fields | {"stream_options": fields.get("stream_options", {}) | {"include_usage": True}}
    seen = peek(with_model(usage, model))
    assert seen is not None
    assert seen.model == model
    assert seen.includes_usage


@pytest.mark.parametrize(
    ("body", "made"),
    [
        (b'{ "model" : "a" ,"n":1}', b'{ "model" : "b/c" ,"n":1}'),
        (b'{"messages":[{"model":"a"}],"model":"a"}', b'{"messages":[{"model":"a"}],"model":"b/c"}'),
        (b'{"x":[{"model":"a"}],"mod\\u0065l":"a"}', b'{"x":[{"model":"a"}],"mod\\u0065l":"b/c"}'),
        (b'{"x":"\\"model\\":\\"a\\"","model":"a"}', b'{"x":"\\"model\\":\\"a\\"","model":"b/c"}'),
        (b'{"model":"\\u0061"}', b'{"model":"b/c"}'),
        (b'{"x":"%b","model":"a"}' % (b"y" * 9999), b'{"x":"%b","model":"b/c"}' % (b"y" * 9999)),
        (b'{"model":null}', b'{"model":"b/c"}'),
    ],
)
def test_the_model_that_was_read_is_the_one_that_is_replaced(body: bytes, made: bytes) -> None:
    """To know what was read saves a search; whatever else looks like it stays, as it does without that knowledge."""
    seen = peek(body)
    assert seen is not None
    assert with_model(body, "b/c", seen.model or "") == with_model(body, "b/c") == made


@given(_bodies(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6))
def test_an_edit_can_be_undone(body_and_fields: tuple[bytes, dict[str, Any]], model: str) -> None:
    """Putting a model of plain letters back gives the original bytes: nothing else was written anew."""
    body, fields = body_and_fields
    original = with_model(body, "original") if "model" in fields else body
    if "model" in fields:
        assert with_model(with_model(original, model), "original") == original
    else:
        added = with_model(original, model)
        member = b'"model":' + json.dumps(model, ensure_ascii=False).encode()
        # Control characters are escaped in more than one way: then only the length of the rest is compared.
        start = original.index(b"{") + 1
        assert added[:start] == original[:start]
        assert added.endswith(original[start:]) or not fields
        assert member in added or any(ord(letter) < 32 or letter in '\\"\x7f' for letter in model)
