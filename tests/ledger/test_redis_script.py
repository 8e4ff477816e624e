"""Arguments and replies of the scripts."""

import pytest

from sluicegate.domain import windows
from sluicegate.domain.leases import REMEMBERED, Ask, Balance, Close, Lease, Outcome, Reset, Settle
from sluicegate.domain.limits import WindowError
from sluicegate.ledger import redis_script
from tests.ledger.ground import NOON

DAY = 86_400_000


def test_operations() -> None:
    """Each operation is a letter and its figures; a look is a letter."""
    account = "tok_a|requests|lifetime"
    operations = [
        Ask(account, "n/1", 1, 2, 3, 4, 5, 6),
        Settle(account, "n/1", 0, 2**62, 7, 8, 9),
        Close(account, "n/1"),
        Reset(account),
        None,
    ]
    assert redis_script.arguments(account, operations, clock="", moments=()) == (
        *("", "lifetime", "0", "0", "", str(REMEMBERED)),
        *("A", "n/1", "1", "2", "3", "4", "5", "6"),
        *("S", "n/1", "0", str(2**62), "7", "8", "9"),
        *("C", "n/1", "R", "L"),
    )


@pytest.mark.parametrize(
    ("account", "kind"),
    [
        ("tok_a|usd|5h", ("rolling", "18000000", "300000", "")),
        ("tok_a|usd|90s", ("rolling", "90000", "2000", "")),
        ("tok_a|concurrency|5h", ("none", "0", "0", "")),
        ("tok_a|usd|day", ("calendar", "0", str(2 * DAY), f"{NOON - DAY // 2}-{NOON + DAY // 2}")),
    ],
)
def test_windows(account: str, kind: tuple[str, ...]) -> None:
    """A window is told with what the script cannot find out: of a time zone, the bounds."""
    assert redis_script.arguments(account, [], clock="7", moments=[NOON, NOON + 1]) == ("7", *kind, str(REMEMBERED))


@pytest.mark.parametrize("window", ["90s", "5h", "30d", "day@Europe/Berlin", "month@America/Sao_Paulo"])
@pytest.mark.parametrize("until", [NOON, NOON - 1, NOON + 29 * DAY])
def test_remembered_long_enough(window: str, until: int) -> None:
    """A lease is said to be forgotten no earlier than it is, and not much later."""
    found = redis_script.window_of(f"tok_a|usd|{window}")
    assert found is not None
    moment = redis_script.remembered(found, until)
    exact = windows.leaves_at(found, until + REMEMBERED)
    assert moment is not None
    assert exact is not None
    assert exact <= moment <= exact + 33 * DAY


def test_remembered_concurrency_and_lifetime() -> None:
    """Where requests at the same time are counted a lease is over when it has expired; for a lifetime it never is."""
    assert redis_script.remembered(None, NOON) == NOON + REMEMBERED + 1
    assert redis_script.remembered(redis_script.window_of("tok_a|usd|lifetime"), NOON) is None


def test_outcomes() -> None:
    """A reply is cut into outcomes; what is empty is None."""
    reply = ["1", "2", "3", str(2**62), "", "6", "1", "7", "1", "2", "3", "4", "5", "6", "0", "0"]
    assert list(redis_script.outcomes("a", reply)) == [
        Outcome("a", 1, 2, 3, 2**62, None, 6, settled=7),
        Outcome("a", 1, 2, 3, 4, 5, 6, is_applied=False),
    ]
    assert redis_script.lacking(reply) is None


def test_lacking() -> None:
    """A script that must know one more window says of which moment."""
    assert redis_script.lacking(["window", "1709208000000"]) == NOON
    assert redis_script.lacking([]) is None


def test_balance_and_lease() -> None:
    """A balance and a kept lease are read exactly."""
    assert redis_script.balance("a", ["1", "2", "", "4"]) == Balance("a", 1, 2, None, 4)
    assert redis_script.lease(f"1 2 -3 {2**62 + 1} 5 1") == Lease(1, 2, -3, 2**62 + 1, 5, is_closed=True)


def test_no_window() -> None:
    """What is no account has no window."""
    with pytest.raises(WindowError):
        redis_script.window_of("tok_a|usd|often")
