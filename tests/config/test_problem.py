"""Problems say where, what and what may have been meant."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.problem import ConfigurationError, Problem, nearest, written


def test_one_line_with_everything() -> None:
    """A problem is `file:line: path: message (did you mean …?)`."""
    problem = Problem("a.yaml", 3, "server.prot", "is no setting", "port")
    assert str(problem) == "a.yaml:3: server.prot: is no setting (did you mean port?)"


def test_one_line_without_line_and_path() -> None:
    """What a source cannot say is left out."""
    assert str(Problem("environment", None, "", "is wrong")) == "environment: is wrong"


def test_error_keeps_each_problem_once_in_the_files_order() -> None:
    """Problems come out by line, repeated ones once."""
    late, early = Problem("a", 9, "x", "m"), Problem("a", 2, "y", "m")
    error = ConfigurationError([late, early, late])
    assert error.problems == (early, late)
    assert str(error) == "a:2: y: m\na:9: x: m"


def test_locations_read_as_operators_write_them() -> None:
    """Keys are joined by dots, indices stand in brackets."""
    assert written(("models", 0, "targets", 1, "weight")) == "models[0].targets[1].weight"
    assert written(()) == ""


def test_nearest_forgives_case_and_dashes() -> None:
    """Spelling conventions do not count as distance."""
    assert nearest("Base-URL", ["api_key", "base_url"]) == "base_url"
    assert nearest("zzzzz", ["api_key", "base_url"]) is None


WORDS = st.text(st.characters(categories=["Ll"]), min_size=4, max_size=12)


@given(st.sets(WORDS, min_size=1, max_size=8), st.text(max_size=12))
def test_nearest_suggests_only_what_exists(candidates: set[str], word: str) -> None:
    """A suggestion is always one of the candidates."""
    assert nearest(word, candidates) in {None, *candidates}


@given(WORDS, st.data())
def test_nearest_finds_a_word_with_one_letter_lost(word: str, data: st.DataObject) -> None:
    """A single slip of the finger is always forgiven."""
    lost = data.draw(st.integers(0, len(word) - 1))
    assert nearest(word[:lost] + word[lost + 1 :], [word]) == word
