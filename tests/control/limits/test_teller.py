"""The ledger behind one counter."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits.teller import LARGEST_BATCH, Teller
from sluicegate.domain.leases import Held, Lease, Operation, Reset
from sluicegate.domain.limits import WindowError
from sluicegate.ledger.interface import LedgerUnavailableError
from tests.control.limits.scripted import AWAY, ScriptedLedger

Scenario = Callable[[ScriptedLedger, Teller], Awaitable[None]]


def told(scenario: Scenario, log: FilteringBoundLogger, *, patience: float = 10.0) -> None:
    """Run a scenario with a teller that serves, and probes when the ledger `may_be_probed`."""

    async def main() -> None:
        ledger = ScriptedLedger()
        teller = Teller(ledger, log=log, patience=patience, pause=ledger.may_be_probed)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(teller.run())
            await asyncio.wait_for(scenario(ledger, teller), 60)
            running.cancel()

    asyncio.run(main())


def resets(*accounts: str) -> list[Operation]:
    """Operations that can be told apart, by their accounts' beginnings."""
    return [Reset(named(account)) for account in accounts]


def named(account: str) -> str:
    """An account that begins so."""
    return f"{account}|requests|lifetime"


def test_what_comes_meanwhile_makes_the_next_batch(log: FilteringBoundLogger) -> None:
    """One batch at a time; everybody gets the outcomes of what he asked, in order."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        ledger.holds = True
        first = asyncio.ensure_future(teller.apply(resets("a")))
        await ledger.arrived(1)
        second = asyncio.ensure_future(teller.apply(resets("b", "c")))
        third = asyncio.ensure_future(teller.apply(resets("d")))
        await asyncio.sleep(0)
        assert repr(teller) == "<Teller waiting=2 well>"
        ledger.answer()
        await first
        await ledger.arrived(2)
        ledger.answer()
        assert [each.account for each in await second] == [named("b"), named("c")]
        assert [each.account for each in await third] == [named("d")]
        assert ledger.batches == [resets("a"), resets("b", "c", "d")]

    told(scenario, log)


def test_who_looks_at_leases_sees_those_that_were_asked_for_before(log: FilteringBoundLogger) -> None:
    """Also one that the ledger grants late: who looks stands in the queue, and asks the ledger nothing there."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        ledger.holds = True
        late = Held(named("a"), "n/dead", Lease(granted=1))
        asking = asyncio.ensure_future(teller.apply(resets("a")))
        await ledger.arrived(1)
        looking = asyncio.ensure_future(teller.held("n"))
        for _ in range(10):
            await asyncio.sleep(0)
        ledger.held_leases.append(late)
        ledger.answer()
        await asking
        assert await looking == [late]
        assert len(ledger.batches) == 1

    told(scenario, log)


def test_batch_has_a_size(log: FilteringBoundLogger) -> None:
    """Who comes late is not kept waiting by a batch without an end; a large submission goes by itself, whole."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        large = resets(*(str(number) for number in range(LARGEST_BATCH + 1)))
        await asyncio.gather(teller.apply(large), teller.apply(resets("a")), teller.apply(resets("b")))
        assert [len(batch) for batch in ledger.batches] == [LARGEST_BATCH + 1, 2]
        assert await teller.apply([]) == []
        assert len(ledger.batches) == 2

    told(scenario, log)


def test_failure_is_everybodys_and_a_probe_ends_it(log: FilteringBoundLogger, captured: LogCapture) -> None:
    """Once it is away, nobody waits for it; when a probe finds it back, all goes on. Beginning and end are logged."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        ledger.holds, ledger.fails = True, AWAY
        first = asyncio.ensure_future(teller.apply(resets("a")))
        await ledger.arrived(1)
        second = asyncio.ensure_future(teller.apply(resets("b")))
        await asyncio.sleep(0)
        ledger.answer()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [str(each) for each in results] == ["no route to it"] * 2
        for attempt in (teller.apply(resets("c")), teller.look(["c"]), teller.held("n")):
            with pytest.raises(LedgerUnavailableError, match="no route"):
                await attempt
        for ledger.fails in (AWAY, AWAY, LedgerUnavailableError()):
            await ledger.probed()
        assert (teller.is_away, teller.absences, len(ledger.batches)) == (True, 1, 1)
        ledger.holds, ledger.fails = False, None
        await ledger.probed()
        assert teller.is_away is False
        assert [each.account for each in await teller.apply(resets("d"))] == [named("d")]
        assert repr(teller) == "<Teller waiting=0 well>"
        assert [each.account for each in await teller.look(["d"])] == ["d"]
        assert await teller.held("n") == []

    told(scenario, log)
    assert [entry["event"] for entry in captured.entries] == [
        "the ledger cannot be asked",
        "over: the ledger cannot be asked",
    ]


def test_a_store_that_is_only_read_is_told_of_once(log: FilteringBoundLogger, captured: LogCapture) -> None:
    """A full disk answers who reads, and refuses every batch: that is one absence, told once, until it takes one."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        ledger.is_full = True
        for _ in range(3):
            with pytest.raises(LedgerUnavailableError, match="no route"):
                await teller.apply(resets("a"))
            await ledger.probed()
            await asyncio.sleep(0)
            assert (teller.is_away, teller.absences) == (True, 1)
        ledger.is_full = False
        await ledger.probed()
        await teller.apply(resets("a"))
        assert (teller.is_away, teller.absences) == (False, 1)

    told(scenario, log)
    assert [entry["event"] for entry in captured.entries] == [
        "the ledger cannot be asked",
        "over: the ledger cannot be asked",
    ]


@pytest.mark.parametrize("error", [OSError("broken pipe"), OSError()], ids=["with words", "without"])
def test_drivers_errors_are_failures(error: OSError, log: FilteringBoundLogger) -> None:
    """Whatever an adapter lets through of its store's trouble, callers hear one kind of error, with words."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        ledger.fails = error
        with pytest.raises(LedgerUnavailableError, match=str(error) or "OSError"):
            await teller.apply(resets("a"))

    told(scenario, log)


def test_patience_ends(log: FilteringBoundLogger) -> None:
    """A ledger that does not answer in time has failed."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        ledger.holds = True
        with pytest.raises(LedgerUnavailableError, match=r"within 0\.01 s"):
            await teller.apply(resets("a"))

    told(scenario, log, patience=0.01)


def test_who_went_away_is_passed_over(log: FilteringBoundLogger) -> None:
    """A caller that waits no longer harms neither success nor failure of the others."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        for fails in (None, AWAY):
            ledger.holds = True
            gone = asyncio.ensure_future(teller.apply(resets("a")))
            other = asyncio.ensure_future(teller.apply(resets("b")))
            await ledger.arrived(len(ledger.batches) + 1)
            gone.cancel()
            ledger.fails = fails
            ledger.answer()
            [result] = await asyncio.gather(other, return_exceptions=True)
            assert isinstance(result, LedgerUnavailableError) == (fails is not None)
            assert gone.cancelled()

    told(scenario, log)


def test_end_is_told_to_who_waits(log: FilteringBoundLogger) -> None:
    """When the process ends, nobody waits for ever; closing lets go of the ledger."""

    async def main() -> None:
        ledger = ScriptedLedger()
        ledger.holds = True
        teller = Teller(ledger, log=log)
        running = asyncio.ensure_future(teller.run())
        first = asyncio.ensure_future(teller.apply(resets("a")))
        await ledger.arrived(1)
        second = asyncio.ensure_future(teller.apply(resets("b")))
        await asyncio.sleep(0)
        running.cancel()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [str(each) for each in results] == ["this node is ending"] * 2
        # Who comes only now is told so, too.
        for late in (teller.apply(resets("c")), teller.held("n")):
            with pytest.raises(LedgerUnavailableError, match="this node is ending"):
                await late
        await asyncio.gather(running, return_exceptions=True)
        await teller.close()
        assert ledger.is_closed

    asyncio.run(main())


def test_what_is_no_account_is_its_callers_trouble(log: FilteringBoundLogger) -> None:
    """It never reaches a batch, and so spoils none."""

    async def scenario(ledger: ScriptedLedger, teller: Teller) -> None:
        with pytest.raises(WindowError, match="no such account: x"):
            await teller.apply([*resets("a"), Reset("x")])
        assert ledger.batches == []

    told(scenario, log)
