"""Units that a worker holds: whatever happens in whatever order, none is lost and none is used twice."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from sluicegate.domain.holdings import HELD, HELD_LOW, NOT_HELD, Holding, all_remaining, reserve, settle

GOOD = 100.0
LOW = 20
LIMITS = 3
Held = tuple[int, ...]


class Holdings(RuleBasedStateMachine):
    """A ledger that grants, and exchanges that reserve and settle."""

    reservations: Bundle[Held] = Bundle("reservations")

    def __init__(self) -> None:
        super().__init__()
        self.holdings = [Holding(f"tok_{number}|tokens|1h", 1000) for number in range(LIMITS)]
        self.places = [(holding, number) for number, holding in enumerate(self.holdings)]
        self.granted = [0] * LIMITS
        self.open: list[Held] = []
        self.now = 0.0

    @initialize(amounts=st.tuples(*[st.integers(20, 200)] * LIMITS))
    def begin(self, amounts: Held) -> None:
        """Everything is granted at first: without that hardly any reservation would be possible."""
        for number, amount in enumerate(amounts):
            self.holdings[number].low = LOW
            self.grant(number, amount, used=0, again=False)

    @rule(number=st.integers(0, LIMITS - 1), amount=st.integers(0, 50), used=st.integers(0, 1100), again=st.booleans())
    def grant(self, number: int, amount: int, used: int, again: bool) -> None:
        """The ledger lends; an old answer that comes late says nothing new."""
        holding = self.holdings[number]
        self.granted[number] += 0 if again else amount
        before = holding.free
        more = holding.lent(self.granted[number] - (amount if again else 0), used, None, self.now + GOOD)
        assert more == (0 if again else amount)
        assert holding.free == before + more
        assert holding.in_use == used + holding.reserved
        holding.open_until = holding.valid_until

    @rule(target=reservations, amounts=st.tuples(*[st.integers(0, 40)] * LIMITS))
    def reserve(self, amounts: Held) -> Held:
        """All or nothing."""
        free = [holding.free for holding in self.holdings]
        outcome = reserve(self.places, amounts, self.now)
        is_possible = all(
            amount <= have and self.now < holding.open_until
            for amount, have, holding in zip(amounts, free, self.holdings, strict=True)
        )
        assert (outcome != NOT_HELD) == is_possible
        assert (outcome == HELD_LOW) == (
            is_possible and any(have - amount < LOW for amount, have in zip(amounts, free, strict=True))
        )
        if not is_possible:
            assert [holding.free for holding in self.holdings] == free
            return (0,) * LIMITS
        self.open.append(amounts)
        return amounts

    @rule(held=consumes(reservations), used=st.tuples(*[st.integers(0, 60)] * LIMITS), is_hard=st.booleans())
    def settle(self, held: Held, used: Held, is_hard: bool) -> None:
        """Never more of a lease is over than was used, nor than there is."""
        if held not in self.open:
            return
        self.open.remove(held)
        for holding, reserved, amount in zip(self.holdings, held, used, strict=True):
            free = holding.free
            over = settle(holding, reserved, amount, is_hard=is_hard)
            assert over == min(amount, reserved + (free if is_hard else 0))
            assert holding.free == free + reserved - over or not holding.remaining

    @rule(number=st.integers(0, LIMITS - 1), keep=st.integers(0, 20))
    def give_back(self, number: int, keep: int) -> None:
        """Only what is free goes back."""
        holding = self.holdings[number]
        free, reserved = holding.free, holding.reserved
        assert holding.give_back(keep) == free - holding.free
        assert holding.free == min(free, keep)
        assert holding.reserved == reserved

    @precondition(lambda self: self.now < 3 * GOOD)
    @rule(seconds=st.floats(0, 2 * GOOD))
    def time_passes(self, seconds: float) -> None:
        """A lease may end."""
        self.now += seconds

    @invariant()
    def nothing_is_lost(self) -> None:
        """What was granted is free, reserved, taken or given back, and none of these is negative."""
        for number, holding in enumerate(self.holdings):
            assert holding.free >= 0
            assert holding.taken >= 0
            assert holding.reserved == sum(amounts[number] for amounts in self.open)
            assert holding.granted == self.granted[number]
            assert holding.in_use == holding.used + holding.taken - holding.taken_before + holding.reserved
        assert all_remaining(self.holdings) == [holding.remaining for holding in self.holdings]


Holdings.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestHoldings = Holdings.TestCase
TestHoldings.__doc__ = "No unit is lost or used twice, in whatever order things happen."


def test_at_first_nothing_is_held() -> None:
    """All of the maximum remains, and none of it may be reserved before the ledger has lent any."""
    holding = Holding("tok_1|requests|1h", 100)
    assert (holding.free, holding.in_use, holding.remaining, holding.reserved) == (0, 0, 100, 0)
    assert reserve([(holding, 0)], [0], 0.0) == NOT_HELD


def test_low_is_seen_in_time() -> None:
    """More is asked for before nothing is left."""
    holding = Holding("tok_1|requests|1h", 100)
    holding.lent(10, 3, None, GOOD)
    holding.open_until = holding.valid_until
    holding.low = 5
    assert reserve([(holding, 0)], [5], 0.0) == HELD
    assert reserve([(holding, 0)], [1], 0.0) == HELD_LOW
    assert reserve([(holding, 0)], [1], GOOD) == NOT_HELD


def test_what_remains_is_known_between_two_answers() -> None:
    """What was charged and reserved since the ledger told what is used counts, too."""
    holding = Holding("tok_1|requests|1h", 100)
    holding.lent(10, 20, None, GOOD)
    holding.open_until = GOOD
    reserve([(holding, 0)], [6], 0.0)
    settle(holding, 4, 3, is_hard=True)
    assert (holding.in_use, holding.remaining, holding.reserved) == (25, 75, 2)
    holding.lent(10, 120, 7, GOOD)
    assert (holding.remaining, holding.frees_at) == (0, 7)
    assert repr(holding) == "<Holding tok_1|requests|1h granted=10 returned=0 taken=3 reserved=2 free=5>"


def test_what_the_ledger_has_not_settled_yet_is_counted_here() -> None:
    """Charges reach it later than questions: what remains does not rise because more was lent."""
    holding = Holding("tok_1|requests|1h", 100)
    holding.lent(10, 20, None, GOOD, settled=0)
    holding.open_until = GOOD
    reserve([(holding, 0)], [6], 0.0)
    settle(holding, 6, 6, is_hard=True)
    assert holding.remaining == 74
    holding.lent(20, 20, None, GOOD, settled=0)
    assert holding.remaining == 74
    holding.lent(20, 24, None, GOOD, settled=4)
    assert holding.remaining == 74
    holding.lent(20, 26, None, GOOD, settled=9)
    assert holding.remaining == 74


def test_what_a_soft_limit_used_beyond_its_lease_counts_at_once() -> None:
    """Nothing stays free here where nothing is left of the limit: the ledger is asked before another one begins."""
    holding = Holding("tok_1|tokens|5h", 100)
    holding.lent(10, 50, None, 60.0)
    holding.free -= 1

    assert settle(holding, 1, 25, is_hard=False) == 1
    assert (holding.free, holding.returned, holding.remaining) == (9, 0, 25)
    holding.free -= 1
    assert settle(holding, 1, 25, is_hard=False) == 1

    assert (holding.free, holding.returned, holding.remaining) == (0, 8, 0)
