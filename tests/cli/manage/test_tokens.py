"""`sluicegate manage token`: what is asked for each command."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.manage.gateway import ScriptedApi

MASKED = {"token_id": "tok_1", "token": "sk-sg-…wxyz", "name": "", "status": "active"}
ISSUED = MASKED | {"token": "sk-sg-the-secret-itself"}


def test_create(api: ScriptedApi) -> None:
    """Every option becomes a field; durations become seconds."""
    api.will_answer(ISSUED, status=201, etag='"1"')
    done = api.manage(
        *("token", "create", "--project", "prj_1", "--user", "usr_1", "--name", "ci", "--tier", "gold"),
        *("--expires-in", "30d", "--expires-at", "2030-12-31T23:59:59Z", "--idle", "12h", "--max-requests", "9"),
        *("--model", "m", "--allow-model", "a", "--allow-model", "b", "--allow-path", "chat/completions"),
        *("--request-header", "x-a", "--tag", "t", "--metadata", '{"a": [1]}', "--json"),
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == ISSUED | {"version": "1"}
    assert api.asked[0].line == "POST /admin/tokens"
    assert api.asked[0].body == {
        "project_id": "prj_1",
        "user_id": "usr_1",
        "name": "ci",
        "tier": "gold",
        "expires_in": 30 * 86_400,
        "expires_at": "2030-12-31T23:59:59Z",
        "idle_seconds": 12 * 3_600,
        "max_requests": 9,
        "model": "m",
        "models": ["a", "b"],
        "paths": ["chat/completions"],
        "request_headers": ["x-a"],
        "tags": ["t"],
        "metadata": {"a": [1]},
    }


def test_people_are_told_that_the_secret_is_shown_once(api: ScriptedApi) -> None:
    """The secret is on standard output, the remark beside it."""
    api.will_answer(ISSUED, status=201)
    done = api.manage("token", "create")
    assert "sk-sg-the-secret-itself" in done.stdout
    assert "once" in done.stderr


def test_secret_goes_to_a_file(api: ScriptedApi, tmp_path: Path) -> None:
    """Then it is nowhere else, and only its owner can read it."""
    path = tmp_path / "token"
    api.will_answer(ISSUED, status=201)
    done = api.manage("token", "create", "--secret-file", str(path), "-q")
    assert (done.exit_code, done.stdout) == (0, "tok_1\n")
    assert path.read_text() == "sk-sg-the-secret-itself\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    api.will_answer(ISSUED, status=201)
    other = api.manage("token", "create", "--secret-file", str(path), "--json")
    assert (other.exit_code, len(api.asked)) == (2, 1)
    assert path.read_text() == "sk-sg-the-secret-itself\n"


def test_no_secret_leaves_no_file(api: ScriptedApi, tmp_path: Path) -> None:
    """Where nothing was issued, the file that should have held it is gone."""
    api.will_answer({"detail": "no"}, status=403)
    assert api.manage("token", "create", "--secret-file", str(tmp_path / "token")).exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_quiet_would_lose_the_secret(api: ScriptedApi) -> None:
    """Ids only, and nowhere for the secret to go: nothing is issued."""
    done = api.manage("token", "create", "--quiet")
    assert (done.exit_code, api.asked) == (2, [])
    assert "--secret-file" in done.stderr


def test_list_and_show(api: ScriptedApi) -> None:
    """A list is asked for with its filters, an object by its id."""
    api.will_answer({"data": [MASKED], "next_cursor": None})
    api.will_answer(MASKED, etag='"1"')
    filters = ("--project", "p", "--user", "u", "--organization", "o", "--status", "revoked", "--search", "s")
    assert "sk-sg-…wxyz" in api.manage("token", "list", *filters).stdout
    assert api.manage("token", "show", "tok_1").exit_code == 0
    assert [one.line for one in api.asked] == ["GET /admin/tokens", "GET /admin/tokens/tok_1"]
    assert api.asked[0].query == {
        "project_id": "p",
        "user_id": "u",
        "organization_id": "o",
        "status": "revoked",
        "search": "s",
    }


def test_update(api: ScriptedApi) -> None:
    """Only what is named changes; every bound can be taken away."""
    api.will_answer(MASKED)
    options = ("--max-requests", "5", "--unset", "expires-at", "--unset", "models", "--unset", "request-headers")
    assert api.manage("token", "update", "tok_1", *options).exit_code == 0
    assert api.asked[0].line == "PATCH /admin/tokens/tok_1"
    assert api.asked[0].body == {"max_requests": 5, "expires_at": None, "models": [], "request_headers": []}


def test_suspend_and_resume(api: ScriptedApi) -> None:
    """Both are done by name, for a version if one is named."""
    for verb in ("suspend", "resume"):
        api.will_answer(MASKED)
        assert api.manage("token", verb, "tok_1", "--if-match", "2").exit_code == 0
        assert (api.asked[-1].line, api.asked[-1].body) == (f"POST /admin/tokens/tok_1/{verb}", None)
        assert api.asked[-1].headers["if-match"] == '"2"'


def test_rotate(api: ScriptedApi) -> None:
    """The successor is shown; the old one works on for the overlap, none by default."""
    for option, seconds in (((), 0), (("--overlap", "1h"), 3600)):
        api.will_answer(ISSUED, status=201)
        assert "sk-sg-the-secret" in api.manage("token", "rotate", "tok_1", *option).stdout
        assert api.asked[-1].line == "POST /admin/tokens/tok_1/rotate"
        assert api.asked[-1].body == {"overlap_seconds": seconds}


def test_revoke_one(api: ScriptedApi) -> None:
    """By its id, whichever of both words is used."""
    for verb in ("revoke", "delete"):
        api.will_answer(status=204)
        done = api.manage("token", verb, "tok_1", "--if-match", "2", "--json")
        assert json.loads(done.stdout) == {"token_id": "tok_1", "revoked": True}
        assert (api.asked[-1].line, api.asked[-1].headers["if-match"]) == ("DELETE /admin/tokens/tok_1", '"2"')


def test_revoke_by_the_token_itself(api: ScriptedApi) -> None:
    """Who finds a token somewhere need not know its id; it is read like any secret."""
    api.will_answer(status=204)
    done = api.manage("token", "revoke", "--token", "-", given="sk-sg-leaked\n")
    assert done.exit_code == 0, done.output
    assert (api.asked[0].line, api.asked[0].body) == ("DELETE /manage/tokens", {"token": "sk-sg-leaked"})


@pytest.mark.parametrize("owner", ["project", "user", "organization"])
def test_revoke_all_of_an_owner(api: ScriptedApi, owner: str) -> None:
    """All tokens of one owner at once."""
    api.will_answer({"revoked": 12})
    assert "12" in api.manage("token", "revoke", f"--{owner}", "x_1").stdout
    assert (api.asked[0].line, api.asked[0].body) == ("POST /admin/tokens/revoke", {f"{owner}_id": "x_1"})


@pytest.mark.parametrize(
    "arguments",
    [(), ("tok_1", "--project", "p"), ("--user", "u", "--project", "p"), ("--user", "u", "--if-match", "1")],
)
def test_revoke_which(api: ScriptedApi, arguments: tuple[str, ...]) -> None:
    """What is not exactly one thing revokes nothing."""
    assert (api.manage("token", "revoke", *arguments).exit_code, api.asked) == (2, [])
