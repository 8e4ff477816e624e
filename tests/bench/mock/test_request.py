"""A request as the mock has received it."""

from sluicegate.bench.mock.request import Request, path_of


def test_path_and_query_are_decoded() -> None:
    """Escapes are resolved, and an empty parameter is one."""
    request = Request("GET", b"/a%20b/c?key=x%2Fy&alt", [])
    assert request.path == path_of(b"/a%20b/c") == "/a b/c"
    assert request.query == {"key": ["x/y"], "alt": [""]}


def test_headers_are_found_in_any_case() -> None:
    """The first of a name counts; a family is what begins alike."""
    request = Request("GET", b"/", [(b"X-Mock-Rate", b"1"), (b"X-A", b"1"), (b"x-a", b"2"), (b"x-mock-TOKENS", b"3")])
    assert request.header(b"x-a") == b"1"
    assert request.header(b"x-b") is None
    assert request.family(b"x-mock-") == {"rate": "1", "tokens": "3"}
