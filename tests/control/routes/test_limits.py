"""Limits by way of the management API."""

from typing import Any

import pytest

from sluicegate.domain.tokens import digest
from tests.control.actors import actions, entries
from tests.control.api import Api

NEW = {"scope": "user", "scope_id": "usr_own", "metric": "usd", "window": "month", "maximum": "12.50"}
PATH = "/manage/limits"


def test_a_limit_has_all_its_fields(api: Api) -> None:
    """It is answered with where it is and its version, and dollars are dollars."""
    api.world()
    answer = api.ask("POST", PATH, body=NEW)
    limit_id = answer.json["limit_id"]
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (201, f"{PATH}/{limit_id}", '"1"')
    assert limit_id.startswith("lim_")
    assert answer.json == {
        **NEW,
        "limit_id": limit_id,
        "organization_id": "org_own",
        "maximum": 12.5,
        "enforcement": "hard",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
    }
    assert api.ask("GET", f"{PATH}/{limit_id}").json == answer.json
    assert api.ask("GET", f"{PATH}/{limit_id}", headers={"if-none-match": '"1"'}).status == 304


@pytest.mark.parametrize(
    ("scope", "scope_id"),
    [("organization", "org_own"), ("project", "prj_own"), ("user", "usr_own"), ("token", "tok_own")],
)
def test_workers_are_told_of_every_change(scope: str, scope_id: str, api: Api) -> None:
    """Set, changed and deleted: each time the tokens that it bounds are looked up anew, and the audit log tells."""
    told = [digest(api.world().own["secret"].encode())]
    body = {"scope": scope, "scope_id": scope_id, "metric": "requests", "window": "90s", "maximum": 5}
    made = api.make("POST", PATH, body)
    assert api.announced == [told]
    path = f"{PATH}/{made['limit_id']}"
    changed = api.make("PATCH", path, {"maximum": 7, "enforcement": "shadow"}, headers={"if-match": '"1"'})
    assert (changed["maximum"], changed["enforcement"], changed["window"]) == (7, "shadow", "90s")
    assert api.announced == [told] * 2
    assert api.ask("DELETE", path, headers={"if-match": '"1"'}).status == 412
    assert api.ask("DELETE", path).status == 204
    assert api.announced == [told] * 3
    assert api.ask("GET", path).status == 404
    assert actions(api) == ["limit.create", "limit.update", "limit.delete"]
    assert entries(api)[1].before == entries(api)[0].after


def test_a_limit_is_there_once(api: Api) -> None:
    """A second one on the same metric and window is a conflict, whatever its maximum."""
    api.world()
    api.make("POST", PATH, NEW)
    answer = api.ask("POST", PATH, body={**NEW, "maximum": 1})
    assert (answer.status, "this window already" in answer.json["detail"]) == (409, True)


def test_a_request_sent_twice_happens_once(api: Api) -> None:
    """The idempotency key of the one answers the other."""
    api.world()
    first, second = (api.ask("POST", PATH, body=NEW, headers={"idempotency-key": "k"}) for _ in range(2))
    assert (first.status, first.body) == (second.status, second.body)
    assert len(api.ask("GET", f"{PATH}?scope=user").json["data"]) == 1


def test_a_month_is_the_organizations(api: Api) -> None:
    """Of its time zone, unless another one is named."""
    api.world()
    api.make("PATCH", "/admin/organizations/org_own", {"time_zone": "Europe/Berlin"})
    assert api.make("POST", PATH, NEW)["window"] == "month@Europe/Berlin"
    assert api.make("POST", PATH, {**NEW, "window": "day@UTC"})["window"] == "day"
    assert api.make("POST", PATH, {**NEW, "window": "120m"})["window"] == "2h"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"window": "5 hours"}, "window"),
        ({"window": "367d"}, "window"),
        ({"window": "month@Europe/Atlantis"}, "window"),
        ({"window": "day@../../etc/passwd"}, "window"),
        ({"metric": "concurrency"}, "window"),
        ({"metric": "joules"}, "metric"),
        ({"maximum": -1}, "maximum"),
        ({"maximum": "0.0000000001"}, "maximum"),
        ({"maximum": True}, "maximum"),
        ({"metric": "tokens", "maximum": 1.5}, "maximum"),
        ({"metric": "tokens", "maximum": "5"}, "maximum"),
        ({"metric": "tokens", "maximum": 2**53}, "maximum"),
        ({"enforcement": "firm"}, "enforcement"),
        ({"scope": "planet"}, "scope"),
        ({"version": 3}, "version"),
    ],
)
def test_what_is_no_limit_is_refused(fields: dict[str, Any], path: str, api: Api) -> None:
    """Each fault is told with its field."""
    api.world()
    answer = api.ask("POST", PATH, body={**NEW, "maximum": 1, **fields})
    assert (answer.status, [error["path"] for error in answer.json["errors"]]) == (422, [f"body.{path}"])


def test_a_changed_maximum_has_the_form_of_its_metric(api: Api) -> None:
    """Dollars of usd, whole numbers of the rest; a whole number may be written as 5.0."""
    api.world()
    assert api.ask("PATCH", f"{PATH}/lim_own", body={"maximum": "1.5"}).status == 422
    assert api.make("PATCH", f"{PATH}/lim_own", {"maximum": 5.0})["maximum"] == 5
    limit_id = api.make("POST", PATH, NEW)["limit_id"]
    assert api.make("PATCH", f"{PATH}/{limit_id}", {"maximum": "1.5"})["maximum"] == 1.5


def test_lists_are_narrowed_and_bounded(api: Api) -> None:
    """By organisation, scope, whose it is and metric; a bounded manager sees their own, page by page."""
    world = api.world()
    own = api.make("POST", PATH, NEW)["limit_id"]
    for query, expected in (
        ("", {"lim_foreign", "lim_own", own}),
        ("?organization_id=org_own", {"lim_own", own}),
        ("?scope=user", {own}),
        ("?scope_id=prj_own", {"lim_own"}),
        ("?metric=usd", {own}),
    ):
        listed = api.ask("GET", PATH + query).json
        assert ({one["limit_id"] for one in listed["data"]}, listed["next_cursor"]) == (expected, None)
    viewer = world.keys["viewer"]
    page = api.ask("GET", f"{PATH}?limit=1", key=viewer).json
    rest = api.ask("GET", f"{PATH}?limit=1&after={page['next_cursor']}", key=viewer).json
    assert {one["limit_id"] for one in page["data"] + rest["data"]} == {"lim_own", own}
    assert api.ask("GET", f"{PATH}?organization_id=org_foreign", key=viewer).status == 404


def test_what_bounds_an_organization_is_not_its_own_to_set(api: Api) -> None:
    """Its admin neither sets, nor changes, resets or deletes it; what bounds its projects they do."""
    key = api.world().keys["organization_admin"]
    body = {"scope": "organization", "scope_id": "org_own", "metric": "tokens", "window": "1d", "maximum": 9}
    assert api.ask("POST", PATH, key=key, body=body).status == 403
    path = f"{PATH}/{api.make('POST', PATH, body)['limit_id']}"
    assert api.ask("PATCH", path, key=key, body={"maximum": 10}).status == 403
    assert api.ask("POST", f"{path}/reset", key=key).status == 403
    assert api.ask("DELETE", path, key=key).status == 403
    assert api.ask("GET", f"{path}/usage", key=key).status == 200
    assert api.ask("PATCH", f"{PATH}/lim_own", key=key, body={"maximum": 10}).status == 200
    assert api.ledger.resets == []


def test_use_is_shown_and_reset(api: Api) -> None:
    """What is used, what is left, since when and until when; a reset is in the audit log."""
    api.world()
    limit_id = api.make("POST", PATH, NEW)["limit_id"]
    api.ledger.used["usr_own|usd|month"] = 20_000_000_000
    shown = {
        "scope": "user",
        "scope_id": "usr_own",
        "metric": "usd",
        "window": "month",
        "maximum": 12.5,
        "enforcement": "hard",
        "used": 20.0,
        "reserved": 0.0,
        "remaining": 0.0,
        "began_at": "1970-01-01T00:00:01Z",
        "resets_at": "1970-01-01T00:00:02Z",
    }
    assert api.ask("GET", f"{PATH}/{limit_id}/usage").json == shown
    unused = {**shown, "used": 0.0, "remaining": 12.5, "began_at": None, "resets_at": None}
    assert api.ask("POST", f"{PATH}/{limit_id}/reset").json == unused
    entry = entries(api)[-1]
    assert entry.action == "limit.reset"
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["used"], entry.after["used"]) == (20.0, 0)
    assert api.ledger.resets == ["usr_own|usd|month"]


def test_without_the_ledger_nothing_is_reset(api: Api) -> None:
    """The answer is 503, and the audit log does not say that it happened."""
    api.world()
    api.ledger.is_away = True
    answer = api.ask("POST", f"{PATH}/lim_own/reset")
    assert (answer.status, answer.headers["retry-after"], actions(api)) == (503, "1", [])


def test_a_successor_has_the_limits_of_the_token_it_replaces(api: Api) -> None:
    """Rotation carries them on, and what was used of them: both are counted on one account."""
    api.world()
    body = {"scope": "token", "scope_id": "tok_own", "metric": "tokens", "window": "5h", "maximum": 9}
    old = api.make("POST", PATH, body)
    new = api.make("POST", "/admin/tokens/tok_own/rotate", {"overlap_seconds": 60})["token_id"]
    (inherited,) = api.ask("GET", f"{PATH}?scope_id={new}").json["data"]
    assert inherited["limit_id"] != old["limit_id"]
    assert (inherited["window"], inherited["maximum"]) == ("5h", 9)
    api.ledger.used["tok_own|tokens|5h"] = 4
    assert api.ask("GET", f"{PATH}/{inherited['limit_id']}/usage").json["used"] == 4
    again = api.make("POST", f"/admin/tokens/{new}/rotate", {})["token_id"]
    (third,) = api.ask("GET", f"{PATH}?scope_id={again}").json["data"]
    assert api.ask("GET", f"{PATH}/{third['limit_id']}/usage").json["scope_id"] == "tok_own"
