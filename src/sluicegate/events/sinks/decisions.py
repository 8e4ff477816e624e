"""What is sent together, what is tried again and when, and what is given up. Pure: chance and results are passed in.

Rule 1. What arrived in part is done for that part.
Rule 2. A batch that is too large is halved, and one event that is too large is given up.
Rule 3. What cannot arrive is given up at once; what may, after as many attempts as are allowed.
Rule 4. Pauses double, and are as long as chance has it up to that ("full jitter"): many nodes do not come back at once.
        A pause that the other side asks for is kept in full, within a bound.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sluicegate.events.sinks.base import (
    DeliveryError,
    Event,
    PartialError,
    TooLargeError,
    TransientError,
)

ASKED_FOR = 10
"""A `Retry-After` is followed up to so many times the longest pause of our own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one sink is fed: sizes in events and bytes, pauses in seconds."""

    count: int = 100
    bytes: int = 262_144
    concurrency: int = 4
    timeout: float = 10.0
    attempts: int = 30
    backoff: float = 0.5
    longest_wait: float = 60.0


@dataclass(frozen=True, slots=True)
class Packet:
    """Events that are sent together, and how often that was tried."""

    events: tuple[Event, ...]
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that is given up, and why."""

    event: Event
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from an attempt: how many events arrived, who is given up, who is sent again after a pause."""

    sent: int = 0
    dead: tuple[Letter, ...] = ()
    again: tuple[Packet, ...] = ()
    wait: float = 0.0


def packets(events: Iterable[tuple[Event, int]], plan: Plan) -> list[Packet]:
    """Events, each with its size in bytes, in their order and within the plan's bounds."""
    made: list[Packet] = []
    together: list[Event] = []
    size = 0
    for event, length in events:
        if together and (len(together) >= plan.count or size + length > plan.bytes):
            made.append(Packet(tuple(together)))
            together, size = [], 0
        together.append(event)
        size += length
    if together:
        made.append(Packet(tuple(together)))
    return made


def step(packet: Packet, failure: DeliveryError | None, plan: Plan, *, chance: float) -> Step:
    """What follows from sending a packet. `chance` is in [0, 1)."""
    events, reason = packet.events, str(failure)
    match failure:
        case None:
            return Step(sent=len(events))
        case PartialError():
            return _partial(packet, failure, plan, chance)
        case TooLargeError() if len(events) > 1:
            middle = len(events) // 2
            return Step(again=(Packet(events[:middle]), Packet(events[middle:])))
        case TransientError():
            return _again(packet, events, failure.retry_after, reason, plan, chance)
        case _:
            return Step(dead=_letters(events, reason))


def pause(attempts: int, asked: float | None, plan: Plan, *, chance: float) -> float:
    """Seconds to wait after so many attempts; `asked` is what the other side wants."""
    # So far that no float overflows, and far beyond any longest pause.
    grown = min(plan.longest_wait, plan.backoff * 2.0 ** min(attempts - 1, 64))
    own = grown * chance
    return own if asked is None else max(0.0, min(asked, ASKED_FOR * plan.longest_wait))


def _partial(packet: Packet, failure: PartialError, plan: Plan, chance: float) -> Step:
    events = packet.events
    dead = tuple(Letter(events[index], reason) for index, reason in sorted(failure.refused.items()))
    left = tuple(events[index] for index in failure.again)
    sent = len(events) - len(dead) - len(left)
    if not left:
        return Step(sent=sent, dead=dead)
    rest = _again(packet, left, failure.retry_after, str(failure), plan, chance)
    return Step(sent=sent, dead=dead + rest.dead, again=rest.again, wait=rest.wait)


def _again(
    packet: Packet, events: Sequence[Event], asked: float | None, reason: str, plan: Plan, chance: float
) -> Step:
    attempts = packet.attempts + 1
    if attempts >= plan.attempts:
        return Step(dead=_letters(events, f"given up after {attempts} attempts: {reason}"))
    wait = pause(attempts, asked, plan, chance=chance)
    return Step(again=(Packet(tuple(events), attempts),), wait=wait)


def _letters(events: Sequence[Event], reason: str) -> tuple[Letter, ...]:
    return tuple(Letter(event, reason) for event in events)
