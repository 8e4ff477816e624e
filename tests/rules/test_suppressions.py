"""Exceptions to the checks: each says what it excepts and why, and there are never more of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.rules.project import Source, program, refuse, suite

RECORD = Path(__file__).with_name("suppressions.txt")

_MARK = re.compile(
    r"# *(noqa|type: *ignore|pragma: *no (?:cover|branch))(: *[A-Z]+\d+(?:, *[A-Z]+\d+)*|\[[a-z, -]+\])?"
)
_WHOLE_FILE = re.compile(r"# *(ruff: *noqa|flake8: *noqa|mypy: *\w)")
_BROAD = frozenset({"Exception", "BaseException"})


def has_reason(source: Source, line: int) -> bool:
    """Whether a comment of at least three words stands on the line or on the one above, marks of tools not counted."""
    texts = (_MARK.sub("", source.comments.get(number, "")) for number in (line, line - 1))
    return any(len(re.findall(r"[A-Za-z`'-]{2,}|\ba\b", text)) >= 3 for text in texts)


def suppressions(source: Source) -> Iterator[tuple[int, str]]:
    """Line and mark of everything that switches a check off."""
    # Most files hold no mark anywhere, and to find the comments of all takes seconds.
    is_marked = _MARK.search(source.text) or _WHOLE_FILE.search(source.text)
    for line, comment in source.comments.items() if is_marked else ():
        for mark in (*_MARK.finditer(comment), *_WHOLE_FILE.finditer(comment)):
            yield line, mark.group()


def faulty_suppressions(source: Source) -> Iterator[str]:
    """Suppressions without a code or without a reason, or of a whole file."""
    for line, mark in suppressions(source):
        if _WHOLE_FILE.match(mark):
            yield source.at(line, f"'{mark}' excepts a whole file")
        elif not mark.startswith("# pragma") and not re.search(r"\d|\]", mark):
            yield source.at(line, f"'{mark}' without a code")
        elif not has_reason(source, line):
            yield source.at(line, f"'{mark}' without a reason")


def unexplained_broad_excepts(source: Source) -> Iterator[str]:
    """Handlers that catch everything and do not say why."""
    for node in ast.walk(source.tree) if "except" in source.text else ():
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not has_reason(source, node.lineno):
            yield source.at(node.lineno, "catches every exception and does not say why")


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(one) for one in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in _BROAD)


def test_suppressions_are_explained() -> None:
    """Whoever switches a check off names the check and the reason."""
    findings = [finding for source in program() + suite() for finding in faulty_suppressions(source)]
    refuse(findings, "name the code, and the reason in the same comment or on the line above")


def test_suppressions_only_become_fewer() -> None:
    """Their number is the recorded one, which nobody raises."""
    findings = [source.at(line, mark) for source in program() + suite() for line, mark in suppressions(source)]
    recorded = int(RECORD.read_text("utf-8"))
    if len(findings) != recorded:
        advice = "satisfy the check instead of adding one" if len(findings) > recorded else "well done: record it"
        refuse(
            [*findings, f"{len(findings)} in all"], f"{recorded} are recorded in tests/rules/{RECORD.name}: {advice}"
        )


def test_broad_excepts_are_explained() -> None:
    """Whoever catches every exception says why that is right there."""
    findings = [finding for source in program() + suite() for finding in unexplained_broad_excepts(source)]
    refuse(findings, "catch what can happen, or say why in a comment on that line or the one above")


def _one_line(comment: str) -> Source:
    # Put together here, so that this file holds no mark itself.
    return Source("src/a.py", f"# {comment}\n")


def test_faulty_suppression_is_found() -> None:
    """A mark needs its code and its reason, and may not cover a whole file."""
    for good in ("noqa: S104 - all interfaces are meant", "type: ignore[attr-defined]  # the stubs lack it"):
        assert not list(faulty_suppressions(_one_line(good)))
        assert len(list(suppressions(_one_line(good)))) == 1
    assert not list(faulty_suppressions(Source("src/a.py", "# the peer may close first\nx = 1  # pragma: no cover\n")))
    for bad in ("noqa", "noqa: S104", "type: ignore", "type: ignore[misc]", "pragma: no cover", "ruff: noqa"):
        assert len(list(faulty_suppressions(_one_line(bad)))) == 1, bad


def test_unexplained_broad_except_is_found() -> None:
    """Catching everything is found in each of its forms, unless a comment explains it."""
    for caught in ("", " Exception", " BaseException as error", " (OSError, Exception)"):
        text = f"try:\n    pass\nexcept{caught}:\n    pass\n"
        assert list(unexplained_broad_excepts(Source("src/a.py", text))), caught
        explained = text.replace("except", "# a sink's fault stays with the sink\nexcept", 1)
        assert not list(unexplained_broad_excepts(Source("src/a.py", explained)))
    assert not list(unexplained_broad_excepts(Source("src/a.py", "try:\n    pass\nexcept OSError:\n    pass\n")))
