"""Documents name only what exists: files, commands; and nothing names the machine it was written on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluicegate.cli.main import COMMANDS
from tests.documents import with_table
from tests.rules.project import PACKAGE, ROOT, files, refuse

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
LONGEST_ARCHITECTURE = 150

_PATH = re.compile(r"`([\w.*-]+/[\w./*-]*|[\w-]+\.(?:py|md|toml|txt|ya?ml))(?::[^`]*)?`|\]\(([\w./-]+)\)")
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LISTING = frozenset({"", "text"})
_ENTRY = re.compile(r"( *)([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|toml|txt|ya?ml)))(?= |$)")
_SHELL = frozenset({"sh", "bash", "shell", "console"})
_CALL = re.compile(r"(?:^|[|&;] *)(?:\$ )?(?:[A-Z_]+=\S+ )*(make|sluicegate) +([a-z][\w-]*)")
_INLINE = re.compile(r"`(make|sluicegate) +([a-z][\w-]*)[^`]*`")
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)

# In brackets, so that these patterns do not find themselves.
_FOREIGN = re.compile(
    r"/(root|home/\w+|Users/\w+)/|\bpypi[.]org|pythonhosted[.]org|registry[.]npmjs"
    r"|(--|extra-)index[-]url|\"resolved\": *\"http"
)


def named_paths(text: str) -> Iterator[tuple[int, str]]:
    """Line and path of each file or folder that a document names in backquotes, as a link or in a listing."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in _PATH.finditer(line):
            yield number, found.group(1) or found.group(2)
    for block in _FENCE.finditer(text):
        if block.group(1) in _LISTING:
            start = text.count("\n", 0, block.start(2)) + 1
            for offset, path in _listed_paths(block.group(2)):
                yield start + offset, path


def _listed_paths(block: str) -> Iterator[tuple[int, str]]:
    """Line, counted from 0, and path of each entry of a listing, in which a folder's content is indented below it."""
    folders: list[tuple[int, str]] = []
    for number, line in enumerate(block.splitlines()):
        if entry := _ENTRY.match(line):
            indent = len(entry.group(1))
            folders = [(column, folder) for column, folder in folders if column < indent]
            path = (folders[-1][1] if folders else "") + entry.group(2)
            yield number, path
            if path.endswith("/"):
                folders.append((indent, path))


def exists(path: str) -> bool:
    """Whether a path, which may hold `*`, is found from the root or from the package."""
    return any(any(folder.glob(path.rstrip("/"))) for folder in (ROOT, ROOT / PACKAGE))


def called_commands(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, program and first word of each `make` and `sluicegate` in a document's backquotes and blocks of shell."""
    for number, line in enumerate(text.splitlines(), 1):
        for call in _INLINE.finditer(line):
            yield number, call.group(1), call.group(2)
    for block in _FENCE.finditer(text):
        if block.group(1) in _SHELL:
            start = text.count("\n", 0, block.start(2)) + 1
            for offset, line in enumerate(block.group(2).splitlines()):
                for call in _CALL.finditer(line):
                    yield start + offset, call.group(1), call.group(2)


def foreign_words(text: str, own_paths: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    """Line and text of each address of a package registry and each path of one machine."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _FOREIGN.search(line):
            yield number, found.group()
        for path in own_paths:
            if path in line:
                yield number, path


def _documents() -> list[Path]:
    # The changelog also tells of what once was.
    return [path for path in files() if path.suffix == ".md" and path.name != "CHANGELOG.md"]


def test_architecture_is_one_page() -> None:
    """ARCHITECTURE.md has at most 150 lines."""
    lines = len(ARCHITECTURE.read_text("utf-8").splitlines())
    refuse(
        [f"{ARCHITECTURE.name}: {lines} lines"] if lines > LONGEST_ARCHITECTURE else [],
        f"keep the map within {LONGEST_ARCHITECTURE} lines, move details into docs/",
    )


def test_architecture_names_what_exists() -> None:
    """Every path that ARCHITECTURE.md names exists."""
    findings = [
        f"{ARCHITECTURE.name}:{line}: {path}"
        for line, path in named_paths(ARCHITECTURE.read_text("utf-8"))
        if not exists(path)
    ]
    refuse(findings, "name what is there now, from the root or from the package")


def test_documents_call_commands_that_exist() -> None:
    """Every `make` target and every `sluicegate` command shown in a document exists."""
    known = {
        "make": set(_TARGET.findall((ROOT / "Makefile").read_text("utf-8"))),
        "sluicegate": {command.name for command in COMMANDS},
    }
    findings = [
        f"{path.relative_to(ROOT)}:{line}: {tool} {word}"
        for path in _documents()
        for line, tool, word in called_commands(path.read_text("utf-8"))
        if word not in known[tool]
    ]
    refuse(findings, "see `make help` and `sluicegate --help`")


def test_nothing_names_this_machine() -> None:
    """No file names a package registry's address or a path of the machine it was made on."""
    own = tuple(f"{folder}/" for folder in (ROOT, ROOT.parent) if len(folder.parts) > 2)
    findings = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in files()
        if b"\0" not in path.read_bytes()[:1024]
        for line, word in foreign_words(path.read_text("utf-8"), own)
    ]
    refuse(findings, "it would not be there on the next machine")


def test_missing_path_is_found() -> None:
    """Paths in backquotes and links are looked up, with or without a name after a colon; routes are no paths."""
    text = (
        "`cli/main.py: COMMANDS`, `cli/`, `tests/**/test_*.py`, [licence](LICENSE),\nno `/v1/models`, no `no/such.py`"
    )
    assert list(named_paths(text)) == [
        (1, "cli/main.py"),
        (1, "cli/"),
        (1, "tests/**/test_*.py"),
        (1, "LICENSE"),
        (2, "no/such.py"),
    ]
    assert [path for _, path in named_paths(text) if not exists(path)] == ["no/such.py"]


def test_listed_path_is_found() -> None:
    """In a listing, the path of an entry begins with the folder under which it is indented."""
    listing = "src/a/\n  cli/     one file per command\n    main.py\n  wire/    bytes\nREADME.md\n   words here\n"
    assert list(named_paths(f"Layout:\n```\n{listing}```\n")) == [
        (3, "src/a/"),
        (4, "src/a/cli/"),
        (5, "src/a/cli/main.py"),
        (6, "src/a/wire/"),
        (7, "README.md"),
    ]


def test_derived_table_is_replaced() -> None:
    """The table that begins with the same line gives way, and nothing else; a page without one is an error."""
    page = "One\n\n| a |\n|---|\n| x |\n\n| b |\n|---|\n| old |\n| too old |\n\nTwo\n"
    told = with_table(page, "| b |\n|---|\n| new |")
    assert told == "One\n\n| a |\n|---|\n| x |\n\n| b |\n|---|\n| new |\n\nTwo\n"
    with pytest.raises(ValueError, match="not in list"):
        with_table(page, "| c |")


def test_called_command_is_found() -> None:
    """Commands in backquotes and blocks of shell are found, with a prompt, variables or a pipe before them."""
    shell = "```sh\n$ make run\nPORT=1 sluicegate serve | sluicegate nope --help\n```\n"
    text = f"See `make test`.\n{shell}```yaml\nmake no\n```\n"
    assert list(called_commands(text)) == [
        (1, "make", "test"),
        (3, "make", "run"),
        (4, "sluicegate", "serve"),
        (4, "sluicegate", "nope"),
    ]


def test_foreign_word_is_found() -> None:
    """Addresses of registries and paths of machines are found."""
    folder = "".join(("/ro", "ot/"))
    host = "files.python" + "hosted.org"
    assert list(foreign_words(f"ok\nsee {folder}x\n{host}")) == [(2, folder), (3, "python" + "hosted.org")]
    assert list(foreign_words("cd /srv/build/me/x", ("/srv/build/me/",))) == [(1, "/srv/build/me/")]
