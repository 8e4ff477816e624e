"""When a lease ends."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.limits.ledger_time import MARGIN, VALIDITY, LedgerTime, valid_until
from sluicegate.domain.leases import Outcome


def at(now: int) -> Outcome:
    """An answer from the ledger at a moment of its own."""
    return Outcome("a", 0, 0, 0, 0, None, now)


@given(
    skew=st.integers(-100_000, 100_000),
    there=st.floats(0, 2),
    expiry=st.integers(-20_000, 20_000),
)
def test_worker_is_done_first(skew: int, there: float, expiry: int) -> None:
    """Whatever the clocks say and however long the way is, a lease's last moment comes before its end."""
    sent = 50.0

    def ledger_clock(monotonic: float) -> float:
        return monotonic * 1000 + skew

    outcome = at(int(ledger_clock(sent + there)))
    expires_at = int(ledger_clock(sent)) + expiry
    until = valid_until(sent, expires_at, [outcome])
    assert ledger_clock(until) <= expires_at
    assert until <= sent + VALIDITY


def test_first_guess_and_what_is_learnt() -> None:
    """First it is taken to be this machine's time; then the latest that the ledger said, as of the sending."""
    moment = [50.0]
    time = LedgerTime(lambda: moment[0], lambda: 1_000_000)
    assert time.now() == 1_000_000
    assert repr(time) == "<LedgerTime ahead=950000ms>"
    time.learn(50.0, [at(2_000_000), at(2_000_100)])
    assert time.now() == 2_000_100
    moment[0] = 51.0
    assert time.expiry() == 2_001_100 + int((VALIDITY + MARGIN) * 1000)
    time.learn(51.0, [])
    assert time.now() == 2_001_100


def test_nothing_asked_of_the_ledger_is_good_as_long_as_usual() -> None:
    """Without leases there is nothing that could end early; with one, the usual validity where clocks agree."""
    assert valid_until(5.0, 0, []) == 5.0 + VALIDITY
    assert valid_until(5.0, 13_000, [at(0)]) == 5.0 + VALIDITY
