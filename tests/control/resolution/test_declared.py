"""Declared tokens with what the database says of their owners."""

import asyncio
from collections.abc import Collection

import pytest

from sluicegate.control.resolution.declared import BoundTokens, nothing_said
from sluicegate.control.tenants.declared import Said, owners_of
from sluicegate.control.token_directory import DeclaredTokens
from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.principal import Principal

ONE = Principal("tok_1", organization_id="org_1", project_id="prj_1", user_id="usr_1")
LIMIT = Limit("organization", "org_1", "tokens", Rolling(60), 5)


class Bench:
    """A file with one token, and a database."""

    def __init__(self) -> None:
        self.file = DeclaredTokens({b"one": ONE})
        self.is_away = False
        self.asked: list[list[str]] = []
        self.bound = BoundTokens([self.file], self.ask)

    async def ask(self, principals: Collection[Principal]) -> list[Said]:
        """What the database says."""
        if self.is_away:
            raise OSError("refused")
        self.asked.append([principal.token_id for principal in principals])
        return [Said(owners_of(one), (LIMIT,), user_organization="org_2") for one in principals]


def test_declared_tokens_get_their_owners_limits() -> None:
    """One question for all of them; others are none of theirs."""
    bench = Bench()
    found = asyncio.run(bench.bound.find([b"one", b"other"]))
    assert {digest: principal.limits for digest, principal in found.items()} == {b"one": (LIMIT,)}
    assert asyncio.run(bench.bound.find([b"other"])) == {}
    assert bench.asked == [["tok_1"]]
    assert repr(bench.bound) == "<BoundTokens asked=1>"


def test_what_was_said_last_is_known_without_the_database() -> None:
    """Before that, what the file says; and nothing of what no file declares."""
    bench = Bench()
    bench.is_away = True
    assert bench.bound.known(b"one") == ONE
    with pytest.raises(OSError, match="refused"):
        asyncio.run(bench.bound.find([b"one"]))
    bench.is_away = False
    asyncio.run(bench.bound.find([b"one"]))
    bench.is_away = True
    known = bench.bound.known(b"one")
    assert known is not None
    assert known.limits == (LIMIT,)
    assert bench.bound.known(b"other") is None


@pytest.mark.parametrize("owner", ["org_1", "prj_1", "usr_1", "tok_1", "org_2"])
def test_a_change_of_an_owner_concerns_its_tokens(owner: str) -> None:
    """That of the user's own organisation as well, whose calendar the user's budget has."""
    bench = Bench()
    asyncio.run(bench.bound.find([b"one"]))
    assert bench.bound.concerned(frozenset({owner})) == [b"one"]
    assert bench.bound.concerned(frozenset({"org_3"})) == []
    assert bench.bound.concerned(frozenset()) == []


def test_what_is_declared_no_more_is_forgotten() -> None:
    """Nothing is kept of it for ever."""
    bench = Bench()
    asyncio.run(bench.bound.find([b"one"]))
    bench.file.replace({})
    assert bench.bound.concerned(frozenset({"org_2"})) == []
    assert repr(bench.bound) == "<BoundTokens asked=0>"


def test_without_a_database_nothing_is_said() -> None:
    """A token is as its file has it."""
    (said,) = asyncio.run(nothing_said([ONE]))
    assert said.of(ONE) == ONE
