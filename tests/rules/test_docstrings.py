"""Docstrings: each module says its role, each package draws its map, each test states one behaviour."""

import ast
from collections.abc import Iterator

from tests.rules.project import Source, program, refuse, suite


def behaviours(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions of a file."""
    return (function for function in source.functions() if function.name.startswith("test_"))


def without_docstring(source: Source, *nodes: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Those of `nodes` that say nothing."""
    for node in nodes:
        if not (ast.get_docstring(node) or "").strip():
            yield source.at(getattr(node, "lineno", 1), f"{getattr(node, 'name', 'the module')} has no docstring")


def test_modules_say_their_role() -> None:
    """Each module and each package starts with a docstring."""
    findings = [finding for source in program() + suite() for finding in without_docstring(source, source.tree)]
    refuse(findings, "one line on its role; in a package, a list of its modules")


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
