"""The request log by way of the management API."""

import csv
import io
import json

import pytest

from sluicegate.domain.usage_rows import HOUR
from tests.control.api import ROOT, Api
from tests.control.requested import TODAY, foreign, own, record

EVENTS = (
    own(TODAY, tags=("batch",)),
    own(TODAY + 1, model="small", status_code=404, error="model_not_found"),
    own(TODAY + HOUR, provider="anthropic", status_code=502, error="upstream_error"),
    foreign(TODAY + HOUR + 1),
)


def found(api: Api, query: str = "", key: str = ROOT) -> list[int]:
    """Which of the events are found, by their place."""
    answer = api.ask("GET", f"/admin/requests?{query}", key=key)
    assert answer.status == 200, answer
    ids = [event.request_id for event in EVENTS]
    return [ids.index(one["request_id"]) for one in answer.json["data"]]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", [3, 2, 1, 0]),
        ("org_id=org_own", [2, 1, 0]),
        ("project_id=prj_foreign", [3]),
        ("user_id=usr_own&status=200", [0]),
        ("token_id=tok_foreign", [3]),
        ("provider=anthropic", [2]),
        ("model=small", [1]),
        ("status=4xx", [1]),
        ("status=502", [2]),
        ("status=503", []),
        ("error=model_not_found", [1]),
        ("tag=batch", [0]),
        ("since=2026-11-21T01:00:00Z", [3, 2]),
        ("until=2026-11-21T01:00:00Z", [1, 0]),
        (f"request_id={EVENTS[1].request_id}", [1]),
        ("request_id=req_&limit=2", [3, 2]),
    ],
)
def test_filters(query: str, places: list[int], api: Api) -> None:
    """All filters bound what is found, newest first."""
    record(api, *EVENTS)
    assert found(api, query) == places


def test_pages(api: Api) -> None:
    """A page ends at its limit and says where the next begins; the last says that it is."""
    record(api, *EVENTS)
    page = api.ask("GET", "/admin/requests?limit=3").json
    assert page["next_cursor"] == EVENTS[1].request_id
    assert found(api, f"limit=3&after={page['next_cursor']}") == [0]
    assert api.ask("GET", "/admin/requests?limit=4").json["next_cursor"] is None
    assert found(api, "after=req_none") == []


@pytest.mark.parametrize(
    "query",
    [
        "status=20",
        "status=6x",
        "status=0xx",
        "since=yesterday",
        "limit=201",
        "request_id=%25",
        "model=%00",
        "org_id=a/b",
    ],
)
def test_what_is_no_question_is_refused(query: str, api: Api) -> None:
    """A status, a time or an id that none can be."""
    assert api.ask("GET", f"/admin/requests?{query}").status == 422


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("status=bad", "must be a status such as 429, or a class of them such as 5xx"),
        ("since=yesterday", "must be a time such as 2030-12-31T23:59:59Z"),
    ],
)
def test_what_was_meant_is_told(query: str, message: str, api: Api) -> None:
    """In words, not in a pattern, and without what the library puts in front."""
    assert [one["message"] for one in api.ask("GET", f"/admin/requests?{query}").json["errors"]] == [message]


def test_one_request(api: Api) -> None:
    """It is found by its id, and by nobody whose it is not."""
    keys = api.world().keys
    record(api, *EVENTS)
    path = f"/admin/requests/{EVENTS[3].request_id}"
    assert api.ask("GET", path).json["token_id"] == "tok_foreign"
    assert api.ask("GET", path, key=keys["viewer"]).status == 404
    assert api.ask("GET", "/admin/requests/none").status == 404
    assert api.ask("GET", "/admin/requests/%00").status == 404


def test_viewers_see_what_is_theirs(api: Api) -> None:
    """Whoever is bounded to one organisation sees its requests alone, on pages and in exports."""
    keys = api.world().keys
    record(api, *EVENTS)
    assert found(api, key=keys["viewer"]) == found(api, key=keys["organization_admin"]) == [2, 1, 0]
    assert api.ask("GET", "/admin/requests?org_id=org_foreign", key=keys["viewer"]).status == 404
    assert api.ask("GET", "/admin/requests/export?org_id=org_foreign", key=keys["viewer"]).status == 404
    lines = api.ask("GET", "/admin/requests/export", key=keys["viewer"]).body.splitlines()
    assert {json.loads(line)["org_id"] for line in lines} == {"org_own"}
    assert api.ask("GET", "/admin/requests", key=None).status == 401


def test_exports(api: Api) -> None:
    """All that the filters fit, over as many pages as it takes, as JSON lines or CSV, to be saved as a file."""
    record(api, *(own(TODAY + number) for number in range(1001)), own(TODAY, model="small"))
    answer = api.ask("GET", "/admin/requests/export?model=gpt-4.1")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == 'attachment; filename="requests.jsonl"'
    ids = [json.loads(line)["request_id"] for line in answer.body.splitlines()]
    assert (len(ids), ids) == (1001, sorted(ids, reverse=True))
    answer = api.ask("GET", "/admin/requests/export?format=csv&model=small")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    [line] = csv.DictReader(io.StringIO(answer.body.decode()))
    assert (line["model"], line["org_id"]) == ("small", "org_own")
    assert api.ask("GET", "/admin/requests/export?format=xml").status == 422
    assert api.ask("GET", "/admin/requests/export?model=none").body == b""
