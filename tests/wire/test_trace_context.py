"""What a client's trace context says, and what is none: https://www.w3.org/TR/trace-context/."""

import pytest

from sluicegate.wire.trace_context import parent_of, state_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (GOOD, GOOD),
        (f" \t{GOOD} ", GOOD),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"00-{TRACE}-{PARENT}-ff", f"00-{TRACE}-{PARENT}-ff"),
        (f"01-{TRACE}-{PARENT}-01", f"01-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", f"cc-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-01-", f"cc-{TRACE}-{PARENT}-01"),
    ],
)
def test_a_parent_is_kept(value: str, kept: str) -> None:
    """Version, ids and flags; what later versions add behind them is not."""
    assert parent_of(value.encode()) == kept


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        GOOD.upper(),
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"0g-{TRACE}-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}a-{PARENT}-01",
        f"00-{TRACE}-{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0x",
        f"00-{TRACE}-{PARENT}",
        f"{GOOD}-more",
        f"{GOOD}-",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"cc-{TRACE}-{PARENT}-01-{'a' * 512}",
        f"cc-{TRACE}-{PARENT}-01-\xe9",
        f"{GOOD}, {GOOD}",
    ],
)
def test_what_is_no_parent_is_passed_over(value: str) -> None:
    """Wrong lengths, versions, digits, and ids that are nothing but zeros."""
    assert parent_of(value.encode("latin-1")) == ""


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("a=1 ,\tb=2,,", "a=1,b=2"),
        ("0tenant@system=a b", "0tenant@system=a b"),
        (",".join(f"k{number}=v" for number in range(32)), ",".join(f"k{number}=v" for number in range(32))),
        ("a=" + "x" * 256, "a=" + "x" * 256),
    ],
)
def test_a_state_is_kept(value: str, kept: str) -> None:
    """Without the white space and the empty members that a list may have."""
    assert state_of(value) == kept


@pytest.mark.parametrize(
    "value",
    [
        "",
        " , ,",
        "a",
        "a=",
        "=1",
        "A=1",
        "-a=1",
        "a=1=2",
        "a=1,a=2",
        "a =1",
        "a=\xe9",
        "a=" + "x" * 257,
        "a" * 257 + "=1",
        ",".join(f"k{number}=v" for number in range(33)),
        ",".join(f"k{number}={'v' * 250}" for number in range(3)),
    ],
)
def test_what_is_no_state_is_passed_over(value: str) -> None:
    """As a whole: who cannot read it must not pass on a part."""
    assert state_of(value) == ""
