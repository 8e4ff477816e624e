"""Lists, a page at a time."""

from fastapi import Request
from msgspec import Struct
from pydantic import BaseModel

from sluicegate.control.routes.paging import Page, bare_page, cursor_page
from tests.control.api import Api


class Record(Struct, frozen=True):
    """Something with an id."""

    id: str


class Shown(BaseModel):
    """Its form."""

    name: str


RECORDS = [Record("a"), Record("b"), Record("c")]


def show(record: Record) -> Shown:
    """Show it."""
    return Shown(name=record.id)


def test_last_page_has_no_cursor() -> None:
    """The cursor is the last id that is shown, as long as there is more."""
    assert Page(2, None).wanted == 3
    first = cursor_page(RECORDS, Page(2, None), show)
    assert ([one.name for one in first.data], first.next_cursor) == (["a", "b"], "b")
    last = cursor_page(RECORDS[2:], Page(2, "b"), show)
    assert ([one.name for one in last.data], last.next_cursor) == (["c"], None)
    assert cursor_page([], Page(2, None), show).next_cursor is None


def test_bare_page_tells_the_cursor_in_its_headers() -> None:
    """The link keeps the query, escapes it, and names no host."""
    request = Request({"type": "http", "query_string": b"search=a%26b&after=x&limit=2", "headers": []})
    answer = bare_page(request, RECORDS, Page(2, "x"), show)
    assert answer.body == b'[{"name":"a"},{"name":"b"}]'
    assert answer.headers["x-next-cursor"] == "b"
    assert answer.headers["link"] == '<?search=a%26b&limit=2&after=b>; rel="next"'
    assert "link" not in bare_page(request, RECORDS, Page(3, None), show).headers


def test_limit_is_bounded(api: Api) -> None:
    """A page has 1 to 200 entries, and a cursor is one that was given."""
    for query in ("limit=0", "limit=201", "limit=x", "after=a%20b"):
        assert api.ask("GET", f"/admin/tokens?{query}").status == 422
    assert api.ask("GET", "/admin/tokens?limit=200").status == 200
