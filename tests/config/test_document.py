"""YAML becomes plain values with lines, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.document import parse
from sluicegate.config.problem import ConfigurationError


def refusal(text: str) -> str:
    """The one line that refuses a text."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text, file="f")
    return str(caught.value)


def test_values_and_their_lines() -> None:
    """Every value has the line of its key or of its item."""
    document = parse("a: 1\nb:\n  - x\n  -\n    c: true\n", file="f")
    assert document.data == {"a": 1, "b": ["x", {"c": True}]}
    assert document.lines == {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 5, ("b", 1, "c"): 5}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_nothing_is_an_empty_mapping(text: str) -> None:
    """A file with no settings is valid."""
    assert parse(text, file="f").data == {}


def test_references_need_no_quotes_in_flow_mappings() -> None:
    """`{token: ${VAR}}` reads as written, though YAML itself would take the braces for its own."""
    document = parse("a: {b: ${B}, c: [${C:-x}, '${D}']} # ${E}\n", file="f")
    assert document.data == {"a": {"b": "${B}", "c": ["${C:-x}", "${D}"]}}


def test_characters_of_the_private_use_area_survive() -> None:
    """What stands in for braces while reading is never a character of the file."""
    assert parse('a: "\ue000\ue001"\nb: ${B}\n', file="f").data == {"a": "\ue000\ue001", "b": "${B}"}


def test_timestamps_stay_text() -> None:
    """What a time means is the schema's to decide."""
    assert parse("a: 2030-01-01T00:00:00Z\nb: 2030-01-01\nc: =\n", file="f").data == {
        "a": "2030-01-01T00:00:00Z",
        "b": "2030-01-01",
        "c": "=",
    }


def test_keys_are_text_whatever_they_look_like() -> None:
    """`8080:` and `yes:` are names as spelt."""
    assert parse("8080: a\nyes: b\n", file="f").data == {"8080": "a", "yes": "b"}


def test_a_key_given_twice_is_a_problem() -> None:
    """The first stays, the second is reported with both lines."""
    document = parse("a:\n  b: 1\n  b: 2\n", file="f")
    assert document.data == {"a": {"b": 1}}
    assert [str(problem) for problem in document.problems] == ["f:3: a.b: is given twice, first on line 2"]


def test_merge_keys_give_way_to_explicit_ones() -> None:
    """`<<` fills in what the mapping does not say, the first of several sources winning."""
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {<<: *a}\n"
    document = parse(text, file="f")
    assert document.data["c"] == {"x": 3, "y": 1, "z": 2}
    assert document.data["d"] == {"x": 1, "y": 1}
    assert document.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n  <<: 5\n", "f:2: a: << must name a mapping"),
        ("? [x]\n: 1\n", "f:1: has a key that is no text"),
        ("a: !!binary aGk=\n", "f:1: a: has a tag that is not plain data"),
        ("a: !!python/object/apply:os.system [ls]\n", None),
        ("a: !!python/name:os.system ''\n", "f:1: a: has a tag that is not plain data"),
        ("a: !!int hunter2\n", "f:1: a: does not hold what its tag says"),
        ("a: !!bool hunter2\n", "f:1: a: does not hold what its tag says"),
        (f"a: {'9' * 5000}\n", "f:1: a: does not hold what its tag says"),
    ],
)
def test_what_is_no_plain_data_is_reported(text: str, problem: str | None) -> None:
    """Tags name no objects, keys are text, merges merge mappings."""
    document = parse(text, file="f")
    assert [str(found) for found in document.problems] == ([problem] if problem else [])
    assert problem or document.data == {"a": ["ls"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\n", "f:3: is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: *hunter2\n", "f:1: is not valid YAML: found undefined alias; a value that begins with * & or ! must"),
        ("a: @hunter2\n", "f:1: is not valid YAML: found character '@' that cannot start any token"),
        ("a: 1\n---\nb: 2\n", "f:2: is not valid YAML: but found another document"),
        ("a:\n\tb: 1\n", "f:2: is not valid YAML: indent with spaces, not with tabs"),
        ("a: \t1\nb: \x07\n", "f:2: holds a character that YAML does not allow"),
        ("- a\n", "f:1: must be a mapping of settings"),
        ("just words\n", "f:1: must be a mapping of settings"),
        ("a: &a [*a]\n", "f:1: is nested too deeply, or an alias holds itself"),
        ("a: " + "[" * 1_000, "f: is nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused(text: str, message: str) -> None:
    """A file that cannot be read as one mapping is refused, with its line and without its content."""
    refused = refusal(text)
    assert refused.startswith(message)
    assert "hunter2" not in refused


def test_aliases_cannot_multiply_without_bound() -> None:
    """A few lines that stand for a billion values are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert refusal("\n".join(lines)) == "f: stands for more than 100000 values"


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcde", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcde", min_size=1), PLAIN, max_size=4))
def test_whatever_json_writes_is_read_back(data: dict[str, object]) -> None:
    """JSON is YAML (but for escaped surrogate pairs): plain data written as JSON comes back the same."""
    document = parse(json.dumps(data), file="f")
    assert document.data == data
    assert document.problems == ()
