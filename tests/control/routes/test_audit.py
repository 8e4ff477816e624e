"""The audit log by way of the management API."""

import pytest

from tests.control.api import Api


def test_entry_says_who_what_and_from_where(api: Api) -> None:
    """An entry tells the manager, the client's address, the request and what was and is; entries are chained."""
    api.make("POST", "/admin/organizations", {"name": "one"})
    api.make("POST", "/admin/organizations", {"name": "two"})
    second, first = api.ask("GET", "/admin/audit").json["data"]
    assert second == {
        "sequence": first["sequence"] + 1,
        "at": "2026-11-21T12:00:00Z",
        "actor": "root",
        "actor_kind": "root",
        "address": "192.0.2.7",
        "action": "organization.create",
        "target_kind": "organization",
        "target_id": second["target_id"],
        "org_id": second["target_id"],
        "request_id": "req_test",
        "before": None,
        "after": second["after"],
        "previous_hash": first["hash"],
        "hash": second["hash"],
    }
    assert (second["after"]["name"], len(second["hash"])) == ("two", 64)


def test_filters_and_pages(api: Api) -> None:
    """All filters bound what is found, newest first; a page ends at its limit, the next goes on before it."""
    ids = [api.make("POST", "/admin/organizations", {"name": f"number {n}"})["org_id"] for n in range(3)]
    api.clock.seconds += 3600
    api.make("PATCH", f"/admin/organizations/{ids[0]}", {"name": "renamed"})

    def found(query: str) -> list[tuple[str, str]]:
        data = api.ask("GET", f"/admin/audit?{query}").json["data"]
        return [(entry["action"].split(".")[1], entry["target_id"]) for entry in data]

    everything = [("update", ids[0]), ("create", ids[2]), ("create", ids[1]), ("create", ids[0])]
    assert found("") == everything
    assert found("search=") == everything
    assert found("action=organization.create") == everything[1:]
    assert found(f"target_id={ids[0]}&target_kind=organization") == [everything[0], everything[3]]
    assert found("actor=somebody") == []
    assert found("actor=root&since=2026-11-21T12:30:00Z") == everything[:1]
    assert found("until=2026-11-21T13:30:00%2B01:00") == everything[1:]
    assert found("search=NUMBER%202") == everything[1:2]
    assert found(f"org_id={ids[1]}") == everything[2:3]
    page = api.ask("GET", "/admin/audit?limit=3").json
    assert [entry["target_id"] for entry in page["data"]] == [ids[0], ids[2], ids[1]]
    rest = api.ask("GET", f"/admin/audit?limit=3&after={page['next_cursor']}").json
    assert ([entry["target_id"] for entry in rest["data"]], rest["next_cursor"]) == ([ids[0]], None)


@pytest.mark.parametrize("query", ["since=yesterday", "until=2026-11-21", "limit=0", "limit=201", "after=x", "after=0"])
def test_what_is_no_question_is_refused(query: str, api: Api) -> None:
    """A time without its offset, a limit out of bounds and a cursor that was never given are refused."""
    assert api.ask("GET", f"/admin/audit?{query}").status == 422


def test_viewers_see_what_is_theirs(api: Api) -> None:
    """Whoever is bounded to one organisation sees what happened there, and finds nothing of another."""
    world = api.world()
    for user_id in ("usr_own", "usr_foreign"):
        api.make("PATCH", f"/admin/users/{user_id}", {"name": "renamed"})
    key = world.keys["viewer"]
    assert [entry["target_id"] for entry in api.ask("GET", "/admin/audit", key=key).json["data"]] == ["usr_own"]
    assert api.ask("GET", "/admin/audit?search=usr_foreign", key=key).json["data"] == []
    assert api.ask("GET", "/admin/audit?org_id=org_foreign", key=key).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "since=0001-01-01T00:00:00%2B23:00",
        "until=9999-12-31T23:59:59-23:00",
        "since=99999999999999999999",
        "until=1e30",
        "after=9223372036854775808",
        "after=0",
    ],
)
def test_what_no_clock_or_counter_can_say_is_refused(api: Api, query: str) -> None:
    """Times beyond the years that can be counted, and numbers beyond 64 bits, are 422; the furthest are not."""
    refused = api.ask("GET", f"/admin/audit?{query}")
    assert (refused.status, refused.json["errors"][0]["path"]) == (422, f"query.{query.partition('=')[0]}")
    furthest = "since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z&after=9223372036854775807"
    assert api.ask("GET", f"/admin/audit?{furthest}").status == 200
