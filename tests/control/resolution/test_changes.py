"""Following the change log."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.changes import (
    KEPT_MILLISECONDS,
    LARGEST_BATCH,
    LONGEST_GAP,
    PRUNE_MILLISECONDS,
    ChangeFeed,
)
from sluicegate.domain.tenants import Change


class Log:
    """A change log in memory, and everything the feed says of it."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self.digests: list[bytes | None] = []
        self.clock = 100.0
        self.now = 1_700_000_000_000
        self.trouble: Exception | None = None
        self.said: list[object] = []
        self.pruned: list[int] = []
        self.is_locked = False
        self.number: int | None = None
        self.asked = 0
        self.closed = 0
        self.feed = ChangeFeed(
            self,
            announce=lambda digests: self.said.append(digests if digests is None else list(digests)),
            true_as_of=self.said.append,
            clock=lambda: self.clock,
            now=lambda: self.now,
            log=log,
        )

    async def last(self) -> int:
        """The newest."""
        self._ask()
        return len(self.digests)

    async def since(self, sequence: int, limit: int) -> Sequence[Change]:
        """Those after it."""
        self._ask()
        numbered = list(enumerate(self.digests, 1))[sequence : sequence + limit]
        return [Change(sequence=number, at=0, digest=digest) for number, digest in numbered]

    async def prune(self, before: int) -> None:
        """Note it."""
        self._ask()
        if self.is_locked:
            raise OSError("locked")
        self.pruned.append(before)

    def version(self) -> int | None:
        """None, like a server's database, unless a test numbers it."""
        return self.number

    def close(self) -> None:
        """Note it."""
        self.closed += 1

    def _ask(self) -> None:
        self.asked += 1
        self.clock += 0.01
        if self.trouble is not None:
            raise self.trouble

    def look(self) -> list[object]:
        """Look once; what is said by it."""
        self.said.clear()
        asyncio.run(self.feed.look())
        return list(self.said)


@pytest.fixture
def changes(log: FilteringBoundLogger) -> Log:
    """A log with a change of before."""
    made = Log(log)
    made.digests.append(b"old")
    return made


def test_it_begins_at_the_end_of_the_log(changes: Log) -> None:
    """What was answered before that place was known is forgotten; older changes are nobody's concern."""
    assert changes.look() == [None, pytest.approx(100.01)]
    assert repr(changes.feed) == "<ChangeFeed sequence=1 well>"


def test_changes_are_announced_before_the_feed_is_called_true(changes: Log) -> None:
    """It is true as of the moment in which the look began, once all that it saw was told; nothing is told twice."""
    changes.look()
    changes.digests += [b"a", b"b"]
    began = changes.clock
    assert changes.look() == [[b"a", b"b"], began]
    assert changes.look() == [pytest.approx(began + 0.01)]


def test_a_change_of_everything_makes_everything_forgotten(changes: Log) -> None:
    """Also among others."""
    changes.look()
    changes.digests += [b"a", None, b"b"]
    assert changes.look()[0] is None


def test_many_changes_are_read_in_pieces(changes: Log) -> None:
    """The feed is true as of the beginning of the look that found the end."""
    changes.look()
    began = changes.clock
    changes.digests += [b"a"] * LARGEST_BATCH + [b"b"]
    assert changes.look() == [[b"a"] * LARGEST_BATCH, [b"b"], pytest.approx(began + 0.01)]


def test_one_look_that_takes_too_long_is_no_trouble(changes: Log, captured: LogCapture) -> None:
    """The process itself may be busy when it begins. It makes nothing true, and the second in a row is logged."""
    changes.look()
    changes.trouble = TimeoutError()
    assert changes.look() == []
    changes.trouble = None
    assert changes.look() == [pytest.approx(changes.clock - 0.01)]
    assert captured.entries == []
    changes.trouble = TimeoutError()
    assert changes.look() == []
    assert changes.look() == []
    assert [entry["event"] for entry in captured.entries] == ["the change log cannot be read"]


def test_a_log_that_cannot_be_read_makes_nothing_true(changes: Log, captured: LogCapture) -> None:
    """It is logged once; afterwards nothing is missed."""
    changes.look()
    changes.trouble = OSError("gone")
    changes.digests.append(b"a")
    assert changes.look() == []
    assert changes.look() == []
    assert repr(changes.feed) == "<ChangeFeed sequence=1 gone>"
    changes.trouble = None
    assert changes.look()[0] == [b"a"]
    assert [entry["event"] for entry in captured.entries] == [
        "the change log cannot be read",
        "over: the change log cannot be read",
    ]


@pytest.mark.parametrize("gap", [LONGEST_GAP, -1])
def test_after_a_long_gap_everything_is_forgotten(gap: int, changes: Log) -> None:
    """Changes may have been pruned meanwhile; a clock that went back says nothing about how long it was."""
    changes.look()
    changes.digests += [b"a"]
    changes.now += gap
    assert changes.look()[0] is None
    assert repr(changes.feed) == "<ChangeFeed sequence=2 well>"


def test_old_changes_are_pruned_from_time_to_time(changes: Log, captured: LogCapture) -> None:
    """What fails is logged and tried again next time."""
    changes.look()
    assert changes.pruned == []
    changes.now += PRUNE_MILLISECONDS
    changes.look()
    changes.look()
    assert changes.pruned == [changes.now - KEPT_MILLISECONDS]
    changes.now += PRUNE_MILLISECONDS
    changes.is_locked = True
    changes.look()
    assert captured.entries[-1]["reason"] == "locked"


def test_it_looks_for_ever(changes: Log) -> None:
    """With a pause between two looks."""

    class EnoughError(Exception):
        """The end of the test."""

    async def pause() -> None:
        changes.digests.append(b"a")
        if len(changes.digests) > 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        asyncio.run(changes.feed.run(pause=pause))
    assert [said for said in changes.said if isinstance(said, list)] == [[b"a"], [b"a"]]
    assert changes.closed == 1


def test_nothing_is_read_while_nobody_commits(changes: Log) -> None:
    """The feed is true all the same, as of the moment in which the version was asked for."""
    changes.number = 1
    changes.look()
    changes.clock += 5
    asked = changes.asked
    assert changes.look() == [changes.clock]
    assert changes.asked == asked
    changes.digests.append(b"a")
    changes.number = 2
    assert changes.look()[0] == [b"a"]


def test_a_version_counts_only_once_everything_up_to_it_was_told(changes: Log) -> None:
    """Not where a look failed, nor where it came after a gap."""
    changes.number = 1
    changes.look()
    changes.digests.append(b"a")
    changes.number = 2
    changes.trouble = OSError("gone")
    assert changes.look() == []
    changes.trouble = None
    assert changes.look()[0] == [b"a"]
    changes.now += LONGEST_GAP
    assert changes.look()[0] is None
