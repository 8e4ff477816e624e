"""Values as both databases keep them: what fits, JSON as text, and text that is searched."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, FromClause, String, Table, and_, func, or_

from sluicegate.store.errors import UnstorableError

Value = TypeVar("Value")

_LARGEST = 2**63
_ESCAPE = "\\"
TRIGRAM = 3
"""Characters in a row that both databases can have an index of."""
BEFORE_WORDS = "\n -_.@/"
"""What a word begins behind, besides the beginning of all. A line is a field."""
_LONGEST_PATTERN = 10_000
"""Characters. SQLite takes no pattern with more than 50,000 bytes (https://www.sqlite.org/limits.html)."""


def is_storable(value: object) -> bool:
    """Whether some row can have this value. Text with a NUL or half a surrogate pair in it is in no row."""
    if not isinstance(value, str):
        return True
    return "\0" not in value and _is_utf8(value)


def check(table: Table, values: Mapping[str, Any]) -> None:
    """Raises UnstorableError for a value that a column cannot keep."""
    for name, value in values.items():
        if isinstance(value, str):
            _check_text(name, value, table.c[name])
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise UnstorableError(name, "is not within 64 bits")


def packed(field: str, value: object) -> str:
    """A value as JSON. Raises UnstorableError."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnstorableError(field, f"is not JSON: {error}") from None


def padded(values: list[Value]) -> list[Value]:
    """The last one repeated up to a power of two: a server prepares a statement for every number of values."""
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))


def searchable(texts: Iterable[str]) -> str:
    """What a search looks in. Folding is done here because SQLite knows the case of ASCII letters only."""
    return "\n".join(texts).casefold()


def contains(table: FromClause, text: str) -> ColumnElement[bool]:
    """Where `text` is part of what is searched, in any case; `%` and `_` are letters like others."""
    folded = text.casefold()
    if len(folded) > _LONGEST_PATTERN:
        return func.replace(table.c.search, folded, "") != table.c.search
    return _like(table, f"%{_escaped(folded)}%")


def finds(table: FromClause, text: str) -> ColumnElement[bool]:
    """As `contains`, but one or two ASCII letters or digits are looked for where a word begins.

    The indexes of both databases know those places, but not where else so short a part is, and to look at each of a
    million records takes too long.
    """
    folded = text.casefold()
    if not is_beginning(folded):
        return contains(table, text)
    begins = [_like(table, f"{folded}%"), *(_like(table, f"%{_escaped(one)}{folded}%") for one in BEFORE_WORDS)]
    # The first is for SQLite, which seldom comes to the others then.
    return and_(contains(table, text), or_(*begins))


def is_beginning(folded: str) -> bool:
    """Whether a text, its case folded, is looked for where a word begins."""
    return len(folded) < TRIGRAM and folded.isascii() and folded.isalnum()


def _like(table: FromClause, pattern: str) -> ColumnElement[bool]:
    return table.c.search.like(pattern, escape=_ESCAPE)


def _escaped(text: str) -> str:
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text


def _check_text(name: str, value: str, column: ColumnElement[Any]) -> None:
    if "\0" in value:
        raise UnstorableError(name, "has a NUL character in it")
    if not _is_utf8(value):
        raise UnstorableError(name, "has half a surrogate pair in it")
    longest = column.type.length if isinstance(column.type, String) else None
    if longest is not None and len(value) > longest:
        raise UnstorableError(name, f"is longer than {longest} characters")


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
