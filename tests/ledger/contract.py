"""What every ledger does, whatever keeps it. An adapter's test gives the fixture `ground` and inherits the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sluicegate.domain.leases import Ask, Close, Held, Lease, Operation, Reset, Settle
from sluicegate.domain.limits import WindowError
from sluicegate.ledger.interface import Ledger
from tests.ledger.ground import NOON, Ground
from tests.ledger.machine import machine

TOKENS = "tok_a|tokens|5h"
LARGEST = 2**62


def run(ground: Ground, use: Callable[[Ledger], Awaitable[None]]) -> None:
    """Open the ledger, do this with it, and close it."""

    async def opened() -> None:
        async with ground.open() as ledger:
            await use(ledger)

    asyncio.run(opened())


def an_ask(account: str = TOKENS, holder: str = "n/1", *, needed: int = 1, wanted: int = 1, seen: int = 0) -> Ask:
    """One of a minute's validity, for a limit of 100."""
    return Ask(account, holder, 100, seen, needed, wanted, 0, NOON + 60_000)


class LedgerContract:
    """The contract."""

    runs: ClassVar[int] = 10
    """Of the machine."""

    def test_no_limit_is_exceeded_and_nothing_leaks(self, ground: Ground) -> None:
        """Whatever is lost, repeated and late, whoever dies: limits hold, accounts equal journals, as in the model."""
        run_state_machine_as_test(
            machine(ground),
            settings=settings(
                max_examples=self.runs,
                stateful_step_count=40,
                suppress_health_check=list(HealthCheck),
            ),
        )

    def test_nothing_is_in_a_new_one(self, ground: Ground) -> None:
        """Accounts that it has never heard of are empty; it holds no leases; an empty batch is nothing."""

        async def use(ledger: Ledger) -> None:
            (balance,) = await ledger.look([TOKENS])
            assert (balance.used, balance.leased, balance.began_at, balance.ends_at) == (0, 0, None, None)
            assert await ledger.held("n") == []
            assert await ledger.apply([]) == []
            assert await ledger.look([]) == []

        run(ground, use)

    def test_outcomes_are_in_the_operations_order(self, ground: Ground) -> None:
        """Operations on one account apply one after the other, and each has its outcome at its place."""

        async def use(ledger: Ledger) -> None:
            other = "tok_b|requests|lifetime"
            outcomes = await ledger.apply(
                [
                    an_ask(needed=40, wanted=40),
                    an_ask(other),
                    an_ask(holder="n/2", needed=50),
                    Settle(TOKENS, "n/1", 0, 7, 30, 40, NOON),
                    Reset(other),
                    Close(TOKENS, "n/2"),
                ]
            )
            assert [outcome.account for outcome in outcomes] == [TOKENS, other, TOKENS, TOKENS, other, TOKENS]
            assert [outcome.used for outcome in outcomes] == [0, 0, 0, 30, 0, 30]
            assert [outcome.leased for outcome in outcomes] == [40, 1, 90, 50, 1, 0]
            assert [outcome.granted for outcome in outcomes] == [40, 1, 50, 40, 0, 50]
            assert [outcome.position for outcome in outcomes] == [0, 0, 0, 7, 0, 0]
            assert {outcome.now for outcome in outcomes} == {NOON}

        run(ground, use)

    def test_what_was_granted_in_another_window_and_not_heard_of_is_void(self, ground: Ground) -> None:
        """It is not given in the next window, where others have set all of that aside."""
        account, day = "tok_a|usd|day", 86_400_000

        async def first(ledger: Ledger) -> None:
            assert [each.granted for each in await ledger.apply([an_ask(account, needed=40)])] == [40]

        async def then(ledger: Ledger) -> None:
            other = Ask(account, "n/2", 100, 0, 100, 100, 0, NOON + day + 60_000)
            back = Ask(account, "n/1", 100, 0, 5, 5, 0, NOON + day + 60_000)
            outcomes = await ledger.apply([other, back])
            assert [(each.granted, each.leased, each.is_applied) for each in outcomes] == [
                (100, 100, True),
                (0, 100, True),
            ]
            assert [held.holder for held in await ledger.held("n")] == ["n/2"]

        run(ground, first)
        ground.clock.now += day
        run(ground, then)

    def test_what_was_applied_is_there_when_it_is_opened_again(self, ground: Ground) -> None:
        """Usage, leases and positions survive, the largest of them too; the same charge does not apply again."""
        settle = Settle(TOKENS, "n/1", 0, LARGEST, 20, 30, NOON)

        async def first(ledger: Ledger) -> None:
            await ledger.apply([an_ask(needed=50, wanted=50), settle])

        async def again(ledger: Ledger) -> None:
            assert await ledger.held("n") == [Held(TOKENS, "n/1", Lease(50, 30, 0, LARGEST, NOON + 60_000))]
            (outcome,) = await ledger.apply([settle])
            assert (outcome.is_applied, outcome.position, outcome.used, outcome.leased) == (False, LARGEST, 20, 20)
            (balance,) = await ledger.look([TOKENS])
            assert (balance.used, balance.leased) == (20, 20)
            assert (balance.began_at, balance.ends_at) == (NOON, NOON + (5 * 3600 + 300) * 1000)

        run(ground, first)
        run(ground, again)

    def test_a_nodes_leases_are_its_own(self, ground: Ground) -> None:
        """What a node holds is told without that of nodes whose names begin alike, or look like patterns."""

        async def use(ledger: Ledger) -> None:
            holders = ("n/1", "n/2", "n1/1", "N/1", "_/1", "%/1", "n")
            await ledger.apply([an_ask(holder=holder) for holder in holders])
            assert [held.holder for held in await ledger.held("n")] == ["n/1", "n/2"]
            assert [held.holder for held in await ledger.held("_")] == ["_/1"]
            assert [held.holder for held in await ledger.held("%")] == ["%/1"]

        run(ground, use)

    def test_closed_leases_are_kept_for_their_position_and_then_forgotten(self, ground: Ground) -> None:
        """A batch that closes may be repeated; long after nothing of it counts, the lease is gone."""

        async def use(ledger: Ledger) -> None:
            batch: list[Operation] = [Settle(TOKENS, "n/1", 0, 7, 30, 40, NOON), Close(TOKENS, "n/1")]
            await ledger.apply([an_ask(needed=40, wanted=40)])
            for _ in range(2):
                outcome = (await ledger.apply(batch))[1]
                assert (outcome.used, outcome.leased, outcome.position) == (30, 0, 7)
            (held,) = await ledger.held("n")
            assert held.lease.is_closed
            ground.clock.now += 9 * 86_400_000
            (outcome,) = await ledger.apply([an_ask(holder="n/2", needed=0, wanted=0)])
            assert (outcome.used, outcome.leased) == (0, 0)
            assert await ledger.held("n") == []

        run(ground, use)

    def test_a_clock_that_is_put_back_is_not_followed(self, ground: Ground) -> None:
        """An account's time stands still until the clock has come up with it."""

        async def use(ledger: Ledger) -> None:
            await ledger.apply([Reset(TOKENS)])
            ground.clock.now -= 3_600_000
            outcomes = await ledger.apply([Reset(TOKENS), Reset("tok_b|tokens|5h")])
            assert [outcome.now for outcome in outcomes] == [NOON, NOON - 3_600_000]

        run(ground, use)

    def test_a_clock_that_was_far_ahead_is_followed_back(self, ground: Ground) -> None:
        """What is used then is charged and counts, though the account has seen the end of its window."""
        month = "tok_a|tokens|month"

        async def use(ledger: Ledger) -> None:
            ground.clock.now += 40 * 86_400_000
            await ledger.apply([an_ask(month, needed=0, wanted=0)])
            ground.clock.now -= 40 * 86_400_000
            (outcome,) = await ledger.apply([an_ask(month, needed=60)])
            assert (outcome.now, outcome.granted) == (NOON, 60)
            (outcome,) = await ledger.apply([Settle(month, "n/1", 0, 1, 60, 60, NOON)])
            assert (outcome.is_applied, outcome.used) == (True, 60)

        run(ground, use)

    def test_a_batch_is_applied_whole_or_not_at_all(self, ground: Ground) -> None:
        """Where one operation is on no account, none of the batch is applied."""

        async def use(ledger: Ledger) -> None:
            with pytest.raises(WindowError):
                await ledger.apply([an_ask(), an_ask("tok_b|tokens|sometimes")])
            (balance,) = await ledger.look([TOKENS])
            assert balance.leased == 0

        run(ground, use)

    def test_workers_at_the_same_time_are_granted_no_more_than_there_is(self, ground: Ground) -> None:
        """Many batches at once share what there is, to the last unit."""

        async def use(ledger: Ledger) -> None:
            asks = [ledger.apply([an_ask(holder=f"n/{number}", needed=9, wanted=9)]) for number in range(16)]
            outcomes = [outcome for (outcome,) in await asyncio.gather(*asks)]
            assert sorted(outcome.granted for outcome in outcomes) == [0] * 5 + [9] * 11
            assert max(outcome.leased for outcome in outcomes) == 99

        run(ground, use)
