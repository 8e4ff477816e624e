"""What is done alike to objects of every kind."""

import errno
import io
import json
import resource
from pathlib import Path

import pytest
from typer import Abort

from sluicegate.cli.manage.operations import confirm
from tests.cli.manage.gateway import ScriptedApi


class Terminal(io.StringIO):
    """A standard input at which somebody sits."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_list_of_one_page(api: ScriptedApi) -> None:
    """One page, from where it shall begin; how to go on is told."""
    api.will_answer({"data": [{"user_id": "usr_5"}], "next_cursor": "usr_5"})
    done = api.manage("user", "list", "--after", "usr_4", "--limit", "1")
    assert api.asked[0].query == {"after": "usr_4", "limit": "1"}
    assert "--after usr_5" in done.stderr
    assert len(api.asked) == 1


def test_list_of_all_pages(api: ScriptedApi) -> None:
    """Every page, in the largest there are, as one list."""
    api.will_answer({"data": [{"user_id": "usr_1"}], "next_cursor": "usr_1"})
    api.will_answer({"data": [{"user_id": "usr_2"}], "next_cursor": None})
    done = api.manage("user", "list", "--all", "--json")
    assert json.loads(done.stdout) == {"data": [{"user_id": "usr_1"}, {"user_id": "usr_2"}], "next_cursor": None}
    assert [one.query for one in api.asked] == [{"limit": "200"}, {"limit": "200", "after": "usr_1"}]


def test_nothing_to_change(api: ScriptedApi) -> None:
    """An update that names nothing asks nothing."""
    assert (api.manage("user", "update", "usr_1").exit_code, api.asked) == (2, [])


def test_creation_happens_once(api: ScriptedApi) -> None:
    """Each has a key, its own or the one given, by which it can be repeated."""
    for option in ((), (), ("--idempotency-key", "mine")):
        api.will_answer({"user_id": "usr_1"}, status=201)
        assert api.manage("user", "create", "a@b.example", *option).exit_code == 0
    first, second, third = [one.headers["idempotency-key"] for one in api.asked]
    assert len({first, second, third}) == 3
    assert third == "mine"


def test_answer_of_another_form(api: ScriptedApi) -> None:
    """A list where an object should be is told."""
    api.will_answer([])
    done = api.manage("user", "show", "usr_1")
    assert (done.exit_code, "no object" in done.stderr) == (1, True)


@pytest.mark.parametrize(("typed", "is_meant"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_person_is_asked(monkeypatch: pytest.MonkeyPatch, typed: str, is_meant: bool) -> None:
    """At a terminal, only a clear yes counts."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    try:
        confirm("Really?", is_sure=False)
        assert is_meant
    except Abort:
        assert not is_meant


def test_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not who is sure, and not a script."""
    monkeypatch.setattr("sys.stdin", Terminal())
    confirm("Really?", is_sure=True)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    confirm("Really?", is_sure=False)


@pytest.mark.parametrize("is_to_file", [False, True])
def test_secret_that_cannot_be_written(
    api: ScriptedApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_to_file: bool
) -> None:
    """How to get it after all is told, and no half of it is left."""
    api.will_answer({"token_id": "tok_1", "token": "sk-sg-secret"}, status=201)
    options = ("--secret-file", str(tmp_path / "secret")) if is_to_file else ()
    monkeypatch.setattr("rich.console.Console.print", _no_space)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, before[1]))
        done = api.manage("token", "create", *options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.exit_code == 1
    assert f"--idempotency-key {api.asked[0].headers['idempotency-key']}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
