"""Whose token a digest belongs to."""

import pytest

from sluicegate.control.token_directory import Answer, DeclaredTokens, Directory, declared_in, declared_with_id
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
    """In the order of their files."""
    files = [DeclaredTokens({b"one": ONE}), DeclaredTokens({b"one": TWO, b"two": TWO})]
    directory = Directory(files)
    answers: list[Principal | None] = []
    for digest in (b"one", b"two", b"three"):
        directory.find(digest, answers.append)
    assert answers == [ONE, TWO, None]
    assert repr(directory) == "<Directory [<DeclaredTokens 1>, <DeclaredTokens 2>] stored=False>"
    assert [declared_in(files, digest) for digest in (b"two", b"three")] == [TWO, None]
    assert [declared_with_id(files, token_id) for token_id in ("tok_2", "tok_3")] == [TWO, None]


def test_the_database_is_asked_about_every_token() -> None:
    """About declared ones too: it knows what bounds their owners."""
    stored = Stored()
    directory = Directory([DeclaredTokens({b"one": ONE})], stored.find)
    answers: list[Principal | None] = []
    for digest in (b"one", b"two"):
        directory.find(digest, answers.append)
    assert answers == []
    assert [asked for asked, _ in stored.asked] == [b"one", b"two"]
    stored.asked[1][1](None)
    assert answers == [None]


@pytest.mark.parametrize("owner", ["org_1", "prj_1", "usr_1", "tok_1"])
def test_owners_have_their_declared_tokens(owner: str) -> None:
    """Whichever of the four it is."""
    own = Principal("tok_1", project_id="prj_1", organization_id="org_1", user_id="usr_1")
    declared = DeclaredTokens({b"own": own, b"other": TWO})
    assert declared.owned_by({owner}) == [b"own"]
    assert declared.owned_by({"org_2"}) == []


def test_a_damaged_token_never_reaches_the_database() -> None:
    """A wrong checksum is no token of ours; a declared one that looks like it is found all the same."""
    stored = Stored()
    directory = Directory([DeclaredTokens({b"one": ONE})], stored.find)
    answers: list[Principal | None] = []
    directory.find(b"one", answers.append, is_damaged=True)
    directory.find(b"two", answers.append, is_damaged=True)
    assert answers == [None]
    assert [asked for asked, _ in stored.asked] == [b"one"]


def test_without_a_database_there_are_only_declared_tokens() -> None:
    """What is not declared is unknown."""
    answers: list[Principal | None] = []
    Directory([DeclaredTokens({b"one": ONE})]).find(b"two", answers.append)
    assert answers == [None]
