"""Whose token a digest belongs to."""

from sluicegate.control.token_directory import Answer, DeclaredTokens, Directory
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
    assert directory.get(b"new") is TWO
    assert directory.replace({b"same": ONE, b"changed": TWO, b"new": TWO}) == ()


class Stored:
    """Stored tokens that keep the questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Answer]] = []

    def find(self, digest: bytes, answer: Answer) -> None:
        """Keep the question."""
        self.asked.append((digest, answer))


def test_declared_tokens_come_first() -> None:
    """In the order of their files, and the database is asked only about what none of them declares."""
    stored = Stored()
    directory = Directory([DeclaredTokens({b"one": ONE}), DeclaredTokens({b"one": TWO, b"two": TWO})], stored.find)
    answers: list[Principal | None] = []
    for digest in (b"one", b"two", b"three"):
        directory.find(digest, answers.append)
    assert answers == [ONE, TWO]
    [(asked, answer)] = stored.asked
    assert asked == b"three"
    answer(None)
    assert answers == [ONE, TWO, None]
    assert repr(directory) == "<Directory [<DeclaredTokens 1>, <DeclaredTokens 2>] stored=True>"


def test_a_damaged_token_never_reaches_the_database() -> None:
    """A wrong checksum is no token of ours; a declared one that looks like it is found all the same."""
    stored = Stored()
    directory = Directory([DeclaredTokens({b"one": ONE})], stored.find)
    answers: list[Principal | None] = []
    directory.find(b"one", answers.append, is_damaged=True)
    directory.find(b"two", answers.append, is_damaged=True)
    assert answers == [ONE, None]
    assert stored.asked == []


def test_without_a_database_there_are_only_declared_tokens() -> None:
    """What is not declared is unknown."""
    answers: list[Principal | None] = []
    Directory([DeclaredTokens({b"one": ONE})]).find(b"two", answers.append)
    assert answers == [None]
