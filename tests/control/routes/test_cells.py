"""Values as cells of a CSV file."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.routes.cells import cell_of, text_of


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("", ""),
        ("text", "text"),
        (5, "5"),
        (1e-9, "0.000000001"),
        (12.5, "12.5"),
        (True, "true"),
        (["a", 1], '["a", 1]'),
        ({"ü": None}, '{"ü": null}'),
        ("=1+1", "'=1+1"),
        (" @x", "' @x"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("\tx", "'\tx"),
        (-5, "'-5"),
        ("'quoted'", "'quoted'"),
    ],
)
def test_values_are_written(value: Any, cell: str) -> None:
    """Numbers in plain digits, lists and objects as JSON, and nothing that a spreadsheet would take for a formula."""
    assert cell_of(value) == cell


@given(st.text(st.sampled_from("'=+-@ \t\rax＝")))
def test_texts_are_read_as_they_were(text: str) -> None:
    """What was put in front of a text is taken away again."""
    assert text_of(cell_of(text)) == text
