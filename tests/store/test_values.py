"""Values that both databases can keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, create_engine, insert, select

from sluicegate.store.errors import UnstorableError
from sluicegate.store.values import check, contains, is_storable, packed, searchable

TABLE = Table("things", MetaData(), Column("short", String(3)), Column("search", Text), Column("number", Integer))


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"search": "a\0b"}, "search", "NUL"),
        ({"search": "\ud800"}, "search", "half a surrogate pair"),
        ({"short": "abcd"}, "short", "longer than 3 characters"),
        ({"number": 2**63}, "number", "64 bits"),
        ({"number": -(2**63) - 1}, "number", "64 bits"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], field: str, reason: str) -> None:
    """A value that some database could not keep is refused with its field and reason."""
    with pytest.raises(UnstorableError, match=reason) as refused:
        check(TABLE, values)
    assert refused.value.field == field


def test_what_fits_is_let_through() -> None:
    """Values at their bounds, other types and None are kept."""
    check(TABLE, {"short": "ß😀ü", "search": "x" * 100_000, "number": 2**63 - 1})
    check(TABLE, {"short": None, "search": b"\0", "number": -(2**63)})


@pytest.mark.parametrize(
    ("value", "storable"), [("a\0", False), ("\udfff", False), ("😀", True), (None, True), (7, True)]
)
def test_no_row_has_what_cannot_be_stored(value: object, storable: bool) -> None:
    """Text with a NUL or half a surrogate pair is in no row, so nobody needs to ask for it."""
    assert is_storable(value) is storable


def test_json_is_text() -> None:
    """A value is kept as compact JSON."""
    assert packed("metadata", {"a": [1, None, "ü"]}) == '{"a":[1,null,"ü"]}'


@pytest.mark.parametrize("value", [{"a": object()}, {1j: 1}, {"a": "\ud800"}])
def test_what_is_not_json_is_refused(value: object) -> None:
    """What JSON or UTF-8 cannot say is refused with its field."""
    with pytest.raises(UnstorableError, match="is not JSON") as refused:
        packed("metadata", value)
    assert refused.value.field == "metadata"


_LETTERS = st.text(st.sampled_from("aAäÄß%_\\*?[]'\" 😀"), max_size=6)


@given(said=_LETTERS, part=_LETTERS)
def test_a_search_is_for_a_part_in_any_case(said: str, part: str) -> None:
    """A search finds what Python finds in the folded text: no character is special."""
    engine = create_engine("sqlite://")
    TABLE.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(TABLE).values(search=searchable([said])))
        found = connection.execute(select(TABLE).where(contains(TABLE, part))).first() is not None
    engine.dispose()
    assert found == (part.casefold() in said.casefold())


def test_texts_are_searched_apart() -> None:
    """What is searched is each text on a line of its own, its case folded."""
    assert searchable(["Straße", "ÄB"]) == "strasse\näb"
