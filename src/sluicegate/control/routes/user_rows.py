"""Users as lines of a file, JSON lines or CSV: reading them from one, and writing them.

Rule 1. A row takes at most 64 KiB, wherever its lines end, so that no file takes more memory than that.
Rule 2. Files are UTF-8; a byte order mark is not part of the first field.
Rule 3. What an export writes, an import accepts; of a new user, id and times are our own.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from pydantic import ValidationError

from sluicegate.control.problems import faults
from sluicegate.control.routes.cells import cell_of, text_of
from sluicegate.control.routes.users import UserCreate, UserShown, fields_of
from sluicegate.control.tenants.user_import import Faulty, Row, Rows

Form = Literal["jsonl", "csv"]

LONGEST_ROW = 65_536
COLUMNS = (
    "user_id",
    "org_id",
    "email",
    "name",
    "monthly_limit_usd",
    "status",
    "metadata",
    "created_at",
    "updated_at",
)
"""Of a CSV file that is written, in this order. One that is read has them in any order, and needs only `email`."""

_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")

_Input = TypeVar("_Input")


class Source(Protocol):
    """A file of bytes."""

    def readline(self, size: int = -1, /) -> bytes:
        """The next line with its end, or as much of it as `size` bytes; empty at the end of the file."""


class _UnreadableError(Exception):
    """A file cannot be read on from here. The message says why."""


class UserRow(UserCreate):
    """A line of a file; what is our own of a user is ignored."""

    user_id: Any = None
    created_at: Any = None
    updated_at: Any = None


class _Lines:
    """The lines of a file, no row of which is longer than allowed."""

    def __init__(self, file: Source) -> None:
        self._file = file
        self._size = 0
        self.number = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self._file.readline(LONGEST_ROW + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        if self._size > LONGEST_ROW:
            raise _UnreadableError(f"a row takes more than {LONGEST_ROW} bytes")
        if self.number == 1:
            if line.startswith(_WIDE_BOMS):
                raise _UnreadableError("this is UTF-16, save it as UTF-8")
            line = line.removeprefix(_BOM)
        return line

    def start_row(self) -> int:
        """Begin another row; return its line."""
        self._size = 0
        return self.number + 1


def read_rows(file: Source, form: Form) -> Rows:
    """The users a file tells of; where it cannot be read on, that is the last row."""
    lines = _Lines(file)
    try:
        yield from _json_rows(lines) if form == "jsonl" else _csv_rows(lines)
    except _UnreadableError as error:
        yield Faulty(lines.number, [{"path": "", "message": f"{error}; nothing was read from here on"}])


def write_rows(users: Iterable[UserShown], form: Form) -> bytes:
    """The lines that tell of users."""
    if form == "jsonl":
        return b"".join(msgspec.json.encode(user.model_dump(mode="json")) + b"\n" for user in users)
    text = io.StringIO()
    writer = csv.writer(text)
    for user in users:
        shown = user.model_dump(mode="json")
        writer.writerow([cell_of(shown[column]) for column in COLUMNS])
    return text.getvalue().encode()


def beginning(form: Form) -> bytes:
    """What a file starts with."""
    return b"" if form == "jsonl" else (",".join(COLUMNS) + "\r\n").encode()


def _json_rows(lines: _Lines) -> Rows:
    while True:
        number = lines.start_row()
        line = next(lines, None)
        if line is None:
            return
        if line.strip():
            yield _row(number, UserRow.model_validate_json, line)


def _csv_rows(lines: _Lines) -> Rows:
    number = lines.start_row()
    first = next(lines, b"")
    texts = (line.decode("utf-8", "surrogateescape") for line in lines)
    # A spreadsheet in a country with a decimal comma separates cells by semicolons.
    delimiter = ";" if b";" in first and b"," not in first else ","
    header = next(csv.reader([first.decode("utf-8", "surrogateescape")], delimiter=delimiter), [])
    columns = [name.strip().lower() for name in header]
    _check_columns(columns)
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    while True:
        number = lines.start_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _UnreadableError(str(error)) from None
        if cells is None:
            return
        if any(cells):
            yield _csv_row(number, columns, cells)


def _csv_row(number: int, columns: list[str], cells: list[str]) -> Row | Faulty:
    if len(cells) != len(columns):
        return Faulty(number, [{"path": "", "message": f"has {len(cells)} cells, not {len(columns)}"}])
    # An empty cell says nothing: the field is as though its column were not there.
    given: dict[str, Any] = {column: text_of(cell) for column, cell in zip(columns, cells, strict=True) if cell}
    if "metadata" in given:
        try:
            given["metadata"] = json.loads(given["metadata"])
        except (ValueError, RecursionError):
            return Faulty(number, [{"path": "metadata", "message": "is not JSON"}])
    return _row(number, UserRow.model_validate, given)


def _check_columns(columns: list[str]) -> None:
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown:
        raise _UnreadableError(f"unknown column {unknown[0]!r}; there are {', '.join(COLUMNS)}")
    if len(set(columns)) < len(columns):
        raise _UnreadableError("a column is there twice")
    if "email" not in columns:
        raise _UnreadableError("must name the columns, and email among them")


def _row(number: int, read: Callable[[_Input], UserRow], given: _Input) -> Row | Faulty:
    try:
        row = read(given)
    except ValidationError as invalid:
        return Faulty(number, faults(invalid.errors(include_url=False, include_input=False)))
    return Row(number, row.org_id, fields_of(row))
