"""Values as both databases keep them: what fits, JSON as text, and text that is searched."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, String, Table, func

from sluicegate.store.errors import UnstorableError

_LARGEST = 2**63
_ESCAPE = "\\"
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


def searchable(texts: Iterable[str]) -> str:
    """What a search looks in. Folding is done here because SQLite knows the case of ASCII letters only."""
    return "\n".join(texts).casefold()


def contains(table: Table, text: str) -> ColumnElement[bool]:
    """Where `text` is part of what is searched, in any case; `%` and `_` are letters like others."""
    escaped = text.casefold()
    if len(escaped) > _LONGEST_PATTERN:
        return func.replace(table.c.search, escaped, "") != table.c.search
    for special in (_ESCAPE, "%", "_"):
        escaped = escaped.replace(special, _ESCAPE + special)
    return table.c.search.like(f"%{escaped}%", escape=_ESCAPE)


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
