"""Prices of one organisation by way of the management API."""

import pytest
from msgspec.structs import replace

from sluicegate.config.schema import PriceSettings
from sluicegate.control.prices.declared import DeclaredPrices
from sluicegate.control.prices.directory import StoredOverrides
from sluicegate.domain.pricing import cost
from sluicegate.domain.usage import Usage
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
RATED = frozenset(PriceSettings.model_fields)


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
        "cache_write_1h": None,
        "input_audio": None,
        "output_audio": None,
        "request": 1e-09,
        "tiers": [],
        "services": [],
        "longest_output": None,
        "context": None,
        "price_version": f"{price_id}/1",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
    }
    assert api.ask("GET", f"{PATH}/{price_id}").json == answer.json
    assert api.ask("POST", PATH, body=NEW).status == 409


def test_a_price_can_say_all_that_the_configuration_can(api: Api) -> None:
    """Tiers of input and of service, rates of sound and of the cache, the model's bounds: kept, billed, shown."""
    api.world()
    rates = {
        "input": 2,
        "output": 8,
        "cache_read": 0.5,
        "cache_write": 2.5,
        "cache_write_1h": "4",
        "input_audio": 40,
        "output_audio": 80,
        "request": 0.01,
    }
    given = {
        **NEW,
        **rates,
        "tiers": [{"above": 400_000, "input": 9, "output": 9}, {"above": 200_000, **rates, "input": 4}],
        "services": [{"name": "flex", **rates, "output": 4}],
        "longest_output": 16_384,
        "context": 1_000_000,
    }
    assert set(given) - set(NEW) | set(rates) >= set(PriceSettings.model_fields) - {"model"}
    made = api.make("POST", PATH, given)
    shown = {**rates, "cache_write_1h": 4}
    assert {name: made[name] for name in shown} == shown
    assert [tier["above"] for tier in made["tiers"]] == [200_000, 400_000]
    assert made["tiers"][0] == {**shown, "input": 4, "above": 200_000}
    assert (made["tiers"][1]["request"], made["tiers"][1]["cache_read"]) == (0, None)
    assert made["services"] == [{**shown, "output": 4, "name": "flex"}]
    assert (made["longest_output"], made["context"]) == (16_384, 1_000_000)

    found = api.run(StoredOverrides(api.database).of_model("org_own", "openai", "gpt-5"))
    settings = PriceSettings.model_validate({"model": "gpt-5", **{k: v for k, v in given.items() if k in RATED}})
    declared = DeclaredPrices([settings]).price("openai", "gpt-5")
    assert found is not None
    assert declared is not None
    assert found == replace(declared, version=f"{made['price_id']}/1")
    assert cost(found, Usage(300_000, 1_000)) == 300_000 * 4_000 + 1_000 * 8_000 + 10_000_000

    answer = api.ask("PUT", f"{PATH}/{made['price_id']}", body={"input": 1, "output": 1})
    assert (answer.json["tiers"], answer.json["longest_output"], answer.json["context"]) == ([], None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tiers", [{"above": 0, "input": 1, "output": 1}]),
        ("tiers", [{"above": 1, "input": 1}]),
        ("tiers", [{"above": 1, "input": 1, "output": 1, "tiers": []}]),
        ("tiers", [{"above": 1, "input": 1, "output": 1}] * 33),
        ("services", [{"name": "Flex tier", "input": 1, "output": 1}]),
        ("services", [{"input": 1, "output": 1}]),
        ("longest_output", 0),
        ("context", 2**53),
        ("cache_write_1h", -1),
    ],
)
def test_what_no_price_can_say_is_refused(field: str, value: object, api: Api) -> None:
    """With the field."""
    api.world()
    answer = api.ask("POST", PATH, body={**NEW, field: value})
    assert answer.status == 422
    assert answer.json["errors"][0]["path"].startswith(f"body.{field}")


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
