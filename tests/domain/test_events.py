"""The record of an exchange, its form in JSON and its reference page."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from sluicegate.domain.events import Exchange, Line, Metadata, Notice, NoticeName, Pending
from sluicegate.domain.usage import Usage, UsageSource

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"

FULL = Exchange(
    request_id="req_1",
    timestamp="2025-11-21T05:07:00.123Z",
    token="tok_1",
    project_id="prj_1",
    organization_id="org_1",
    endpoint="/v1/chat/completions",
    method="POST",
    status_code=200,
    duration_ms=812.5,
    metadata=Metadata("gpt-4.1", 9, 12, 21, 1_763_701_620),
    user_id="usr_1",
    usage=Usage(9, 12, reasoning_tokens=3),
    usage_source="reported",
    tags=("a", "b"),
)


def test_line_has_a_stable_form() -> None:
    """What others read: the kind first, what is known always, what is at its default never."""
    small = Exchange("req_1", "now", "", "p", "o", "/x", "GET", 401, 0.5, Metadata(), error="missing_api_key")
    assert msgspec.json.encode(small) == (
        b'{"kind":"exchange","request_id":"req_1","timestamp":"now","token":"","project_id":"p","organization_id":"o",'
        b'"endpoint":"/x","method":"GET","status_code":401,"duration_ms":0.5,"metadata":{},"error":"missing_api_key"}'
    )


@pytest.mark.parametrize("line", [FULL, Pending("req_1", FULL)])
def test_line_is_read_back(line: Line) -> None:
    """Both kinds of line decode to what was encoded, told apart by their kind."""
    assert msgspec.json.decode(msgspec.json.encode(line), type=Line) == line


def test_line_of_a_newer_version_is_understood() -> None:
    """Fields not known yet are overlooked, so that a rollback can read what an update wrote."""
    data = msgspec.json.encode(FULL)[:-1] + b',"added_later":{"a":1}}'
    assert msgspec.json.decode(data, type=Line) == FULL


def test_record_is_frozen() -> None:
    """What happened does not change afterwards."""
    for field in FULL.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(FULL, field, None)


def documented(heading: str) -> dict[str, tuple[str, str]]:
    """Return the table below a heading of the reference page: field to type and meaning."""
    section = re.split(r"^## ", REFERENCE.read_text(), flags=re.MULTILINE)
    [text] = [each for each in section if each.startswith(heading + "\n")]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", text, flags=re.MULTILINE)
    return {name: (kind.strip(), meaning.strip()) for name, kind, meaning in rows}


def json_type(annotation: msgspec.inspect.Type) -> str:
    """Name a type as the reference page does."""
    match annotation:
        case msgspec.inspect.StrType() | msgspec.inspect.LiteralType():
            return "string"
        case msgspec.inspect.IntType():
            return "integer"
        case msgspec.inspect.FloatType():
            return "number"
        case msgspec.inspect.BoolType():
            return "boolean"
        case msgspec.inspect.StructType() | msgspec.inspect.DictType():
            return "object"
        case msgspec.inspect.VarTupleType(item_type=msgspec.inspect.StructType()):
            return "array of arrays"
        case msgspec.inspect.VarTupleType():
            return "array of strings"
        case msgspec.inspect.UnionType(types=types):
            [only] = [each for each in types if not isinstance(each, msgspec.inspect.NoneType)]
            return json_type(only)
    raise AssertionError(f"the reference page has no word for {annotation}")


@pytest.mark.parametrize(
    ("heading", "record"),
    [
        ("The exchange", Exchange),
        ("`metadata`", Metadata),
        ("`usage`", Usage),
        ("The pending line", Pending),
        ("Notices", Notice),
    ],
)
def test_reference_page_is_complete(heading: str, record: type[msgspec.Struct]) -> None:
    """Every field is on the page, in the record's order, with its type, its default and a meaning; nothing else is."""
    described = msgspec.inspect.type_info(record)
    assert isinstance(described, msgspec.inspect.StructType)
    expected: dict[str, str] = {} if described.tag is None else {"kind": "string, always"}
    for field in described.fields:
        is_left_out = not field.required and record is not Pending
        expected[field.name] = json_type(field.type) + ("" if is_left_out else ", always")
    found = documented(heading)
    assert {name: kind for name, (kind, _) in found.items()} == expected
    assert list(found) == list(expected)
    assert all(len(meaning) > 10 for _, meaning in found.values())


def test_reference_page_names_every_source_of_usage() -> None:
    """Whoever bills by these figures must know how far to trust them."""
    _, meaning = documented("The exchange")["usage_source"]
    assert all(f"`{source}`" in meaning for source in get_args(UsageSource))


def test_example_of_the_reference_page_is_an_event() -> None:
    """The lines shown are such as this version could have written."""
    examples = re.findall(r"```json\n(.*?)```", REFERENCE.read_text(), flags=re.DOTALL)
    lines = [example for example in examples if '"kind":' in example]
    assert [msgspec.json.decode(line)["kind"] for line in lines] == ["exchange", "notice"]
    for line in lines:
        event: object = msgspec.json.decode(line, type=Line)
        assert msgspec.json.decode(msgspec.json.encode(event)) == msgspec.json.decode(line)


def test_reference_page_tells_every_kind_of_notice() -> None:
    """Whoever filters by `event` finds all its values."""
    page = REFERENCE.read_text()
    assert [name for name in get_args(NoticeName) if f"`{name}`" not in page] == []


def test_notice_is_known_by_its_id() -> None:
    """Readers ask every line for one and the same."""
    assert Notice("ntc_1", "now", "circuit.opened", "openai").request_id == "ntc_1"
