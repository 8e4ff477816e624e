"""Tests wait for what happens, never for time to pass, repeat themselves exactly, and none is left out."""

import ast
import re
from collections.abc import Iterator

from hypothesis import settings

from tests.rules.project import Source, program, refuse, suite

MAY_SLEEP = frozenset({"tests/e2e/polling.py"})
"""Asks a real program, which is somebody else's process, again and again until it answers."""

# In brackets, so that these patterns do not find themselves.
_LEFT_OUT = re.compile(r"\bpytest\.(mark\.)?(skip(if)?|xfail|importorskip)\b|\bunittest\.skip")
_UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|NotImplemented[E]rror)\b")


def sleeps(source: Source) -> Iterator[str]:
    """Calls of a `sleep` that let time pass; `sleep(0)` only lets others run."""
    # Most files hold the word nowhere, and to parse them all takes seconds.
    for node in ast.walk(source.tree) if "sleep" in source.text else ():
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep"), args=[ast.Constant(value=0)]):
                pass
            case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep")):
                yield source.at(node.lineno, "sleeps")


def dated(source: Source) -> Iterator[str]:
    """Calls of `gzip.compress` that put the time into what they return.

    Where that names a test, the processes that run the tests have different ones, and none is run.
    """
    for node in ast.walk(source.tree) if "gzip" in source.text else ():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="gzip"), attr="compress"), keywords=keywords):
                if all(keyword.arg != "mtime" for keyword in keywords):
                    yield source.at(node.lineno, "gzip.compress without mtime")


def matches(source: Source, pattern: re.Pattern[str]) -> Iterator[str]:
    """Lines in which `pattern` is found."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := pattern.search(line):
            yield source.at(number, found.group())


def test_no_test_sleeps() -> None:
    """No test waits for time to pass."""
    findings = [finding for source in suite() if source.path not in MAY_SLEEP for finding in sleeps(source)]
    refuse(findings, "wait for an event or a condition, or move a clock that was passed in")


def test_no_test_depends_on_the_second() -> None:
    """What is compressed has the same bytes in every run."""
    refuse([finding for source in suite() for finding in dated(source)], "pass mtime=0")


def test_property_tests_repeat_themselves() -> None:
    """They draw the same examples in every run, wherever that is, and have no deadline that a slow machine misses."""
    assert (settings().derandomize, settings().deadline, settings().database) == (True, None, None)


def test_no_test_is_left_out() -> None:
    """No test is skipped or expected to fail."""
    findings = [finding for source in suite() for finding in matches(source, _LEFT_OUT)]
    refuse(findings, "bring what the test needs, or remove the test")


def test_nothing_is_unfinished() -> None:
    """No place is marked as still to be done."""
    findings = [finding for source in program() + suite() for finding in matches(source, _UNFINISHED)]
    refuse(findings, "finish it, or file an issue and remove the mark")


def test_sleep_is_found() -> None:
    """A sleep is found under any of its names; giving way to others is none."""
    source = Source("tests/test_a.py", "asyncio.sleep(0)\nasyncio.sleep(0.1)\nsleep(delay)\n")
    assert list(sleeps(source)) == ["tests/test_a.py:2: sleeps", "tests/test_a.py:3: sleeps"]


def test_dated_bytes_are_found() -> None:
    """Those with the time of their making, not those of a time that is told."""
    source = Source("tests/test_a.py", "gzip.compress(body)\ngzip.compress(body, mtime=0)\n")
    assert list(dated(source)) == ["tests/test_a.py:1: gzip.compress without mtime"]


def test_left_out_test_is_found() -> None:
    """Marks and calls that leave a test out are found, and so is unfinished work."""
    for word in ("mark.skip", "mark.xfail", "skip", "importorskip"):
        assert list(matches(Source("tests/test_a.py", f"@pytest.{word}\n"), _LEFT_OUT)), word
    for word in ("TO" + "DO", "NotImplemented" + "Error"):
        assert list(matches(Source("src/a.py", f"# {word}: later\n"), _UNFINISHED)), word
