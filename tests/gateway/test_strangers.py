"""How many unknown credentials one address may have looked up."""

import pytest

from sluicegate.gateway.strangers import BURST, LARGEST, PER_SECOND, Strangers, network


def test_a_bucket_empties_and_fills_again() -> None:
    """BURST at once, then as many as it is refilled with; the wait that is told is true."""
    strangers = Strangers()
    assert [strangers.take("a", 10.0) for _ in range(BURST)] == [0.0] * BURST
    wait = strangers.take("a", 10.0)
    assert wait == pytest.approx(1 / PER_SECOND)
    assert strangers.take("a", 10.0 + wait * 0.9) > 0.0
    assert strangers.take("a", 10.0 + wait) == 0.0
    assert strangers.take("a", 10.0 + wait) > 0.0


def test_addresses_have_their_own_buckets() -> None:
    """One that is empty says nothing about another."""
    strangers = Strangers()
    for _ in range(BURST):
        strangers.take("a", 0.0)
    assert strangers.take("a", 0.0) > 0.0
    assert strangers.take("b", 0.0) == 0.0


def test_what_is_given_back_can_be_taken() -> None:
    """A known caller costs nothing; giving back to an address that was swept does not fill it beyond its rim."""
    strangers = Strangers()
    for _ in range(BURST):
        strangers.take("a", 0.0)
    strangers.give_back("a")
    assert strangers.take("a", 0.0) == 0.0
    assert strangers.take("a", 0.0) > 0.0
    strangers.give_back("b")
    assert repr(strangers) == "<Strangers 1>"


def test_full_buckets_are_forgotten() -> None:
    """An address that has been quiet long enough takes no memory."""
    strangers = Strangers()
    strangers.take("a", 0.0)
    strangers.take("b", 0.05)
    strangers.sweep(1 / PER_SECOND)
    assert repr(strangers) == "<Strangers 1>"


def test_addresses_beyond_the_bound_share_one_bucket() -> None:
    """A million addresses neither fill memory nor have a million bursts."""
    strangers = Strangers()
    for number in range(LARGEST):
        strangers.take(str(number), 0.0)
    assert [strangers.take(f"more {number}", 0.0) for number in range(BURST)] == [0.0] * BURST
    assert strangers.take("yet another", 0.0) > 0.0
    assert strangers.take("0", 0.0) == 0.0
    strangers.give_back("yet another")
    assert strangers.take("and one", 0.0) == 0.0
    assert repr(strangers) == f"<Strangers {LARGEST + 1}>"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002"),
        ("2001:db8:1:2::9%eth0", "20010db800010002"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("no:address", ""),
        (None, ""),
        ("", ""),
    ],
)
def test_a_network_is_one_customer(address: str | None, expected: str) -> None:
    """IPv4 addresses stand for themselves, IPv6 ones for their /64; what has none shares a bucket."""
    assert network(address) == expected
