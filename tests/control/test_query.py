"""Which names a query may have."""

from typing import Annotated

import pytest
from fastapi import Depends, Query
from fastapi.dependencies.utils import get_dependant

from sluicegate.control.problems import ProblemError
from sluicegate.control.query import known_names, refuse_unknown
from tests.control.api import Api


def test_names_are_those_that_are_read() -> None:
    """By the endpoint and by what it depends on, as they are called outside."""

    async def page(limit: int = 1) -> int:
        return limit

    async def endpoint(
        project_id: str, page: Annotated[int, Depends(page)], form: Annotated[str, Query(alias="format")] = ""
    ) -> None:
        del project_id, page, form

    assert known_names(get_dependant(path="/{project_id}", call=endpoint)) == {"limit", "format"}


def test_unknown_names_are_refused() -> None:
    """All of them, each once, with what may have been meant, or what there is."""
    refuse_unknown([], [])
    refuse_unknown(["limit", "limit"], ["limit"])
    with pytest.raises(ProblemError) as raised:
        refuse_unknown(["x", "limits", "x", "limit"], ["limit", "after"])
    assert raised.value.status == 422
    assert raised.value.errors == [
        {"path": "query.limits", "message": "is no parameter here (did you mean limit?)"},
        {"path": "query.x", "message": "is no parameter here; these are: after, limit"},
    ]
    with pytest.raises(ProblemError) as raised:
        refuse_unknown(["x"], [])
    assert raised.value.errors == [{"path": "query.x", "message": "is no parameter here"}]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("/admin/requests?organization_id=org_default", 422),
        ("/admin/requests/export?project=prj_default&format=csv", 422),
        ("/admin/usage?organisation=org_default", 422),
        ("/admin/requests?org_id=org_default&limit=1", 200),
        ("/manage/tokens?projectid=prj_default", 422),
        ("/docs?anything=1", 200),
    ],
)
def test_a_filter_that_is_none_is_not_passed_over(line: str, status: int, api: Api) -> None:
    """An answer to it would be about everybody; what anybody may ask has none, and minds none."""
    assert api.ask("GET", line).status == status


def test_who_may_not_ask_is_told_so_first(api: Api) -> None:
    """What a path knows is for managers."""
    assert api.ask("GET", "/admin/requests?x=1", key="wrong").status == 401
