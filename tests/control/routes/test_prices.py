"""Prices of one organisation by way of the management API."""

import pytest

from tests.control.actors import actions
from tests.control.api import Api

NEW = {
    "organization_id": "org_own",
    "provider": "openai",
    "model": "gpt-5",
    "input": "1.25",
    "output": 10,
    "cache_read": 0.125,
    "request": "0.000000001",
}
PATH = "/manage/prices"


def test_a_price_has_all_its_fields(api: Api) -> None:
    """Dollars for a million tokens; what is not set is null, and records will name it by its version."""
    api.world()
    answer = api.ask("POST", PATH, body=NEW)
    price_id = answer.json["price_id"]
    assert (answer.status, answer.headers["location"], answer.headers["etag"]) == (201, f"{PATH}/{price_id}", '"1"')
    assert answer.json == {
        **NEW,
        "price_id": price_id,
        "input": 1.25,
        "output": 10.0,
        "cache_write": None,
        "input_audio": None,
        "output_audio": None,
        "request": 1e-09,
        "price_version": f"{price_id}/1",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
    }
    assert api.ask("GET", f"{PATH}/{price_id}").json == answer.json
    assert api.ask("POST", PATH, body=NEW).status == 409


def test_another_price_is_another_version(api: Api) -> None:
    """It is whole: what it does not name is not set; every node forgets what it knows of prices."""
    api.world()
    answer = api.ask("PUT", f"{PATH}/prc_own", body={"input": 3, "output": 4}, headers={"if-match": '"1"'})
    assert (answer.status, answer.headers["etag"]) == (200, '"2"')
    assert (answer.json["input"], answer.json["cache_read"]) == (3.0, None)
    assert answer.json["price_version"] == "prc_own/2"
    assert api.announced == [None]
    assert api.ask("DELETE", f"{PATH}/prc_own", headers={"if-match": '"1"'}).status == 412
    assert api.ask("DELETE", f"{PATH}/prc_own").status == 204
    assert api.announced == [None, None]
    assert api.ask("GET", f"{PATH}/prc_own").status == 404
    assert actions(api) == ["price.update", "price.delete"]


def test_lists_are_bounded(api: Api) -> None:
    """A bounded manager sees their own organisation's."""
    world = api.world()
    assert [one["price_id"] for one in api.ask("GET", PATH).json["data"]] == ["prc_foreign", "prc_own"]
    narrowed = api.ask("GET", f"{PATH}?organization_id=org_foreign").json["data"]
    assert [one["price_id"] for one in narrowed] == ["prc_foreign"]
    own = api.ask("GET", PATH, key=world.keys["viewer"]).json["data"]
    assert [one["price_id"] for one in own] == ["prc_own"]


@pytest.mark.parametrize("role", ["viewer", "organization_admin"])
def test_who_pays_sets_no_prices(role: str, api: Api) -> None:
    """Else a budget would be as large as anybody likes."""
    key = api.world().keys[role]
    assert api.ask("POST", PATH, key=key, body=NEW).status == 403
    assert api.ask("PUT", f"{PATH}/prc_own", key=key, body={"input": 0, "output": 0}).status == 403


def test_an_organization_must_exist(api: Api) -> None:
    """A price of nobody is none."""
    assert api.ask("POST", PATH, body=NEW).status == 404
