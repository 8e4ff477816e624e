"""A project's keys for providers: how they get in, and that they never come out."""

from pathlib import Path

from tests.cli.manage.gateway import ScriptedApi

SHOWN = {"credential_id": "crd_1", "project_id": "prj_1", "provider": "openai", "last_four": "cdef"}


def test_key_from_standard_input(api: ScriptedApi) -> None:
    """Without a terminal the key is read from standard input, less the line break at its end."""
    for option in ((), ("--api-key", "-")):
        api.will_answer(SHOWN)
        done = api.manage("project", "set-key", "prj_1", "openai", *option, given="sk-0123456789abcdef\n")
        assert done.exit_code == 0, done.output
        assert "sk-0123" not in done.output
        assert api.asked[-1].line == "PUT /admin/projects/prj_1/provider-credentials/openai"
        assert api.asked[-1].body == {"api_key": "sk-0123456789abcdef"}


def test_key_from_a_file(api: ScriptedApi, tmp_path: Path) -> None:
    """`file:` names a file that holds the key."""
    path = tmp_path / "key"
    path.write_text("sk-from-file\r\n")
    api.will_answer(SHOWN)
    assert api.manage("project", "set-key", "prj_1", "openai", "--api-key", f"file:{path}").exit_code == 0
    assert api.asked[0].body == {"api_key": "sk-from-file"}


def test_key_on_the_command_line_is_refused(api: ScriptedApi) -> None:
    """A key as it is would stand in the list of processes: nothing is sent, and it is not repeated."""
    done = api.manage("project", "set-key", "prj_1", "openai", "--api-key", "sk-open-to-all")
    assert (done.exit_code, api.asked) == (2, [])
    assert "sk-open" not in done.output


def test_standard_input_is_read_once(api: ScriptedApi) -> None:
    """Two secrets cannot both come from there."""
    done = api.manage(*("project", "set-key", "p", "openai", "--api-key", "-"), "--management-token", "-", given="a\n")
    assert done.exit_code == 2
    assert "one secret only" in done.stderr


def test_list_and_delete(api: ScriptedApi) -> None:
    """What is listed and deleted goes by the provider's name."""
    api.will_answer({"data": [SHOWN], "next_cursor": None})
    api.will_answer(status=204)
    assert api.manage("project", "keys", "prj_1", "-q").stdout == "openai\n"
    assert api.manage("project", "delete-key", "prj_1", "openai", "--if-match", "2").exit_code == 0
    assert api.asked[0].line == "GET /admin/projects/prj_1/provider-credentials"
    assert api.asked[1].line == "DELETE /admin/projects/prj_1/provider-credentials/openai"
    assert api.asked[1].headers["if-match"] == '"2"'
