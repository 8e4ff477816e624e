"""Users as lines of a file."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.routes.user_rows import COLUMNS, LONGEST_ROW, Form, beginning, read_rows, write_rows
from sluicegate.control.routes.users import UserShown
from sluicegate.control.tenants.user_import import Faulty, Row
from sluicegate.domain.money import NANO, dollars

FORMS: tuple[Form, ...] = ("jsonl", "csv")

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc=+-@'"), inner, max_size=3),
    max_leaves=5,
)


def user(**fields: Any) -> UserShown:
    """A user as it is shown."""
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    usual: dict[str, Any] = {
        "user_id": "usr_1",
        "org_id": "org_1",
        "email": "ada@example.com",
        "name": "",
        "monthly_limit_usd": None,
        "status": "active",
        "metadata": {},
        "created_at": moment,
        "updated_at": moment,
    }
    return UserShown(**usual | fields)


def rows(text: str | bytes, form: Form = "csv") -> list[Row | Faulty]:
    """All rows of a file."""
    return list(read_rows(io.BytesIO(text.encode() if isinstance(text, str) else text), form))


def only_fault(text: str | bytes, form: Form = "csv") -> str:
    """What is told of a file in which the last row, and only that, is at fault."""
    *good, last = rows(text, form)
    assert all(isinstance(one, Row) for one in good)
    assert isinstance(last, Faulty)
    return "; ".join(f"{last.line} {error['path']}: {error['message']}" for error in last.errors)


@given(
    email=st.from_regex(r"[=+\-'a-z]{1,5}@[a-z]{1,5}", fullmatch=True),
    name=PRINTABLE | st.from_regex(r"'{0,3}[ ]?[=+\-@＝＋－＠a]b?", fullmatch=True),
    nano=st.none() | st.integers(0, 1_000_000 * NANO),
    status=st.sampled_from(["active", "suspended"]),
    metadata=st.dictionaries(st.text("abc=+-@'\n"), JSON, max_size=3),
)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read(
    form: Form, email: str, name: str, nano: int | None, status: str, metadata: dict[str, Any]
) -> None:
    """What an export writes, an import reads as it was, and nothing is taken for a formula on the way."""
    limit = None if nano is None else dollars(nano)
    shown = user(email=email, name=name, monthly_limit_usd=limit, status=status, metadata=metadata)
    text = beginning(form) + write_rows([shown], form)
    (row,) = rows(text, form)
    assert isinstance(row, Row)
    expected = {"email": email, "name": name, "monthly_limit": nano, "status": status, "metadata": metadata}
    assert {"name": "", "monthly_limit": None, **row.fields} == expected
    assert row.organization_id == "org_1"
    if form == "csv":
        cells = list(csv.reader(io.StringIO(text.decode(), newline="")))[1]
        assert not any(cell.lstrip(" ")[:1] in {*"=+-@＝＋－＠\t\r\n"} for cell in cells if cell)


@pytest.mark.parametrize("form", FORMS)
def test_byte_order_mark_is_not_part_of_a_field(form: Form) -> None:
    """A file that a spreadsheet saved as UTF-8 is read like any other."""
    text = beginning(form) + write_rows([user()], form)
    assert rows(b"\xef\xbb\xbf" + text, form) == rows(text, form)


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
@pytest.mark.parametrize("form", FORMS)
def test_utf_16_is_refused(form: Form, mark: bytes) -> None:
    """A file in another encoding is refused, with what to do."""
    assert "this is UTF-16, save it as UTF-8; nothing was read from here on" in only_fault(mark + b"e\0\n\0", form)


def test_columns_may_be_few_and_in_any_order() -> None:
    """Only the address is needed; an empty cell says nothing; empty lines are not rows."""
    (row, other) = rows("Name , email\nAda,ada@example.com\n\n,\n,b@example.com")
    assert row == Row(2, None, {"name": "Ada", "email": "ada@example.com"})
    assert other == Row(5, None, {"email": "b@example.com"})


def test_semicolons_separate_too() -> None:
    """A file of a spreadsheet whose country writes decimal commas is read; lines may end in CR LF."""
    (row,) = rows('email;name\r\nA@example.com;"a;b"\r\n')
    assert row == Row(2, None, {"email": "a@example.com", "name": "a;b"})


def test_line_of_a_row_is_where_it_begins() -> None:
    """A row's line is told as an editor counts, though the row before took several."""
    (row, other) = rows('email,metadata\na@example.com,"{""a"":\n1}"\nb@example.com,\n')
    assert (row.line, other.line) == (2, 4)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "0 : must name the columns, and email among them"),
        ("name\nAda", "1 : must name the columns, and email among them"),
        ("email,role\n", "1 : unknown column 'role'"),
        ("email,email\n", "1 : a column is there twice"),
        ("email,name\na@example.com\n", "2 : has 1 cells, not 2"),
        ("email,metadata\na@example.com,{\n", "2 metadata: is not JSON"),
        ("email,metadata\na@example.com," + "[" * 20_000, "2 metadata: is not JSON"),
        ("email,metadata\na@example.com,[]\n", "2 metadata: Input should be a valid dictionary"),
        ("email,status\na@example.com,deleted\n", "2 status: Input should be 'active' or 'suspended'"),
        ("email,monthly_limit_usd\na@example.com,-1\n", "2 monthly_limit_usd: must be an amount"),
        ('email\na@example.com\n"b"x@example.com\n', "3 : ',' expected after '\"'; nothing was read from here on"),
        ('email\n"a', "2 : unexpected end of data; nothing was read from here on"),
        (b"email,name\na@example.com,\xff\n", "2 name: Input should be a valid string"),
        ("email\nnobody\n", "2 email: String should match pattern"),
    ],
)
def test_faults_of_csv_are_told(text: str | bytes, fault: str) -> None:
    """What is no user is told with its line, its column, and what is wrong."""
    assert only_fault(text).startswith(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "1 : Invalid JSON"),
        ("[]", "1 : Input should be an object"),
        ('{"name": "Ada"}', "1 email: is required"),
        ('{"email": "a@example.com", "role": "root"}', "1 role: is no field here"),
        ('{"email": "a@example.com"}\n\n{"email": 5}', "3 email: Input should be a valid string"),
        (b'{"email": "\xff@example.com"}', "1 : Invalid JSON"),
    ],
)
def test_faults_of_json_are_told(text: str | bytes, fault: str) -> None:
    """What is no user is told with its line, its field, and what is wrong."""
    assert only_fault(text, "jsonl").startswith(fault)


def test_fault_does_not_repeat_the_input() -> None:
    """What was put into the wrong column may be a secret: it is not told."""
    assert "secret" not in only_fault("email\nsecret\n") + only_fault('{"email": "secret"}', "jsonl")


@pytest.mark.parametrize("form", FORMS)
def test_row_without_end_takes_no_memory(form: Form) -> None:
    """A row of more than 64 KiB ends the reading, wherever its lines end; what came before is there."""
    good = beginning(form) + write_rows([user()], form)
    for endless in (b'"' + b"x" * (LONGEST_ROW + 1), b'"' + b"x\n" * LONGEST_ROW):
        file = io.BytesIO(good + (endless if form == "csv" else endless.replace(b"\n", b" ")) + b"\n" * 10)
        row, fault = read_rows(file, form)
        assert isinstance(row, Row)
        assert isinstance(fault, Faulty)
        assert fault.errors[0]["message"].startswith("a row takes more than 65536 bytes")
        assert file.tell() <= len(good) + LONGEST_ROW + 2


def test_header_names_all_columns() -> None:
    """A CSV file that is written begins with the names of its columns, one of JSON lines with nothing."""
    assert beginning("csv").decode() == ",".join(COLUMNS) + "\r\n"
    assert beginning("jsonl") == b""
