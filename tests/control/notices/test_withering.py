"""Tokens that are about to end are told, once, early enough."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from sluicegate.control.notices.withering import AFRESH, FURTHEST, STEP, Withering
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Token
from sluicegate.store.tokens import dead_at
from tests.control.notices.listening import Listener

DAY = 86_400_000


class Watched:
    """A table of tokens that is looked at a day ahead, and who listens."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.tokens: list[Token] = []
        self.declared: list[Principal] = []
        self.readings = 0
        self.furthest = 0
        self.is_away = False
        self.ahead = 86_400.0
        self.withering = Withering(
            self.read,
            self.listener,
            declared=lambda: self.declared,
            ahead=lambda: self.ahead,
            now=lambda: self.listener.now,
        )

    async def read(self, after: int, after_id: str | None, until: int, limit: int) -> Sequence[Token]:
        """As the database does."""
        if self.is_away:
            raise OSError("away")
        self.readings += 1
        self.furthest = until
        ending = sorted((end, token.id, token) for token in self.tokens if (end := dead_at(token)) is not None)
        later = [
            token
            for end, name, token in ending
            if end <= until and (end > after or (end == after and after_id is not None and name > after_id))
        ]
        return later[:limit]

    def add(self, token_id: str, **fields: Any) -> None:
        """A token, made long ago unless told otherwise."""
        made: dict[str, Any] = {"created_at": 1, "updated_at": 1, "organization_id": "org_a", **fields}
        self.tokens.append(Token(id=token_id, digest=b"", prefix="sk", last_four="last", **made))

    def look(self) -> list[str]:
        """Look once; the tokens that are told."""
        before = len(self.listener.told)
        asyncio.run(self.withering.look())
        return [subject for _, subject in self.listener.told[before:]]


@pytest.fixture
def watched() -> Watched:
    """A table of tokens."""
    return Watched()


def test_each_is_told_once_in_time(watched: Watched) -> None:
    """As soon as its end is near enough, with what somebody needs to know to do something about it."""
    now = watched.listener.now
    watched.add("near", expires_at=now + DAY, name="batch", project_id="prj_a")
    watched.add("far", expires_at=now + DAY + 1, user_id="usr_a")
    watched.add("over", expires_at=now)
    watched.add("endless")
    assert watched.look() == ["near"]
    assert watched.look() == []
    watched.listener.now += 1
    assert watched.look() == ["far"]
    assert watched.listener.told[0] == ("token.withering", "near")
    assert watched.listener.facts[0] == {
        "reason": "expires",
        "ends_at": "2026-11-22T12:00:00.000Z",
        "name": "batch",
        "project_id": "prj_a",
        "user_id": None,
    }
    assert watched.listener.organizations == ["org_a", "org_a"]
    assert repr(watched.withering) == f"<Withering seen={now + 1 + DAY}>"


def test_unused_token_is_told_each_time_it_withers(watched: Watched) -> None:
    """Its end moves with its use: the next one is another."""
    now = watched.listener.now
    watched.add("idle", idle_seconds=3 * 86_400, last_used_at=now - 2 * DAY)
    assert watched.look() == ["idle"]
    assert watched.listener.facts[0]["reason"] == "unused"
    watched.tokens.clear()
    watched.add("idle", idle_seconds=3 * 86_400, last_used_at=now)
    watched.listener.now += DAY
    assert watched.look() == []
    watched.listener.now += DAY
    assert watched.look() == ["idle"]


def test_short_lives_are_not_told(watched: Watched) -> None:
    """Whoever makes tokens for a day, lets them wither in a day or replaces them knows that they end."""
    now = watched.listener.now
    watched.add("short", expires_at=now + DAY, created_at=now)
    watched.add("touched", idle_seconds=86_400, last_used_at=now)
    watched.add("replaced", retires_at=now + 1, expires_at=now + 10 * DAY)
    assert watched.look() == []


def test_end_that_is_moved_nearer_is_found(watched: Watched) -> None:
    """Within an hour: then all are looked at afresh, and those that were told are not told again."""
    now = watched.listener.now
    watched.add("known", expires_at=now + 2 * AFRESH)
    assert watched.look() == ["known"]
    watched.add("moved", expires_at=now + 2 * AFRESH)
    watched.listener.now += AFRESH - 1
    assert watched.look() == []
    watched.listener.now += 1
    assert watched.look() == ["moved"]


def test_many_that_end_together_are_all_told(watched: Watched) -> None:
    """However many steps of reading it takes."""
    end = watched.listener.now + 1_000
    for number in range(STEP + 1):
        watched.add(f"{number:06}", expires_at=end)
    assert len(watched.look()) == STEP + 1
    assert watched.readings == 3


def test_declared_tokens_are_told(watched: Watched) -> None:
    """Those of the configuration, as far as they are good for anything."""
    seconds = watched.listener.now / 1000
    watched.declared = [
        Principal("near", name="lan", expires_at=seconds + 86_400),
        Principal("far", expires_at=seconds + 86_401),
        Principal("over", expires_at=seconds),
        Principal("off", expires_at=seconds + 1, is_active=False),
        Principal("endless"),
    ]
    assert watched.look() == ["near"]
    assert watched.look() == []
    assert watched.listener.facts[0]["name"] == "lan"


def test_nobody_wants_to_know(watched: Watched) -> None:
    """With nothing ahead nothing is read; with more than before, what came within reach by it is told."""
    watched.add("near", expires_at=watched.listener.now + 1)
    watched.add("far", expires_at=watched.listener.now + 2 * DAY)
    watched.ahead = 0
    assert watched.look() == []
    assert watched.readings == 0
    watched.ahead = 86_400
    assert watched.look() == ["near"]
    watched.ahead = 2 * 86_400
    assert watched.look() == ["far"]


@pytest.mark.parametrize("ahead", [1e18, 1e308])
def test_nobody_looks_beyond_what_can_be_told(watched: Watched, ahead: float) -> None:
    """However far ahead is asked for, no database is asked for a number that it does not have."""
    watched.add("near", idle_seconds=10**6, last_used_at=watched.listener.now)
    watched.ahead = ahead
    assert watched.look() == []
    assert watched.furthest == FURTHEST


def test_failure_loses_nothing(watched: Watched) -> None:
    """What could not be read is read by the next look."""
    watched.add("near", expires_at=watched.listener.now + 1)
    watched.is_away = True
    with pytest.raises(OSError, match="away"):
        watched.look()
    watched.is_away = False
    assert watched.look() == ["near"]
