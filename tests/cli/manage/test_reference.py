"""`docs/reference/management.md` tells of every command, every exit status and every route, and of no other."""

import re
from collections.abc import Iterator

from typer.testing import CliRunner

from sluicegate.cli.manage import app, failure
from tests.cli.manage.test_groups import KINDS, LOOKED_AT
from tests.documents import routes_table, with_table
from tests.rules.project import ROOT

REFERENCE = (ROOT / "docs" / "reference" / "management.md").read_text("utf-8")


def listed(text: str, heading: str) -> Iterator[str]:
    """The first words of a help text's lines below a heading."""
    for line in text.partition(f"{heading}:\n")[2].split("\n\n")[0].splitlines():
        if match := re.match(r"  ([a-z][\w-]*)", line):
            yield match[1]


def told(kind: str) -> set[str]:
    """The verbs that the reference tells of a kind."""
    found = re.search(rf"^sluicegate manage {kind} (.*(?:\n +.*)*)", REFERENCE, re.MULTILINE)
    assert found, kind
    return set(re.findall(r"(?<![\w-])[a-z][a-z-]+", found[1].replace("--role", "")))


def test_every_command() -> None:
    """The verbs of each kind are those that its help lists."""
    assert set(listed(CliRunner().invoke(app, ["--help"]).stdout, "Commands")) == {*KINDS, *LOOKED_AT}
    for kind in (*KINDS, *LOOKED_AT):
        assert told(kind) == set(listed(CliRunner().invoke(app, [kind, "--help"]).stdout, "Commands")), kind


def test_every_shared_option() -> None:
    """The options that all commands take are in the table."""
    shown = CliRunner().invoke(app, ["--help"]).stdout
    options = set(re.findall(r"(--[a-z][a-z-]+)", shown.partition("Options:\n")[2].partition("Commands:")[0]))
    assert options - {"--help"} == set(re.findall(r"^\| `(--[a-z-]+)", REFERENCE, re.MULTILINE))


def test_every_exit_status() -> None:
    """Each is explained."""
    rows = re.findall(r"^\| ([0-9]) \|", REFERENCE, re.MULTILINE)
    known = {value for name, value in vars(failure).items() if name.isupper() and isinstance(value, int)}
    assert rows == [str(one) for one in sorted({0, *known})]


def test_every_route() -> None:
    """Each stands in the table with its role; `python -m tests.documents` writes it."""
    assert with_table(REFERENCE, routes_table()) == REFERENCE
