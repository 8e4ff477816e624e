"""Who may see which requests of the log."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import request_log
from sluicegate.control.tenants.actor import Actor
from sluicegate.store.usage.request_search import RequestFilter
from tests.control.actors import ADMIN, OWN, OWN_VIEWER, ROOT, VIEWER
from tests.control.api import Api
from tests.control.requested import TODAY, foreign, own, record

MINE, THEIRS = own(TODAY), foreign(TODAY + 1)
NOBODYS = own(TODAY + 2, organization_id="", token="")


@pytest.fixture(autouse=True)
def log_of_three(api: Api) -> None:
    """A request of each organisation, and one of nobody."""
    record(api, MINE, THEIRS, NOBODYS)


def found(api: Api, actor: Actor, **wanted: Any) -> list[str]:
    """The ids of all that this manager finds."""
    rows = api.run(request_log.search(api.database, actor, RequestFilter(**wanted), before=None, limit=50))
    return [row.request_id for row in rows]


@pytest.mark.parametrize("actor", [ROOT, ADMIN, VIEWER])
def test_managers_of_all_see_all(actor: Actor, api: Api) -> None:
    """Requests of every organisation and of nobody, or of the one that is asked for."""
    assert found(api, actor) == [NOBODYS.request_id, THEIRS.request_id, MINE.request_id]
    assert found(api, actor, organization_id="org_foreign") == [THEIRS.request_id]
    assert api.run(request_log.find(api.database, actor, NOBODYS.request_id)).request_id == NOBODYS.request_id


@pytest.mark.parametrize("actor", [OWN, OWN_VIEWER])
def test_bounded_managers_see_their_organization(actor: Actor, api: Api) -> None:
    """Nothing of others, nor of nobody: these do not exist for them."""
    assert found(api, actor) == found(api, actor, organization_id="org_own") == [MINE.request_id]
    assert found(api, actor, token_id="tok_foreign") == []
    assert api.run(request_log.find(api.database, actor, MINE.request_id)).token_id == "tok_own"
    for request_id in (THEIRS.request_id, NOBODYS.request_id, "req_none"):
        with pytest.raises(ProblemError) as caught:
            api.run(request_log.find(api.database, actor, request_id))
        assert (caught.value.status, caught.value.detail) == (404, f"There is no request {request_id!r}.")
    with pytest.raises(ProblemError) as caught:
        found(api, actor, organization_id="org_foreign")
    assert caught.value.status == 404


def test_pages_go_back_in_time(api: Api) -> None:
    """A page ends at its limit, the next one begins behind its last request."""
    page = api.run(request_log.search(api.database, ROOT, RequestFilter(), before=None, limit=2))
    rest = api.run(request_log.search(api.database, ROOT, RequestFilter(), before=page[-1].request_id, limit=2))
    assert [row.request_id for row in page + rest] == [NOBODYS.request_id, THEIRS.request_id, MINE.request_id]
