"""Accounts and leases as rows."""

from sluicegate.domain.leases import Account, Ask, Lease, Reset
from sluicegate.ledger.rows import Changes, account_of, applied, changes, lease_of

ACCOUNT = "tok_x|tokens|lifetime"


def test_batch_is_applied_in_order() -> None:
    """Each operation finds what the one before it left; what there was stays as it was."""
    before = {ACCOUNT: Account(slots={0: 5})}
    asks = [Ask(ACCOUNT, f"n/{number}", 100, 0, 10, 10, 0, 2_000) for number in (1, 2)]
    after, outcomes = applied(before, [asks[0], Reset(ACCOUNT), asks[1]], 1_000)
    assert [(each.used, each.leased) for each in outcomes] == [(5, 10), (0, 10), (0, 20)]
    assert before == {ACCOUNT: Account(slots={0: 5})}
    assert set(after[ACCOUNT].leases) == {"n/1", "n/2"}


def test_what_differs_is_written() -> None:
    """Every account, leases that are new or changed, and the names of those that are not there any more."""
    same, old, new = Lease(granted=1), Lease(granted=2), Lease(granted=3, is_closed=True)
    before = {ACCOUNT: Account(leases={"n/same": same, "n/changed": old, "n/gone": old})}
    after = {ACCOUNT: Account(slots={7: 9}, leases={"n/same": same, "n/changed": new}, seen_at=4)}
    rows = changes(before, after)
    assert rows.accounts == [{"account": ACCOUNT, "slots": '{"7":9}', "seen_at": 4}]
    assert [(each["holder"], each["granted"], each["is_closed"]) for each in rows.leases] == [("n/changed", 3, True)]
    assert rows.forgotten == [{"of_account": ACCOUNT, "of_holder": "n/gone"}]
    assert changes({}, {}) == Changes()


def test_rows_are_read_back() -> None:
    """SQLite has numbers for what is true."""
    assert account_of('{"7":9}', 4) == Account(slots={7: 9}, seen_at=4)
    assert lease_of(1, 2, 3, 4, 5, 1) == Lease(1, 2, 3, 4, 5, is_closed=True)
