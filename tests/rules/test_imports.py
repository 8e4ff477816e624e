"""Imports: at the top, without cycles, and few where memory and start-up time count. Layers: see `.importlinter`."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import grimp

from tests.rules.project import PACKAGE, Source, program, refuse

MAY_IMPORT_LATE = f"{PACKAGE}/cli/"
"""The command line, where an import that `--help` does not need may wait."""

OPTIONAL_DRIVERS: frozenset[str] = frozenset()
"""Modules of adapters whose library is an extra, and so may only be imported once it is asked for."""

DATA_PLANE_LIBRARIES = frozenset({"uvloop", "httptools", "msgspec"})
MSGSPEC_LOADS = frozenset({"typing_extensions"})
"""What msgspec imports by itself when it is installed, on older Pythons."""

_PRINT_LIBRARIES = """
import importlib, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
for name in set(sys.modules) - before:
    if "site-packages" in (getattr(sys.modules[name], "__file__", None) or ""):
        print(name.partition(".")[0])
"""


def late_imports(source: Source) -> Iterator[str]:
    """Imports inside functions."""
    for function in source.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield source.at(node.lineno, f"import inside {function.name}")


def cycle(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first one repeated at the end; none, if there is no circle."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def libraries_loaded_by(*modules: str) -> set[str]:
    """Top-level names of what a new interpreter has loaded from site-packages after importing `modules`."""
    command = [sys.executable, "-I", "-c", _PRINT_LIBRARIES, *modules]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_imports_stand_at_the_top() -> None:
    """Only the command line and optional drivers import inside a function."""
    findings = [
        finding
        for source in program()
        if not source.path.startswith(MAY_IMPORT_LATE) and source.path not in OPTIONAL_DRIVERS
        for finding in late_imports(source)
    ]
    refuse(findings, "move the import to the top; a cycle means that a module is in the wrong layer")


def test_no_import_cycle() -> None:
    """No module needs itself, by way of others, to be imported; naming each other's types is no import at run time."""
    graph = grimp.build_graph("sluicegate", cache_dir=None, exclude_type_checking_imports=True)
    circle = cycle({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    refuse(circle and [" -> ".join(circle)], "move what both need into a module below them")


def test_worker_loads_three_libraries() -> None:
    """A worker, of which there may be many, loads nothing from outside but its event loop, parser and JSON decoder."""
    extra = libraries_loaded_by("sluicegate.gateway.worker") - DATA_PLANE_LIBRARIES - MSGSPEC_LOADS
    refuse(extra, "find who imports it: python -X importtime -c 'import sluicegate.gateway.worker'")


def test_supervisor_loads_no_library() -> None:
    """The supervisor, which must outlive everything else, runs on the standard library alone."""
    prefix = f"{PACKAGE}/supervisor/"
    names = [
        source.path.removeprefix("src/").removesuffix(".py") for source in program() if source.path.startswith(prefix)
    ]
    assert names, f"{prefix} is gone: name the new place here"
    loaded = libraries_loaded_by(*(name.removesuffix("/__init__").replace("/", ".") for name in names))
    refuse(loaded, "leave this to the processes that the supervisor starts")


def test_late_import_is_found() -> None:
    """An import inside a function is found with its line, one at the top is none."""
    source = Source("src/a.py", "import os\ndef sample():\n    from sys import path\n")
    assert list(late_imports(source)) == ["src/a.py:3: import inside sample"]


def test_cycle_is_found() -> None:
    """A circle is told in the order of its imports."""
    assert cycle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    circle = cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert circle[0] == circle[-1]
    assert "a b c a b".find(" ".join(circle[:-1])) >= 0


def test_loaded_library_is_found() -> None:
    """What an import brings along is seen, and the standard library is not counted."""
    assert "pydantic" in libraries_loaded_by("sluicegate.config.schema")
    assert libraries_loaded_by("json", "asyncio") == set()
