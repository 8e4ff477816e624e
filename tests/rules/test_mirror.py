"""Where things are: a module is named for its idea, and a test of the same path tells what it must do."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tests.rules.project import PACKAGE, Source, program, refuse, suite

_VAGUE = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"})


def untested(sources: Iterable[Source], test_paths: set[str]) -> Iterator[str]:
    """Modules without a test of the same path: `wire/sse.py` is told by `tests/wire/test_sse.py`."""
    for source in sources:
        path = PurePosixPath(source.path).relative_to(PACKAGE)
        name = path.parent.name if path.name == "__init__.py" else path.stem
        expected = f"tests/{path.with_name(f'test_{name}.py')}"
        if path.name != "__main__.py" and has_code(source) and expected not in test_paths:
            yield source.at(1, f"has no {expected}")


def named_for_nothing(paths: Iterable[str]) -> Iterator[str]:
    """Modules and packages whose name would take in anything."""
    for path in paths:
        if _VAGUE & set(PurePosixPath(path).with_suffix("").parts):
            yield f"{path}:1: is named for no idea"


def has_code(source: Source) -> bool:
    """Whether there is anything to test: more than imports, a docstring and dunder names in an `__init__`."""
    return not source.path.endswith("/__init__.py") or any(not _is_frame(statement) for statement in source.tree.body)


def _is_frame(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant()):
            return True
        case ast.Assign([ast.Name(name)]):
            return name.startswith("__")
    return False


def test_each_module_has_its_test() -> None:
    """Each module has a test of the same path."""
    refuse(
        untested(program(), {source.path for source in suite()}), "write that file: it alone should cover the module"
    )


def test_modules_are_named_for_their_idea() -> None:
    """No module has a name that says nothing about what is in it."""
    findings = named_for_nothing(source.path for source in program() + suite())
    refuse(findings, "name it for the one idea it holds, and move the rest to where it is used")


def test_vague_name_is_found() -> None:
    """A vague name is found in a module and in a package, as a whole word."""
    assert len(list(named_for_nothing([f"{PACKAGE}/wire/utils.py", "tests/helpers/test_a.py"]))) == 2
    assert not list(named_for_nothing([f"{PACKAGE}/wire/commons_license.py"]))


def test_untested_module_is_found() -> None:
    """A module's test must have its path, not just its name; a package without code of its own needs none."""
    module = Source(f"{PACKAGE}/wire/sse.py", "x = 1\n")
    assert not list(untested([module], {"tests/wire/test_sse.py"}))
    assert list(untested([module], {"tests/test_sse.py"}))
    map_of_package = '"""The map."""\nimport os\n__version__ = "1"\n'
    assert not list(untested([Source(f"{PACKAGE}/wire/__init__.py", map_of_package)], set()))
    package = Source(f"{PACKAGE}/wire/__init__.py", map_of_package + "x = 1\n")
    assert list(untested([package], set())) == [f"{package.path}:1: has no tests/wire/test_wire.py"]
