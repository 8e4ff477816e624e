"""The repository as the rules see it: its files, its Python sources parsed, and how a rule states what it found."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "src/sluicegate"


@dataclass(frozen=True)
class Source:
    """One Python file: `path` relative to the root, with forward slashes."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The file parsed."""
        return _parsed(self.text)

    @property
    def comments(self) -> dict[int, str]:
        """Text of each comment by line number, counted from 1."""
        return _comments(self.text)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, nested ones too."""
        return iter(_functions(self.text))

    def at(self, line: int, what: str) -> str:
        """A finding of a rule, at a place an editor can jump to."""
        return f"{self.path}:{line}: {what}"


def refuse(findings: Iterable[str], how_to_mend: str) -> None:
    """Fail the test if there are findings, with nothing shown but where they are and what to do."""
    if found := list(findings):
        pytest.fail("\n  ".join(["", *found, f"-> {how_to_mend}"]), pytrace=False)


def program() -> tuple[Source, ...]:
    """The program's own sources."""
    return _sources("src")


def suite() -> tuple[Source, ...]:
    """The tests and what stands beside them."""
    return _sources("tests")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository that Git would not ignore, found without Git, so that an archive will do as well."""
    ignored = [".git/", *(ROOT / ".gitignore").read_text("utf-8").split()]
    return tuple(sorted(_walk(ROOT, ignored)))


def is_ignored(path: str, ignored: Sequence[str]) -> bool:
    """Whether one of the patterns covers `path`, relative to the root, a trailing slash on folders.

    Of Git's patterns only those we use: a leading slash binds to the root, a trailing one means a folder.
    """
    name = "/" + path if path.count("/") == path.endswith("/") else path
    last = re.sub(r".*/(?=.)", "", name)
    return any(fnmatch(name if pattern.startswith("/") else last, pattern) for pattern in ignored)


def _walk(folder: Path, ignored: Sequence[str]) -> Iterator[Path]:
    for path in folder.iterdir():
        name = path.relative_to(ROOT).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not is_ignored(name + "/", ignored):
                yield from _walk(path, ignored)
        elif not is_ignored(name, ignored):
            yield path


@cache
def _sources(folder: str) -> tuple[Source, ...]:
    paths = ((path.relative_to(ROOT).as_posix(), path) for path in files() if path.suffix == ".py")
    return tuple(Source(name, path.read_text("utf-8")) for name, path in paths if name.startswith(folder + "/"))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _functions(text: str) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    nodes = ast.walk(_parsed(text))
    return tuple(node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def _comments(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
