"""What may be spent without the ledger."""

import asyncio
from pathlib import Path

from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.allowance import DAY, FILE, Allowance, granted
from sluicegate.domain.fallback import fallback_account
from sluicegate.wire.link import AskLease

MAXIMUM = 1_000


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 20_000 * DAY

    def __call__(self) -> int:
        """Unix milliseconds."""
        return self.now


class Borrower:
    """A scripted holder: it keeps the figures that a worker keeps."""

    def __init__(self, name: str = "000-a", organization: str = "org_x") -> None:
        self.name = name
        self.organization = organization
        self.seen = 0
        self.returned = 0

    def get(self, allowance: Allowance, needed: int, *, is_lost: bool = False) -> int:
        """Ask for what is needed; how much came, and 0 too where the answer `is_lost`."""
        ask = AskLease(
            fallback_account(self.organization),
            MAXIMUM,
            self.seen,
            needed,
            needed,
            self.returned,
            self.organization,
            "open",
            MAXIMUM,
        )
        loan = asyncio.run(allowance.lend(self.name, ask))
        if is_lost:
            return 0
        before, self.seen = self.seen, loan.granted
        return self.seen - before


def open_allowance(tmp_path: Path, clock: Clock, log: FilteringBoundLogger) -> Allowance:
    """The allowance of a control process that has just begun."""
    return Allowance(tmp_path / FILE, now=clock, log=log)


def test_nothing_is_lent_beyond_the_maximum(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """By whomever it is asked for; other organisations have their own."""
    clock = Clock()
    allowance = open_allowance(tmp_path, clock, log)
    one, two, other = Borrower(), Borrower("001-b"), Borrower(organization="org_y")
    assert [one.get(allowance, 600), two.get(allowance, 600), two.get(allowance, 400)] == [600, 0, 400]
    assert other.get(allowance, 1_000) == 1_000
    assert one.get(allowance, 1) == 0
    assert repr(allowance) == "<Allowance {'org_x': 1000, 'org_y': 1000} well>"


def test_what_is_given_back_is_lent_again(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Once, however often it is told."""
    allowance = open_allowance(tmp_path, Clock(), log)
    one, two = Borrower(), Borrower("001-b")
    assert one.get(allowance, 1_000) == 1_000
    one.returned = 300
    assert one.get(allowance, 0) == 0
    assert one.get(allowance, 0) == 0
    assert two.get(allowance, 301) == 0
    assert two.get(allowance, 300) == 300


def test_lost_answer_is_given_again(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """And not lent twice."""
    allowance = open_allowance(tmp_path, Clock(), log)
    one = Borrower()
    assert one.get(allowance, 700, is_lost=True) == 0
    assert one.get(allowance, 700) == 700
    assert Borrower("001-b").get(allowance, 300) == 300


def test_of_a_lost_answer_only_what_is_lacking_is_lent(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """It has the rest already."""
    allowance = open_allowance(tmp_path, Clock(), log)
    one = Borrower()
    assert one.get(allowance, 100, is_lost=True) == 0
    assert one.get(allowance, 400) == 400
    assert Borrower("001-b").get(allowance, 600) == 600


def test_what_is_lent_is_free_again_the_next_day(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """At midnight, as the file counts days."""
    clock = Clock()
    clock.now += DAY // 3
    ask = AskLease(fallback_account("org_x"), MAXIMUM, 0, 1, 1, 0, "org_x", "open", MAXIMUM)
    loan = asyncio.run(open_allowance(tmp_path, clock, log).lend("000-a", ask))
    assert (loan.used, loan.frees_at) == (1, 20_001 * DAY)


def test_many_small_loans_are_written_down_as_one_large_one(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """The file is ahead of them all the time, so that a crash gives nothing twice."""
    clock = Clock()
    one, allowance = Borrower(), open_allowance(tmp_path, clock, log)
    assert [one.get(allowance, amount) for amount in (500, 15, 10)] == [500, 15, 10]
    two, allowance = Borrower("001-b"), open_allowance(tmp_path, clock, log)
    assert two.get(allowance, 476) == 0


def test_crash_loses_a_piece_and_gives_nothing_twice(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """The next process goes on from the file, which is ahead of what was lent; who has some keeps it."""
    clock = Clock()
    one = Borrower()
    assert one.get(open_allowance(tmp_path, clock, log), 500) == 500
    allowance = open_allowance(tmp_path, clock, log)
    one.returned = 100
    assert one.get(allowance, 0) == 0
    two = Borrower("001-b")
    assert two.get(allowance, 481) == 0
    assert two.get(allowance, 480) == 480
    assert one.seen == 500


def test_new_day_begins_with_all_of_it(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What was lent the day before is given back to that day; a clock that is set back begins no day again."""
    clock = Clock()
    allowance = open_allowance(tmp_path, clock, log)
    one, two = Borrower(), Borrower("001-b")
    assert one.get(allowance, 1_000) == 1_000
    clock.now += DAY
    one.returned = 1_000
    assert one.get(allowance, 400) == 400
    assert two.get(allowance, 601) == 0
    clock.now -= DAY
    assert two.get(allowance, 601) == 0
    assert two.get(allowance, 600) == 600
    clock.now += 2 * DAY
    assert two.get(open_allowance(tmp_path, clock, log), 1_000) == 1_000


def test_without_a_file_nothing_is_lent(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """What could not be remembered would be given twice. It is logged once."""
    clock = Clock()
    allowance = Allowance(tmp_path / "missing" / FILE, now=clock, log=log)
    one = Borrower()
    assert [one.get(allowance, 1), one.get(allowance, 1)] == [0, 0]
    (tmp_path / "missing").mkdir()
    assert one.get(allowance, 1) == 1
    assert [entry["log_level"] for entry in captured.entries] == ["error", "info"]
    for content in (b"{", b'{"amounts": {"\xff": 1}}'):
        (tmp_path / FILE).write_bytes(content)
        assert Borrower().get(open_allowance(tmp_path, clock, log), 1) == 0
        assert "is damaged" in captured.entries[-1]["reason"]


def test_pieces_shrink_near_the_end() -> None:
    """All that is wanted while there is plenty, then a quarter, then what is needed, then nothing."""
    assert [granted(free, 1, 100) for free in (1_000, 400, 399, 8, 4, 1, 0)] == [100, 100, 99, 2, 1, 1, 0]
    assert granted(100, -5, -1) == 0
    assert granted(100, -5, 10) == 10
