"""`sluicegate manage price`: what is asked for each command."""

import json

import pytest

from tests.cli.manage.gateway import ScriptedApi

PRICE = {
    "price_id": "prc_1",
    "organization_id": "org_1",
    "provider": "openai",
    "model": "gpt-4.1",
    "input": 2.0,
    "output": 8.0,
    "cache_read": 0.5,
    "cache_write": None,
    "cache_write_1h": None,
    "input_audio": None,
    "output_audio": None,
    "request": 0.0,
    "tiers": [{"above": 200_000, "input": 4.0, "output": 16.0}],
    "services": [{"name": "flex", "input": 1.0, "output": 4.0}],
    "longest_output": 32_768,
    "context": None,
    "price_version": "v1",
}
SAID = {name: PRICE[name] for name in PRICE if name not in ("price_id", "organization_id", "provider", "model")}
del SAID["price_version"]
WHOSE = ("--organization", "org_1", "--provider", "openai", "--model", "gpt-4.1")


def test_create(api: ScriptedApi) -> None:
    """Every option becomes a field; amounts as they were written, whole numbers as such."""
    api.will_answer(PRICE, status=201, etag='"1"')
    rates = ("--input", "2", "--output", "8.00", "--cache-read", "0.5", "--cache-write", "2.5", "--cache-write-1h", "4")
    more = ("--input-audio", "40", "--output-audio", "80", "--request", "0.001", "--longest-output", "9")
    rest = ("--context", "99", "--tiers", '[{"above": 5, "input": 1, "output": 2}]', "--idempotency-key", "k")
    served = ("--services", '[{"name": "flex", "input": 1, "output": 2}]')
    done = api.manage("price", "create", *WHOSE, *rates, *more, *rest, *served, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == PRICE | {"version": "1"}
    assert (api.asked[0].line, api.asked[0].headers["idempotency-key"]) == ("POST /manage/prices", "k")
    assert api.asked[0].body == {
        "organization_id": "org_1",
        "provider": "openai",
        "model": "gpt-4.1",
        "input": 2,
        "output": "8.00",
        "cache_read": "0.5",
        "cache_write": "2.5",
        "cache_write_1h": 4,
        "input_audio": 40,
        "output_audio": 80,
        "request": "0.001",
        "longest_output": 9,
        "context": 99,
        "tiers": [{"above": 5, "input": 1, "output": 2}],
        "services": [{"name": "flex", "input": 1, "output": 2}],
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--input", "2"), "--output"),
        (("--output", "2"), "--input"),
        (("--input", "2", "--output", "2", "--tiers", "{}"), "--tiers must be a JSON array of objects"),
        (("--input", "2", "--output", "2", "--tiers", "[1]"), "--tiers must be a JSON array of objects"),
        (("--input", "2", "--output", "2", "--services", "[1]"), "--services must be a JSON array of objects"),
        (("--input", "2", "--output", "2", "--tiers", "["), "--tiers must be a JSON array of objects"),
    ],
)
def test_what_is_no_price(api: ScriptedApi, options: tuple[str, ...], said: str) -> None:
    """Nothing is asked."""
    done = api.manage("price", "create", *WHOSE, *options)
    assert (done.exit_code, said in done.stderr, api.asked) == (2, True, [])


def test_list_show_and_delete(api: ScriptedApi) -> None:
    """A list is asked for with its filter, a price by its id."""
    api.will_answer({"data": [PRICE], "next_cursor": None})
    api.will_answer(PRICE, etag='"3"')
    api.will_answer(status=204)
    assert api.manage("price", "list", "--organization", "org_1", "-q").stdout == "prc_1\n"
    assert "gpt-4.1" in api.manage("price", "show", "prc_1").stdout
    assert api.manage("price", "delete", "prc_1", "--if-match", "3").exit_code == 0
    lines = [one.line for one in api.asked]
    assert lines == ["GET /manage/prices", "GET /manage/prices/prc_1", "DELETE /manage/prices/prc_1"]
    assert (api.asked[0].query, api.asked[2].headers["if-match"]) == ({"organization_id": "org_1"}, '"3"')


def test_update_keeps_what_is_not_named(api: ScriptedApi) -> None:
    """The API takes whole prices: the rest is put as it stands, in the version that was read."""
    api.will_answer(PRICE, etag='"3"')
    api.will_answer(PRICE, etag='"4"')
    done = api.manage(
        "price", "update", "prc_1", "--input", "3.5", "--unset", "cache-read", "--unset", "tiers", "--json"
    )
    assert (done.exit_code, json.loads(done.stdout)["version"]) == (0, "4")
    assert [one.line for one in api.asked] == ["GET /manage/prices/prc_1", "PUT /manage/prices/prc_1"]
    assert api.asked[1].body == SAID | {"input": "3.5", "cache_read": None, "tiers": []}
    assert api.asked[1].headers["if-match"] == '"3"'


def test_update_of_a_version(api: ScriptedApi) -> None:
    """The one that is named, not the one that stands there by now."""
    api.will_answer(PRICE, etag='"3"')
    api.will_answer({"detail": "It was changed."}, status=412)
    assert api.manage("price", "update", "prc_1", "--context", "5", "--if-match", "2").exit_code == 6
    assert (api.asked[1].body["context"], api.asked[1].headers["if-match"]) == (5, '"2"')


@pytest.mark.parametrize("options", [(), ("--unset", "input"), ("--unset", "tiers", "--tiers", "[]")])
def test_an_update_that_makes_no_sense(api: ScriptedApi, options: tuple[str, ...]) -> None:
    """Nothing is asked."""
    assert (api.manage("price", "update", "prc_1", *options).exit_code, api.asked) == (2, [])
