"""Which methods an allowlist grants a path."""

import pytest

from sluicegate.dialects.allow import allowed_methods
from sluicegate.domain.snapshot import AllowRule

RULES = (
    AllowRule(("POST",), "chat/completions"),
    AllowRule(("GET", "DELETE"), "chat/completions/*"),
    AllowRule(("GET",), "files/**"),
    AllowRule(("POST",), "files"),
    AllowRule(("POST",), "models/*:run"),
)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("chat/completions", ("POST",)),
        ("chat/completions/c1", ("GET", "HEAD", "DELETE")),
        ("files", ("GET", "HEAD", "POST")),
        ("files/a/b/c", ("GET", "HEAD")),
        ("models/m:run", ("POST",)),
    ],
)
def test_path_gets_the_methods_of_all_its_rules(path: str, methods: tuple[str, ...]) -> None:
    """A path has the methods of every rule that matches it, in their order, and HEAD wherever it has GET."""
    assert allowed_methods(RULES, path) == methods


@pytest.mark.parametrize(
    "path",
    [
        "",
        "chat",
        "chat/completions/",
        "chat/completions/c1/x",
        "xchat/completions",
        "filesx",
        "models/:run",
        "models/m",
    ],
)
def test_unknown_path_gets_nothing(path: str) -> None:
    """A path that no rule matches as a whole gets no method; an asterisk never stands for nothing."""
    assert allowed_methods(RULES, path) == ()


def test_methods_are_named_once() -> None:
    """Rules that overlap, or name HEAD themselves, do not repeat a method."""
    rules = (AllowRule(("HEAD", "GET"), "a/*"), AllowRule(("GET", "PUT"), "**"))
    assert allowed_methods(rules, "a/b") == ("HEAD", "GET", "PUT")


def test_two_asterisks_alone_match_everything() -> None:
    """`**` grants every path, also the empty one."""
    rules = (AllowRule(("POST",), "**"),)
    assert allowed_methods(rules, "") == allowed_methods(rules, "any/thing") == ("POST",)


def test_no_rules_grant_nothing() -> None:
    """An empty allowlist is a closed door."""
    assert allowed_methods((), "chat/completions") == ()
