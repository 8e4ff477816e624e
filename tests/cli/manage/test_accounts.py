"""`sluicegate manage account`: what is asked for each command, and where passwords come from."""

from pathlib import Path

import pytest

from sluicegate.cli.manage.credential import password
from tests.cli.manage.gateway import ScriptedApi
from tests.cli.manage.test_operations import Terminal

SHOWN = {"account_id": "acc_1", "login": "ann", "role": "viewer", "org_id": None, "status": "active"}


def test_create(api: ScriptedApi, tmp_path: Path) -> None:
    """The password comes from standard input or a file, in whatever letters, and is not shown."""
    (tmp_path / "password").write_text("correct-horse-bättery\n")
    for source in ("-", f"file:{tmp_path}/password"):
        api.will_answer(SHOWN, status=201)
        options = ("--role", "organization-admin", "--organization", "org_1", "--password", source)
        done = api.manage("account", "create", "ann", *options, given="correct-horse-bättery\n")
        assert done.exit_code == 0, done.output
        assert "horse" not in done.output
        assert api.asked[-1].line == "POST /admin/accounts"
        assert api.asked[-1].body == {
            "login": "ann",
            "role": "organization_admin",
            "org_id": "org_1",
            "password": "correct-horse-bättery",
        }


def test_password_on_the_command_line_is_refused(api: ScriptedApi) -> None:
    """Nothing is sent, and it is not repeated; nor can it come from where the credential comes from."""
    for source in ("open-to-everybody", "-"):
        options = ("--password", source, "--management-token", "-")
        done = api.manage("account", "set-password", "acc_1", *options, given="root\n")
        assert (done.exit_code, api.asked) == (2, [])
        assert "open-to" not in done.output


def test_password_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for twice: nobody sees what they type."""
    asked: list[dict[str, object]] = []

    def prompt(_: str, **options: object) -> str:
        asked.append(options)
        return "correct-horse-battery"

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("typer.prompt", prompt)
    assert password(None) == "correct-horse-battery"
    assert asked == [{"hide_input": True, "confirmation_prompt": True, "err": True}]


def test_list_and_show(api: ScriptedApi) -> None:
    """A list is asked for with its filter, an object by its id."""
    api.will_answer({"data": [SHOWN], "next_cursor": None})
    api.will_answer(SHOWN)
    assert api.manage("account", "list", "--search", "a", "-q").stdout == "acc_1\n"
    assert api.manage("account", "show", "acc_1").exit_code == 0
    assert [one.line for one in api.asked] == ["GET /admin/accounts", "GET /admin/accounts/acc_1"]
    assert api.asked[0].query == {"search": "a"}


def test_changes(api: ScriptedApi) -> None:
    """Each sends what it is for, and nothing else."""
    api.will_answer(SHOWN)
    assert api.manage("account", "update", "acc_1", "--status", "suspended", "--if-match", "2").exit_code == 0
    api.will_answer(SHOWN)
    assert api.manage("account", "set-password", "acc_1", given="another-long-one\n").exit_code == 0
    api.will_answer(status=204)
    assert api.manage("account", "delete", "acc_1").stdout == "account acc_1: deleted\n"
    assert [(one.line, one.body) for one in api.asked] == [
        ("PATCH /admin/accounts/acc_1", {"status": "suspended"}),
        ("PATCH /admin/accounts/acc_1", {"password": "another-long-one"}),
        ("DELETE /admin/accounts/acc_1", None),
    ]
    assert api.asked[0].headers["if-match"] == '"2"'
