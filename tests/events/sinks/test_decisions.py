"""What is sent together, what is tried again and when, and what is given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.events.sinks.base import (
    DeliveryError,
    Event,
    PartialError,
    PermanentError,
    TooLargeError,
    TransientError,
)
from sluicegate.events.sinks.decisions import ASKED_FOR, Letter, Packet, Plan, Step, packets, pause, step

A, B, C = ({"request_id": name} for name in "abc")
PLAN = Plan(count=2, bytes=100, attempts=3, backoff=1.0, longest_wait=8.0)


def test_batches_are_bounded_by_count_and_bytes() -> None:
    """A batch ends before the bound; an event beyond the bound of bytes goes alone; order is kept."""
    assert packets([], PLAN) == []
    assert packets([(A, 1), (B, 1), (C, 1)], PLAN) == [Packet((A, B)), Packet((C,))]
    assert packets([(A, 60), (B, 40), (C, 1)], PLAN) == [Packet((A, B)), Packet((C,))]
    assert packets([(A, 60), (B, 41), (C, 500)], PLAN) == [Packet((A,)), Packet((B,)), Packet((C,))]


@given(st.lists(st.integers(1, 300)), st.integers(1, 5), st.integers(1, 400))
def test_batches_lose_nothing(sizes: list[int], count: int, most: int) -> None:
    """All events are in them, once, in their order; none is beyond a bound but one that is so alone."""
    events: list[tuple[Event, int]] = [({"n": number}, size) for number, size in enumerate(sizes)]
    made = packets(events, Plan(count=count, bytes=most))
    assert [event for packet in made for event in packet.events] == [event for event, _ in events]
    for packet in made:
        assert 1 <= len(packet.events) <= count
        assert len(packet.events) == 1 or sum(sizes[event["n"]] for event in packet.events) <= most


def test_what_arrived_is_done() -> None:
    """Nothing is left to do."""
    assert step(Packet((A, B)), None, PLAN, chance=0.5) == Step(sent=2)


def test_what_may_pass_is_tried_again() -> None:
    """After a pause, with one attempt more; at last it is given up."""
    failure = TransientError("status 503")
    assert step(Packet((A,), 1), failure, PLAN, chance=0.5) == Step(again=(Packet((A,), 2),), wait=1.0)
    given_up = step(Packet((A,), 2), failure, PLAN, chance=0.5)
    assert given_up == Step(dead=(Letter(A, "given up after 3 attempts: status 503"),))


@pytest.mark.parametrize("failure", [PermanentError("no"), TooLargeError("no"), DeliveryError("no")])
def test_what_cannot_arrive_is_given_up(failure: DeliveryError) -> None:
    """At once, with the reason."""
    assert step(Packet((A,)), failure, PLAN, chance=0.5) == Step(dead=(Letter(A, "no"),))


def test_what_is_too_large_is_halved() -> None:
    """Both halves are sent at once, as if for the first time."""
    done = step(Packet((A, B, C), 2), TooLargeError("no"), PLAN, chance=0.5)
    assert done == Step(again=(Packet((A,)), Packet((B, C))))


def test_part_of_a_batch() -> None:
    """Each event has its own fate: arrived, refused, sent again."""
    failure = PartialError("some", again=[2], refused={1: "bad"})
    done = step(Packet((A, B, C)), failure, PLAN, chance=0.5)
    assert done == Step(sent=1, dead=(Letter(B, "bad"),), again=(Packet((C,), 1),), wait=0.5)
    assert step(Packet((A, B)), PartialError("some", refused={0: "bad"}), PLAN, chance=0.5) == Step(
        sent=1, dead=(Letter(A, "bad"),)
    )
    last = step(Packet((A, B), 2), PartialError("some", again=[0, 1]), PLAN, chance=0.5)
    assert [letter.event for letter in last.dead] == [A, B]


@pytest.mark.parametrize(
    ("attempts", "asked", "chance", "seconds"),
    [
        (1, None, 1.0, 1.0),
        (3, None, 1.0, 4.0),
        (9, None, 1.0, 8.0),
        (5000, None, 0.25, 2.0),
        (1, None, 0.0, 0.0),
        (1, 30.0, 0.0, 30.0),
        (1, 1e9, 0.0, 8.0 * ASKED_FOR),
        (1, -5.0, 0.5, 0.0),
    ],
)
def test_pauses(attempts: int, asked: float | None, chance: float, seconds: float) -> None:
    """They double up to a bound, by chance down to nothing; what the other side asks for is kept, within a bound."""
    assert pause(attempts, asked, PLAN, chance=chance) == seconds
