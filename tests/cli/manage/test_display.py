"""Tables for people, JSON for scripts, or nothing but ids."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sluicegate.cli.manage.display import Display, Form
from sluicegate.cli.manage.kinds import TOKEN, USED

LONG = "tok_" + "0" * 200
ROW: dict[str, Any] = {
    "token_id": LONG,
    "token": "sk-…",
    "name": "[red]name[/red] \x1b[1m",
    "status": "active",
    "max_requests": None,
}


def pages(*cursors: str | None) -> Iterator[dict[str, Any]]:
    """A page of one row for each cursor."""
    for cursor in cursors:
        yield {"data": [ROW], "next_cursor": cursor}


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A head, a line for each row, ids whole, names as they are, nothing that steers the terminal."""
    Display(Form.TABLE).many(TOKEN, pages(None))
    shown = capsys.readouterr()
    head, line = shown.out.splitlines()
    assert head.split()[:3] == ["TOKEN_ID", "TOKEN", "NAME"]
    assert line.startswith(LONG + " ")
    assert "[red]name[/red] \ufffd[1m" in line
    assert shown.err == ""


def test_table_tells_that_there_is_more(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the table, with what to ask for next."""
    Display(Form.TABLE).many(TOKEN, pages("tok_9"))
    assert "--after tok_9" in capsys.readouterr().err


def test_json_of_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    """One object, whatever the number of pages, with the cursor of the last."""
    Display(Form.JSON).many(TOKEN, pages("a", "b"))
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"data": [ROW, ROW], "next_cursor": "b"}
    assert shown.err == ""


def test_ids_of_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    """One on a line, nothing else."""
    Display(Form.IDS).many(TOKEN, pages("a", None))
    assert capsys.readouterr() == (f"{LONG}\n{LONG}\n", "")


def test_one(capsys: pytest.CaptureFixture[str]) -> None:
    """An object is shown field by field, as JSON, or by its id."""
    shown = {"token_id": "tok_1", "tags": ["a", "b"], "is_active": True, "metadata": {"a": 1}, "paths": [], "n": 0}
    Display(Form.TABLE).one(TOKEN, shown | {"none": None, "no": False})
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {name: value.strip() for name, value in rows.items()} == {
        "token_id": "tok_1",
        "tags": "a, b",
        "is_active": "yes",
        "metadata": '{"a": 1}',
        "paths": "-",
        "n": "0",
        "none": "-",
        "no": "no",
    }
    Display(Form.JSON).one(TOKEN, shown)
    assert json.loads(capsys.readouterr().out) == shown
    Display(Form.IDS).one(TOKEN, shown)
    assert capsys.readouterr().out == "tok_1\n"


def test_what_has_no_id(capsys: pytest.CaptureFixture[str]) -> None:
    """A count is shown but where only ids are wanted."""
    Display(Form.TABLE).fields({"revoked": 2})
    assert capsys.readouterr().out.split() == ["revoked", "2"]
    Display(Form.JSON).fields({"revoked": 2})
    assert json.loads(capsys.readouterr().out) == {"revoked": 2}
    Display(Form.IDS).fields({"revoked": 2})
    assert capsys.readouterr().out == ""


def test_done(capsys: pytest.CaptureFixture[str]) -> None:
    """What leaves nothing to show is told in the same three forms."""
    Display(Form.TABLE).done(TOKEN, "tok_1", "revoked")
    Display(Form.JSON).done(TOKEN, "tok_1", "revoked")
    Display(Form.IDS).done(TOKEN, "tok_1", "revoked")
    told, _, rest = capsys.readouterr().out.partition("\n")
    assert told == "token tok_1: revoked"
    shown, _, identifier = rest.rstrip("\n").rpartition("\n")
    assert (json.loads(shown), identifier) == ({"token_id": "tok_1", "revoked": True}, "tok_1")


def test_remarks_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts get none."""
    for form in Form:
        Display(form).remark("by the way")
    assert capsys.readouterr() == ("", "by the way\n")
    assert repr(Display(Form.JSON)) == "<Display json>"


GROUPS: dict[str, Any] = {
    "data": [{"key": "gpt\x1b", "requests": 2, "failed": 1}, {"key": "", "requests": 1, "failed": 0}],
    "has_more": False,
    "total": {"requests": 3, "failed": 1},
}


def test_groups(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each group and one for the total; JSON as it came; or their keys alone."""
    Display(Form.TABLE).groups(USED, [GROUPS])
    lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert lines == [["KEY", "REQUESTS", "FAILED"], ["gpt\ufffd", "2", "1"], ["-", "1", "0"], ["total", "3", "1"]]
    Display(Form.JSON).groups(USED, [GROUPS])
    assert json.loads(capsys.readouterr().out) == GROUPS
    Display(Form.IDS).groups(USED, [GROUPS])
    assert capsys.readouterr().out == "gpt\ufffd\n\n"


def test_more_groups(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said beside the table, and how to go on."""
    Display(Form.TABLE).groups(USED, [GROUPS | {"has_more": True, "next_cursor": "1000"}])
    assert "There are more: --after 1000" in capsys.readouterr().err


def test_amounts_have_no_exponents(capsys: pytest.CaptureFixture[str]) -> None:
    """A fraction of a cent is written out."""
    Display(Form.TABLE).fields({"cost_usd": 1.8e-07, "maximum": 12.5, "budget": 100000000000000000.0})
    cells = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert cells == ["0.00000018", "12.5", "100000000000000000"]


def test_json_for_other_encodings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not everything can be written, it is JSON all the same."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "latin-1"))
    Display(Form.JSON).fields({"name": "\N{SNOWMAN}\U0001f600"})
    assert json.loads(written.getvalue()) == {"name": "\N{SNOWMAN}\U0001f600"}
