"""Which commands there are, that each explains itself, and how quickly."""

import subprocess
import sys

import pytest

from tests.cli.manage.gateway import manage

KINDS = ("organization", "project", "user", "token", "limit", "price", "admin-key", "account")
LOOKED_AT = ("request",)
"""What nobody makes or changes here."""
VERBS = ("create", "list", "show", "update", "delete")
MODULES = 160
"""Modules that help may load: each takes about half a millisecond, and help shall take less than 150."""
_QUICKLY = (
    "import atexit, sys; heavy = {'rich', 'pydantic', 'httpx2', 'asyncio', 'sqlalchemy', 'ssl'};"
    "begun = len(sys.modules);"
    "atexit.register(lambda: sys.stderr.write(f'{sorted(heavy & set(sys.modules))} {len(sys.modules) - begun}'));"
    "from sluicegate.cli.main import main; main(sys.argv[1:])"
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_for_every_kind(kind: str, verb: str) -> None:
    """Each has help of its own, with the options that all take."""
    done = manage(kind, verb, "--help")
    assert done.exit_code == 0
    assert "--manage-api-base-url" in done.stdout
    assert "--json" in done.stdout


@pytest.mark.parametrize("kind", LOOKED_AT)
@pytest.mark.parametrize("verb", ["list", "show"])
def test_what_is_looked_at(kind: str, verb: str) -> None:
    """It can be listed and shown."""
    done = manage(kind, verb, "--help")
    assert (done.exit_code, "--manage-api-base-url" in done.stdout) == (0, True)


@pytest.mark.parametrize("words", [(), *((kind,) for kind in KINDS)])
def test_groups_explain_themselves(words: tuple[str, ...]) -> None:
    """Help lists what there is below, without asking for a credential."""
    done = manage(*words, "--help", MANAGEMENT_TOKEN="")
    assert done.exit_code == 0
    assert all(one in done.stdout for one in (VERBS if words else KINDS))
    assert manage(*words).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["manage", "--help"], ["manage", "token", "--help"], ["manage", "token", "create", "--help"]],
)
def test_help_is_quick(arguments: list[str]) -> None:
    """Help loads no heavy library, and few modules at all: it is loading them that takes time."""
    done = subprocess.run([sys.executable, "-c", _QUICKLY, *arguments], capture_output=True, text=True, check=False)
    heavy, _, loaded = done.stderr.rpartition(" ")
    assert (done.returncode, heavy) == (0, "[]")
    assert int(loaded) <= MODULES
