"""`sluicegate route explain`: what is asked, and how the answer is shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sluicegate.cli.route import app
from tests.cli.manage.gateway import CREDENTIAL, ScriptedApi

TIMEOUTS = {"connect": 10.0, "first_byte": 600.0, "between_bytes": 300.0, "total": 3600.0}


def candidate(deployment: str, **fields: Any) -> dict[str, Any]:
    """One that gets everything, at no known price."""
    return {
        "deployment": deployment,
        "provider": deployment.partition("/")[0],
        "model": "large",
        "weight": 1.0,
        "share": 100.0,
        "state": "closed",
        "reopens_in": 0.0,
        "rests_for": 0.0,
        "excluded": None,
        "price": None,
        "timeouts": TIMEOUTS,
    } | fields


TOLD: dict[str, Any] = {
    "model": "smart",
    "path": "/v1/chat/completions",
    "operation": "chat",
    "caller": None,
    "allowed": True,
    "refusal": None,
    "answered_by": "smart",
    "overridden_by": None,
    "rule": "alias",
    "alias": "smart",
    "strategy": "weighted",
    "sticky": {"by": "header", "header": "x-session"},
    "regions": ["eu"],
    "tags": [],
    "groups": [
        {
            "rank": 0,
            "candidates": [
                candidate("near/eu", price={"version": "v", "input": 2.5, "output": 10.0}),
                candidate("near/us", share=None, state="open", excluded="its region is us"),
            ],
        },
        {"rank": 1, "candidates": [candidate("far")]},
    ],
    "retries": {"attempts": 3, "deadline": 60.0, "statuses": [429, 503]},
    "hedge": 0.5,
}


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A scripted gateway."""
    api = ScriptedApi()
    yield api
    api.close()


def route(api: ScriptedApi, *arguments: str, given: str | None = None) -> Result:
    """Run the command against it."""
    environment = {"MANAGEMENT_TOKEN": CREDENTIAL, "MANAGE_API_BASE_URL": api.url}
    return CliRunner().invoke(app, ["explain", *arguments], input=given, env=environment)


def test_it_is_shown_for_people(api: ScriptedApi) -> None:
    """Verdict, rule, candidates in their order, and what is done when they fail."""
    api.will_answer(TOLD)
    done = route(api, "smart")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "smart on /v1/chat/completions: allowed",
        "found as    alias smart",
        "chosen by   weighted, sticky by header x-session",
        "regions     eu",
        "targets",
        "  100.00%  near/eu  large  closed  $2.5 in, $10 out for a million; first byte 600 s, in all 3600 s",
        "     -     near/us  large  open  no known price; first byte 600 s, in all 3600 s; left out: its region is us",
        "fallback 1",
        "  100.00%  far  large  closed  no known price; first byte 600 s, in all 3600 s",
        "attempts    3 within 60 s, on 429, 503",
        "hedged      after 0.5 s",
    ]
    assert (api.asked[0].line, api.asked[0].query) == ("GET /admin/route", {"model": "smart"})


def test_a_refusal_is_shown(api: ScriptedApi) -> None:
    """Why, for whom, and by whose setting another model is looked for; the exit status is that of an answer."""
    caller = {"kind": "token", "id": "tok_1", "name": "nightly"}
    nothing: dict[str, Any] = {"groups": [], "rule": None, "alias": None, "regions": [], "hedge": None}
    override = {"caller": caller, "overridden_by": "project", "answered_by": "other"}
    api.will_answer(TOLD | nothing | override | {"allowed": False, "refusal": "it is so"})
    done = route(api, "smart", "--token-id", "tok_1")
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            "smart on /v1/chat/completions: refused: it is so",
            "asked by    token tok_1 nightly",
            "answered by other, the model of the project",
        ],
    )


def test_every_option_is_asked_for(api: ScriptedApi) -> None:
    """Several regions and tags go in one field each."""
    plain = {"sticky": {"by": "", "header": ""}, "rule": "default", "alias": None, "hedge": None}
    for option in ("token", "user"):
        api.will_answer(TOLD | plain)
        options = (f"--{option}-id", "id_1", "--path", "/v1/messages", "--region", "eu", "--region", "us", "--tag", "a")
        done = route(api, "m", *options)
        assert "found as    model of a default provider\nchosen by   weighted\n" in done.stdout
        assert api.asked[-1].query == {
            "model": "m",
            f"{option}_id": "id_1",
            "path": "/v1/messages",
            "region": "eu,us",
            "tags": "a",
        }


def test_a_token_travels_in_a_body_and_never_stands_on_the_command_line(api: ScriptedApi, tmp_path: Path) -> None:
    """It comes from a file or standard input; as it is, it is refused."""
    (tmp_path / "token").write_text("sk-sg-1\n")
    for value, given in ((f"file:{tmp_path}/token", None), ("-", "sk-sg-1\n")):
        api.will_answer(TOLD)
        assert route(api, "m", "--token", value, "--tag", "a", given=given).exit_code == 0
        assert (api.asked[-1].line, api.asked[-1].query) == ("POST /admin/route/explain", {})
        assert api.asked[-1].body == {"token": "sk-sg-1", "model": "m", "tags": ["a"]}
    count = len(api.asked)
    assert route(api, "m", "--token", "sk-sg-1").exit_code == 2
    assert route(api, "m", "--token", "-", "--token-id", "tok_1").exit_code == 2
    assert len(api.asked) == count


def test_for_scripts(api: ScriptedApi) -> None:
    """JSON is the whole answer, `--quiet` the deployments that would be asked, in their order."""
    api.will_answer(TOLD)
    api.will_answer(TOLD)
    assert json.loads(route(api, "smart", "--json").stdout) == TOLD
    assert route(api, "smart", "-q").stdout == "near/eu\nfar\n"


def test_something_else_answers(api: ScriptedApi) -> None:
    """What is no explanation is not taken for one."""
    api.will_answer({"data": []})
    done = route(api, "smart")
    assert (done.exit_code, "is this the gateway?" in done.stderr) == (1, True)


def test_retries_of_nothing(api: ScriptedApi) -> None:
    """Where no answer is worth another attempt, that is said."""
    api.will_answer(TOLD | {"retries": TOLD["retries"] | {"statuses": []}})
    assert "within 60 s, on no status" in route(api, "smart").stdout
