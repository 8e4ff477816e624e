"""Docstrings: each module says its role, each package draws its map, each test states one behaviour."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tests.rules.project import PACKAGE, Source, program, refuse, suite

MAPPED_ELSEWHERE = frozenset({PACKAGE, f"{PACKAGE}/store/migrations/versions"})
"""The packages of the whole are in ARCHITECTURE.md; versions of the tables are numbered, and explain themselves."""


def behaviours(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions of a file."""
    return (function for function in source.functions() if function.name.startswith("test_"))


def without_docstring(source: Source, *nodes: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Those of `nodes` that say nothing."""
    for node in nodes:
        if not (ast.get_docstring(node) or "").strip():
            yield source.at(getattr(node, "lineno", 1), f"{getattr(node, 'name', 'the module')} has no docstring")


def unmapped(sources: Iterable[Source]) -> Iterator[str]:
    """Modules and packages that the docstring of the package they are in does not name."""
    by_path = {source.path: source for source in sources}
    for path in map(PurePosixPath, by_path):
        part = path.parent if path.stem == "__init__" else path.with_suffix("")
        package = by_path.get(f"{part.parent}/__init__.py")
        if package is None or part.name == "__main__" or str(part.parent) in MAPPED_ELSEWHERE:
            continue
        if not re.search(rf"\b{part.name}\b", ast.get_docstring(package.tree) or ""):
            yield package.at(1, f"does not name {part.name}")


def test_modules_say_their_role() -> None:
    """Each module and each package starts with a docstring."""
    findings = [finding for source in program() + suite() for finding in without_docstring(source, source.tree)]
    refuse(findings, "one line on its role; in a package, a list of its modules")


def test_packages_draw_their_maps() -> None:
    """The docstring of a package names each module in it."""
    refuse(unmapped(program()), "say there in a few words what it is, beside its neighbours")


def test_tests_state_a_behaviour() -> None:
    """Each test function has a docstring."""
    findings = [finding for source in suite() for finding in without_docstring(source, *behaviours(source))]
    refuse(findings, "state the behaviour in one sentence, as a promise to the user")


def test_missing_docstring_is_found() -> None:
    """A module or a test that says nothing is found, other functions may be silent."""
    silent = Source("tests/test_a.py", "def test_a(): pass\ndef other(): pass\n")
    assert list(without_docstring(silent, silent.tree)) == ["tests/test_a.py:1: the module has no docstring"]
    assert list(without_docstring(silent, *behaviours(silent))) == ["tests/test_a.py:1: test_a has no docstring"]
    spoken = Source("tests/test_a.py", '"""Role."""\ndef test_a():\n    """Behaviour."""\n')
    assert not list(without_docstring(spoken, spoken.tree, *behaviours(spoken)))


def test_unmapped_module_is_found() -> None:
    """A module or package is found whose own package does not name it, as a whole word."""
    package = f"{PACKAGE}/wire/__init__.py"
    drawn = Source(package, '"""Bytes.\\n\\nsse   events;  caps, tiers   what it costs\\n"""\n')
    named = [Source(f"{PACKAGE}/wire/{name}.py", "") for name in ("sse", "caps", "tiers", "__main__")]
    assert not list(unmapped([drawn, *named]))
    forgotten = [Source(f"{PACKAGE}/wire/{path}", "") for path in ("cap.py", "links/__init__.py")]
    assert list(unmapped([drawn, *forgotten])) == [
        f"{package}:1: does not name cap",
        f"{package}:1: does not name links",
    ]
