"""The options that every command takes, and what goes wrong with them."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.manage.gateway import CREDENTIAL, ScriptedApi, manage

EMPTY: dict[str, Any] = {"data": [], "next_cursor": None}


def test_credential_of_the_environment(api: ScriptedApi) -> None:
    """Nothing need stand on the command line; the variable may name a file."""
    api.will_answer(EMPTY)
    assert api.manage("token", "list").exit_code == 0
    assert api.asked[0].headers["authorization"] == f"Bearer {CREDENTIAL}"


def test_credential_from_a_file_or_standard_input(api: ScriptedApi, tmp_path: Path) -> None:
    """Both keep it off the command line, and come before the variable."""
    (tmp_path / "token").write_text("of-the-file\n")
    for value, given in ((f"file:{tmp_path}/token", None), ("-", "of-the-input\n")):
        api.will_answer(EMPTY)
        assert api.manage("token", "list", "--management-token", value, given=given).exit_code == 0
    assert [one.headers["authorization"] for one in api.asked] == ["Bearer of-the-file", "Bearer of-the-input"]


def test_no_credential(api: ScriptedApi) -> None:
    """Nothing is asked, and how to give one is told."""
    done = api.manage("token", "list", MANAGEMENT_TOKEN="")
    assert (done.exit_code, api.asked) == (2, [])
    assert "MANAGEMENT_TOKEN" in done.stderr


@pytest.mark.parametrize("place", [0, 1, 2])
def test_options_may_stand_anywhere(api: ScriptedApi, place: int) -> None:
    """In front of the group, of the command, or behind it."""
    api.will_answer(EMPTY)
    words = ["token", "list"]
    words[place:place] = ["--manage-api-base-url", api.url, "--management-token", "other", "--json"]
    done = manage(*words, MANAGE_API_BASE_URL="http://127.0.0.1:1")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("{")
    assert api.asked[0].headers["authorization"] == "Bearer other"


def test_later_place_counts(api: ScriptedApi) -> None:
    """Of two values, the one nearer to the command's end."""
    api.will_answer(EMPTY)
    assert api.manage("--management-token", "first", "token", "--management-token", "second", "list").exit_code == 0
    assert api.asked[0].headers["authorization"] == "Bearer second"


def test_one_form(api: ScriptedApi) -> None:
    """JSON that holds only ids is neither."""
    assert (api.manage("token", "list", "--json", "--quiet").exit_code, api.asked) == (2, [])


@pytest.mark.parametrize(
    ("status", "exit_status"), [(401, 4), (403, 4), (404, 3), (409, 6), (412, 6), (422, 2), (503, 5), (500, 1)]
)
def test_exit_status(api: ScriptedApi, status: int, exit_status: int) -> None:
    """What the gateway says ends on standard error, and in the exit status."""
    api.will_answer({"detail": "So it is.", "errors": [{"path": "body.name", "message": "odd"}]}, status=status)
    done = api.manage("token", "show", "tok_1", "--json")
    assert (done.exit_code, done.stdout) == (exit_status, "")
    assert done.stderr.startswith("error: So it is.\n  body.name: odd\n")


def test_nobody_there() -> None:
    """An address without a gateway is exit status 5, one that is none is 2."""
    assert manage("token", "list", "--manage-api-base-url", "http://127.0.0.1:1").exit_code == 5
    assert manage("token", "list", "--manage-api-base-url", "gateway").exit_code == 2
    assert manage("token", "list", "--ca-file", "/nowhere").exit_code == 2


def test_patience(api: ScriptedApi) -> None:
    """`--timeout` is a number of seconds above zero."""
    api.will_answer(EMPTY)
    assert api.manage("token", "list", "--timeout", "5").exit_code == 0
    assert api.manage("token", "list", "--timeout", "0").exit_code == 2


def test_credential_is_not_repeated(api: ScriptedApi) -> None:
    """What cannot be one is refused without showing it."""
    done = api.manage("token", "list", "--management-token", "spoilt ü")
    assert done.exit_code == 2
    assert "spoilt" not in done.output


def test_own_gateway_of_the_data_directory(api: ScriptedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address it is asked, whatever its port; where somebody else wrote the record, it is not."""
    (tmp_path / "data" / "run").mkdir(parents=True)
    (tmp_path / "data" / "run" / "address").write_text(f"{api.url}\n")
    api.will_answer(EMPTY)
    assert manage("token", "list", SLUICEGATE_DATA_DIR=str(tmp_path / "data")).exit_code == 0
    monkeypatch.chdir(tmp_path)
    api.will_answer(EMPTY)
    assert manage("token", "list").exit_code == 0
    somebody = os.geteuid() + 1
    monkeypatch.setattr("os.geteuid", lambda: somebody)
    manage("token", "list", "--timeout", "0.1")
    assert len(api.asked) == 2


def test_argument_that_is_no_text(api: ScriptedApi) -> None:
    """Bytes that are not those of the terminal's encoding are told, and sent to nobody."""
    done = api.manage("token", "list", "--search", "\udcff")
    assert (done.exit_code, api.asked) == (2, [])
    assert "no text" in done.stderr
