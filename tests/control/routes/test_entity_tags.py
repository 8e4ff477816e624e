"""Versions as entity tags."""

import pytest
from fastapi import Request
from pydantic import BaseModel

from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.entity_tags import is_unchanged, matching, tag, tagged


class Thing(BaseModel):
    """Something that is shown."""

    name: str = "x"


def request(method: str = "GET", **headers: str) -> Request:
    """A request with these headers."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "headers": fields})


@pytest.mark.parametrize("value", [None, '"3"', "*", '"2", "3"', '"2",*'])
def test_expected_version_passes(value: str | None) -> None:
    """Without If-Match any version will do, with it one of those that it names."""
    matching(request(**({} if value is None else {"if_match": value})))(3)


@pytest.mark.parametrize("value", ['"2"', 'W/"3"', '"03"', "3", "", '"3'])
def test_other_version_is_refused(value: str) -> None:
    """Another version, a weak tag, and what is no entity tag at all, get 412: in doubt, nothing is overwritten."""
    with pytest.raises(ProblemError) as refused:
        matching(request(if_match=value))(3)
    assert refused.value.status == 412


@pytest.mark.parametrize(
    ("value", "expected"),
    [('"3"', True), ('W/"3"', True), ('"2", "3"', True), ("*", True), ('"2"', False), ("", False)],
)
def test_known_version_is_unchanged(value: str, expected: bool) -> None:
    """If-None-Match compares weakly (RFC 9110 section 13.1.2)."""
    assert is_unchanged(request(if_none_match=value), 3) is expected


def test_answer_has_its_tag() -> None:
    """An object is sent with its tag; a GET that has the version gets 304, unless something counts in it."""
    assert tag(3) == '"3"'
    answer = tagged(request(), Thing(), 3)
    assert (answer.status_code, answer.headers["etag"], answer.body) == (200, '"3"', b'{"name":"x"}')
    known = request(if_none_match='"3"')
    assert tagged(known, Thing(), 3).status_code == 304
    assert tagged(known, Thing(), 3, is_counting=True).status_code == 200
    created = tagged(request("POST", if_none_match='"3"'), Thing(), 3, status=201, location="/x/1")
    assert (created.status_code, created.headers["location"]) == (201, "/x/1")
