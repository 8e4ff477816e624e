"""Whose token a digest belongs to."""

from sluicegate.control.token_directory import DeclaredTokens
from sluicegate.domain.principal import Principal

ONE, TWO = Principal("tok_1"), Principal("tok_2")


def test_declared_token_is_found_at_once() -> None:
    """A declared digest has its principal, any other none."""
    directory = DeclaredTokens({b"one": ONE})
    answers: list[Principal | None] = []
    directory.find(b"one", answers.append)
    directory.find(b"two", answers.append)
    assert answers == [ONE, None]
    assert repr(directory) == "<DeclaredTokens 1>"


def test_what_changed_is_to_be_forgotten() -> None:
    """Removed, changed and new digests are to be forgotten, the last because a worker may know it as unknown."""
    directory = DeclaredTokens({b"same": ONE, b"gone": ONE, b"changed": ONE})
    forgotten = directory.replace({b"same": Principal("tok_1"), b"changed": TWO, b"new": TWO})
    assert sorted(forgotten) == [b"changed", b"gone", b"new"]
    answers: list[Principal | None] = []
    directory.find(b"changed", answers.append)
    assert answers == [TWO]
    assert directory.replace({b"same": ONE, b"changed": TWO, b"new": TWO}) == ()
