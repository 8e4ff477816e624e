"""A draft lays sources over each other and remembers where each value came from."""

from collections.abc import Mapping

from sluicegate.config.document import parse
from sluicegate.config.draft import Draft, Place


def draft_of(text: str, environment: Mapping[str, str] | None = None) -> Draft:
    """A draft of one file `f`."""
    draft = Draft(Place("f"))
    draft.add_document(parse(text, file="f"), file="f", environment=environment or {}, read_file=lambda path: path)
    return draft


def test_references_are_resolved_only_in_text_values() -> None:
    """Keys and numbers stay; text anywhere is resolved."""
    draft = draft_of("${A}: [1, '${A}', {b: true, c: file:/x}]", {"A": "one"})
    assert draft.data == {"${A}": [1, "one", {"b": True, "c": "/x"}]}


def test_a_broken_reference_is_reported_once() -> None:
    """Whatever else is wrong with a value that could not be resolved is not worth saying."""
    draft = draft_of("a:\n  b: ${NONE}\n")
    draft.report(("a", "b"), "is wrong in another way")
    assert [str(problem) for problem in draft.problems] == ["f:2: a.b: the environment variable NONE is not set"]


def test_a_missing_value_is_put_down_to_what_surrounds_it() -> None:
    """Problems of values that nobody gave have the line of the section, else the file."""
    draft = draft_of("x: 1\na:\n  b: 1\n")
    draft.report(("a", "c", "d"), "is required")
    draft.report(("z",), "is required")
    assert [str(problem) for problem in draft.problems] == ["f:2: a.c.d: is required", "f: z: is required"]


def test_a_put_value_names_its_source() -> None:
    """A value from a variable or a flag is reported under that name, without a line."""
    draft = draft_of("a: {b: 1}")
    draft.put(("a", "b"), "2", Place("environment", name="B"))
    draft.put(("c", "d"), 3, Place("command line", name="--d"))
    draft.append("e", {"f": 1}, Place("environment", name="E"))
    draft.report(("a", "b"), "m")
    draft.report(("c", "d"), "m")
    draft.report(("e", 0, "f"), "m")
    assert draft.data == {"a": {"b": "2"}, "c": {"d": 3}, "e": [{"f": 1}]}
    assert [str(problem) for problem in draft.problems] == [
        "environment: B: m",
        "command line: --d: m",
        "environment: E: m",
    ]


def test_putting_never_replaces_what_has_another_shape() -> None:
    """Where the file has a word in place of a section, that word stays, to be reported."""
    draft = draft_of("a: word\nb: word\nc:\n")
    draft.put(("a", "x"), 1, Place("environment"))
    draft.append("b", {}, Place("environment"))
    draft.put(("c", "x"), 1, Place("environment"))
    assert draft.data == {"a": "word", "b": "word", "c": {"x": 1}}


def test_putting_into_an_entry_of_a_list() -> None:
    """Where it is there and a mapping; a key is no index, and an index no key."""
    draft = draft_of("a: [{b: 1}, word]\nm: {k: 1}")
    draft.put(("a", 0, "c"), 2, Place("environment", name="C"))
    draft.put(("a", 1, "c"), 2, Place("environment"))
    draft.put(("a", "x", "c"), 2, Place("environment"))
    draft.put(("m", 0), 2, Place("environment"))
    assert draft.data == {"a": [{"b": 1, "c": 2}, "word"], "m": {"k": 1}}
    assert draft.place(("a", 0, "c", "below")) == Place("environment", name="C")


def test_what_is_excused_is_not_reported() -> None:
    """What follows from another problem is not worth saying."""
    draft = draft_of("a: {b: 1}")
    draft.excuse(("a", "b"))
    draft.report(("a", "b"), "m")
    draft.report(("a",), "m")
    assert [str(problem) for problem in draft.problems] == ["f:1: a: m"]


def test_find_passes_over_other_shapes() -> None:
    """`...` stands for every key or index; values of another shape match nothing."""
    draft = draft_of("m: [{t: [{n: 1}, {n: 2}]}, 5, {t: word}]\n")
    assert [*draft.find("m", ..., "t", ..., "n")] == [(("m", 0, "t", 0, "n"), 1), (("m", 0, "t", 1, "n"), 2)]
    assert [*draft.find("m", 1)] == [(("m", 1), 5)]
    assert [*draft.find("m", 3)] == [*draft.find("m", "x")] == [*draft.find("m", 1, ...)] == []


def test_repr_shows_counts_only() -> None:
    """A draft holds secrets: its repr does not."""
    assert repr(draft_of("a: hunter2")) == "<Draft places=2 problems=0>"
