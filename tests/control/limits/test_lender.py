"""Workers' asks, answered."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.allowance import Allowance
from sluicegate.control.limits.ledger_time import MARGIN, VALIDITY, LedgerTime
from sluicegate.control.limits.lender import Lender
from sluicegate.control.limits.recalls import PAUSE
from sluicegate.domain.fallback import fallback_account
from sluicegate.domain.leases import Ask
from sluicegate.wire.link import AskLease, Lend, Lent
from tests.control.limits.node import Node, told
from tests.control.limits.scripted import AWAY, ScriptedLedger

ONE, TWO = "tok_1|requests|lifetime", "org_1|usd|day"
FALLBACK = fallback_account("org_1")


def ask(account: str = ONE, *, needed: int = 5, seen: int = 0, mode: str = "closed", returned: int = 0) -> AskLease:
    """An ask for what is needed."""
    return AskLease(account, 100, seen, needed, needed, returned, "org_1", mode, 100)


def test_lease_is_lent_and_says_until_when(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Loans come in the order of the asks, from the ledger and the allowance alike."""

    async def story(node: Node) -> None:
        lent = await node.lend("000-a", ask(), ask(FALLBACK, needed=7), ask(TWO, needed=9))
        assert [(loan.account, loan.granted) for loan in lent.loans] == [(ONE, 5), (FALLBACK, 7), (TWO, 9)]
        assert (lent.failure, lent.is_degraded) == ("", False)
        assert lent.valid_until == node.clock.monotonic() + VALIDITY
        [held] = [each for each in await node.ledger.held("node") if each.account == ONE]
        assert held.holder == "node/000-a"
        assert held.lease.expires_at == node.clock.unix() + int((VALIDITY + MARGIN) * 1000)

    told(tmp_path, log, story)


def test_lost_answer_is_given_again(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Nothing is set aside twice."""

    async def story(node: Node) -> None:
        for _ in range(2):
            lent = await node.lend("000-a", ask())
            assert (lent.loans[0].granted, lent.loans[0].leased) == (5, 5)

    told(tmp_path, log, story)


def test_others_are_reminded_of_what_one_waits_for(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Not for what is used up; and not too often."""

    async def story(node: Node) -> None:
        await node.lend("000-a", ask(needed=96))
        for _ in range(2):
            assert (await node.lend("001-b", ask(needed=5))).loans[0].granted == 0
        assert node.recalled.accounts == [ONE]
        node.clock.seconds += PAUSE * 1.01
        await node.lend("001-b", ask(needed=5))
        assert node.recalled.accounts == [ONE, ONE]
        node.clock.seconds += PAUSE * 1.01
        await node.lend("001-b", ask(needed=101))
        assert node.recalled.accounts == [ONE, ONE]

    told(tmp_path, log, story)


def test_without_the_ledger_there_is_only_the_allowance(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """The failure is told, with what may be used all the same where an organisation wants that."""

    async def story(node: Node) -> None:
        node.ledger.fault = lambda: "away" if node.teller.absences else "before"
        lent = await node.lend("000-a", ask())
        assert (lent.loans, lent.failure, lent.is_degraded) == ((), "lost on the way there", False)
        assert lent.valid_until == node.clock.monotonic() + VALIDITY
        lent = await node.lend("000-a", ask(mode="open"), ask(FALLBACK, needed=30, mode="open"))
        assert [(loan.account, loan.granted, loan.used) for loan in lent.loans] == [(FALLBACK, 30, 30)]
        assert (bool(lent.failure), lent.is_degraded) == (True, True)
        lent = await node.lend("000-a", ask(FALLBACK, needed=71, seen=30, mode="open"))
        assert [(loan.granted, loan.used) for loan in lent.loans] == [(30, 30)]
        node.ledger.fault = lambda: ""
        await node.ledger_is_back()
        lent = await node.lend("000-a", ask(mode="open"))
        assert (lent.loans[0].granted, lent.is_degraded) == (5, False)

    told(tmp_path, log, story)


def test_allowance_needs_no_ledger(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """An ask for nothing else is no failure, whether the ledger is there or not."""

    async def story(node: Node) -> None:
        lent = await node.lend("000-a", ask(FALLBACK, needed=3))
        assert (lent.loans[0].granted, lent.failure, lent.is_degraded) == (3, "", False)
        node.ledger.fault = lambda: "away" if node.teller.absences else "before"
        await node.lend("000-a", ask())
        lent = await node.lend("000-a", ask(FALLBACK, needed=3, seen=3, mode="open"))
        assert (lent.loans[0].granted, lent.failure, lent.is_degraded) == (6, "", True)

    told(tmp_path, log, story)


def test_what_is_no_account_is_refused(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """Before it spoils a batch for everybody."""

    async def story(node: Node) -> None:
        lent = await node.lend("000-a", ask(), ask("x|usd|day@Nowhere/City"))
        assert lent.failure == "no such account: x|usd|day@Nowhere/City"
        assert (await node.ledger.balance(ONE)).leased == 0
        assert (await node.lend("001-b", ask())).loans[0].granted == 5

    told(tmp_path, log, story)
    assert captured.entries[-1]["event"] == "a worker asks for what is no account"


class Bench:
    """A lender on a scripted ledger; nothing runs by itself."""

    def __init__(self, directory: Path, log: FilteringBoundLogger) -> None:
        self.ledger = ScriptedLedger()
        self.answers: list[Lent] = []
        allowance = Allowance(directory / "a.json", now=lambda: 0, log=log)
        time = LedgerTime(lambda: 50.0, lambda: 1_000)
        self.lender = Lender(self.ledger, node="n", allowance=allowance, time=time, clock=lambda: 50.0, log=log)

    def lend(self, holder: str = "000-a", number: int = 1, account: str = ONE) -> None:
        """A worker asks."""
        self.lender.lend(Lend(number, holder, (ask(account, seen=2, returned=1),)), holder, self.answers.append)


def test_what_waits_goes_in_one_batch(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Everybody's asks, in the order in which they came."""

    async def main() -> None:
        bench = Bench(tmp_path, log)
        bench.lend("000-a", 1)
        bench.lend("001-b", 2)
        assert "waiting=2" in repr(bench.lender)
        bench.ledger.now = 1_000
        await bench.lender.serve()
        [batch] = bench.ledger.batches
        assert batch == [Ask(ONE, holder, 100, 2, 5, 5, 1, 14_000) for holder in ("n/000-a", "n/001-b")]
        assert [lent.number for lent in bench.answers] == [1, 2]

    asyncio.run(main())


def test_each_is_answered_what_it_asked_for(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Though all asks of a batch are answered at once."""

    async def main() -> None:
        bench = Bench(tmp_path, log)
        bench.lend("000-a", account=ONE)
        bench.lend("001-b", account=TWO)
        bench.ledger.now = 1_000
        await bench.lender.serve()
        assert [[loan.account for loan in lent.loans] for lent in bench.answers] == [[ONE], [TWO]]

    asyncio.run(main())


def test_batch_has_a_size(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What is too much for one batch goes in the next."""

    async def main() -> None:
        bench = Bench(tmp_path, log)
        for number in range(600):
            bench.lend(number=number)
        bench.ledger.now = 1_000
        await bench.lender.serve()
        assert len(bench.answers) == 500
        await bench.lender.serve()
        assert len(bench.answers) == 600

    asyncio.run(main())


@pytest.mark.parametrize("seconds", [1_000, 6])
def test_wrong_idea_of_the_ledgers_clock_is_put_right(seconds: int, tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What would end too soon is asked for once more, and then as usual."""

    async def main() -> None:
        bench = Bench(tmp_path, log)
        bench.ledger.now = 1_000 + seconds * 1_000
        bench.lend()
        await bench.lender.serve()
        first, second = (each for batch in bench.ledger.batches for each in batch if isinstance(each, Ask))
        assert (first.expires_at, second.expires_at) == (14_000, bench.ledger.now + 13_000)
        assert (first.seen, first.needed) == (second.seen, second.needed)
        [lent] = bench.answers
        assert lent.valid_until == 50.0 + VALIDITY

    asyncio.run(main())


def test_failure_of_a_whole_batch_is_told_to_all(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Nobody waits for ever."""

    async def main() -> None:
        bench = Bench(tmp_path, log)
        bench.ledger.fails = AWAY
        bench.lend("000-a")
        bench.lend("001-b")
        await bench.lender.serve()
        assert [lent.failure for lent in bench.answers] == ["no route to it"] * 2

    asyncio.run(main())


def test_who_died_while_it_waited_is_left_out(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Nothing is set aside for the dead, however late they are buried; nobody listens to recalls here."""

    async def main() -> None:
        bench = Bench(tmp_path, log)
        bench.lend("000-a")
        bench.lend("001-b")
        bench.lender.bury("000-a")
        bench.lender.bury("000-a")
        bench.ledger.now = 1_000
        await bench.lender.serve()
        assert len(bench.answers) == 1

    asyncio.run(main())
