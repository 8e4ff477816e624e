"""Which segments are deleted: told by examples first, then held to its rules for any journal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.events.checkpoint import Checkpoint, Progress, Waiting
from sluicegate.events.retention import Bounds, Doomed, Stored, doomed, is_needed

ROOMY = Bounds(1_000)


def row(incarnation: str, *sizes: int, since: float = 0.0, is_over: bool = True) -> list[Stored]:
    """One incarnation's segments, a second after another; the last is written to unless it `is_over`."""
    return [
        Stored(incarnation, index, size, since + index - 1, is_over or index < len(sizes), index == len(sizes))
        for index, size in enumerate(sizes, 1)
    ]


def names(segments: tuple[Stored, ...]) -> list[tuple[str, int]]:
    """Incarnation and number of each."""
    return [(segment.incarnation, segment.number) for segment in segments]


def test_nothing_goes_while_there_is_room() -> None:
    """Segments that everybody has read stay too: people may want to look at them."""
    read = Checkpoint({"a": Progress(2, 500)})
    for checkpoints in ([], [read], [Checkpoint()]):
        assert doomed(row("a", 500, 500), checkpoints, ROOMY, now=1e9) == Doomed()


def test_oldest_goes_first_whoever_wrote_it() -> None:
    """By when it was last written to, over all incarnations, until the rest is within the bound and no further."""
    segments = [*row("a", 400, 400, since=10), *row("b", 400, 400, since=10.5)]
    assert names(doomed(segments, [], ROOMY, now=99).passed) == [("a", 1), ("b", 1)]
    assert names(doomed(segments, [], Bounds(1_200), now=99).passed) == [("a", 1)]


def test_what_is_written_to_stays() -> None:
    """The last segment of a living writer stays, however large."""
    alive = row("a", 5_000, 5_000, is_over=False)
    assert names(doomed(alive, [], Bounds(1), now=99).passed) == [("a", 1)]


def test_what_everybody_passed_goes_before_what_is_older() -> None:
    """Events that a consumer still needs are spared as long as room can be made elsewhere, and nothing is lost."""
    segments = [*row("a", 400, since=1), *row("b", 400, since=2), *row("c", 400, since=3)]
    behind = Checkpoint({"b": Progress(1, 400), "c": Progress(1, 400)})
    assert doomed(segments, [behind], ROOMY, now=99) == Doomed(passed=(segments[1],))


def test_standing_consumer_loses_the_oldest() -> None:
    """Where there is no room without it, what is needed goes too, and is told apart."""
    segments = row("a", 400, 400, 400)
    ahead = Checkpoint({"a": Progress(3, 0)})
    chosen = doomed(segments, [ahead, Checkpoint()], Bounds(500), now=99)
    assert (chosen.passed, names(chosen.unread)) == ((), [("a", 1), ("a", 2)])


def test_loss_frees_what_lay_behind_it() -> None:
    """A segment that nobody needs may lie behind one that is waited for; with that one gone it is no loss."""
    waiting = Checkpoint({"a": Progress(3, 0, (Waiting("req_1", 1, 7),))})
    chosen = doomed(row("a", 400, 400, 400), [waiting], Bounds(400), now=99)
    assert (names(chosen.unread), names(chosen.passed)) == ([("a", 1)], [("a", 2)])


def test_age_spares_what_is_needed() -> None:
    """Beyond the bound of age goes what everybody has read, however much room there is; the rest waits."""
    bounds = Bounds(1_000, longest_seconds=10)
    segments = row("a", 10, 10, 10)
    assert doomed(segments, [], bounds, now=9.9) == Doomed()
    assert names(doomed(segments, [], bounds, now=11).passed) == [("a", 1), ("a", 2)]
    assert doomed(segments, [Checkpoint()], bounds, now=99) == Doomed()
    for offset in (9, 10):
        ahead = Checkpoint({"a": Progress(2, offset)})
        assert names(doomed(segments, [ahead], bounds, now=99).passed) == [("a", 1)]
    assert names(doomed(segments, [Checkpoint({"a": Progress(3, 9)})], bounds, now=99).passed) == [("a", 1), ("a", 2)]


def test_restarts_leave_nothing() -> None:
    """An incarnation that ended without an event goes at once; an empty segment that is written to stays."""
    segments = [*row("a", 0), *row("b", 0, is_over=False), *row("c", 5, 0)]
    assert names(doomed(segments, [Checkpoint()], ROOMY, now=0).passed) == [("a", 1)]


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [
        (Checkpoint(), True),
        (Checkpoint({"a": Progress(1, 100)}), True),
        (Checkpoint({"a": Progress(2, 99)}), True),
        (Checkpoint({"a": Progress(2, 100)}), False),
        (Checkpoint({"a": Progress(2, 100, (Waiting("req_1", 2, 0),))}), True),
        (Checkpoint({"a": Progress(3, 0)}), False),
        (Checkpoint({"a": Progress(3, 0, (Waiting("req_1", 2, 0),))}), True),
        (Checkpoint({"a": Progress(3, 0, (Waiting("req_1", 1, 0),))}), False),
    ],
)
def test_what_a_consumer_needs(checkpoint: Checkpoint, expected: bool) -> None:
    """What it has not read to its end, and what began in it and is still waited for."""
    assert is_needed(Stored("a", 2, 100, 0.0, is_closed=True, is_last=True), [checkpoint]) is expected


@pytest.mark.parametrize("size", [0, 100])
def test_segment_that_another_follows_is_needed_until_it_is_left(size: int) -> None:
    """Who comes back to its end, and finds only the next one, would have to tell that something is missing."""
    segment = Stored("a", 2, size, 0.0, is_closed=True, is_last=False)
    assert is_needed(segment, [Checkpoint({"a": Progress(2, size)})])
    assert not is_needed(segment, [Checkpoint({"a": Progress(3, 0)})])


NAMES = ("a", "b", "c")

journals = st.lists(
    st.builds(
        lambda name, sizes, since, is_over: row(name, *sizes, since=since, is_over=is_over),
        st.sampled_from(NAMES),
        st.lists(st.integers(0, 50), min_size=1, max_size=5),
        st.integers(0, 20),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda segments: segments[0].incarnation,
).map(lambda rows: [segment for segments in rows for segment in segments])
numbers = st.integers(1, 5)
progresses = st.builds(
    Progress,
    numbers,
    st.integers(0, 50),
    st.lists(st.builds(Waiting, st.just("req"), numbers, st.just(0)), max_size=2).map(tuple),
)
checkpoints = st.lists(st.builds(Checkpoint, st.dictionaries(st.sampled_from(NAMES), progresses)), max_size=2)
bounds = st.builds(Bounds, st.integers(1, 400), st.none() | st.floats(0, 30))


@settings(max_examples=300)
@given(journals, checkpoints, bounds, st.floats(0, 60))
def test_rules_hold_for_any_journal(stored: list[Stored], known: list[Checkpoint], bound: Bounds, now: float) -> None:
    """No open segment goes, no gap is left, the bound holds as far as it can, and nothing is lost without need."""
    chosen = doomed(reversed(stored), known, bound, now=now)
    gone = {*chosen.passed, *chosen.unread}
    left = [segment for segment in stored if segment not in gone]
    assert len(gone) == len(chosen.passed) + len(chosen.unread)
    assert all(segment.is_closed for segment in gone)
    for name in NAMES:
        rest = [segment.number for segment in left if segment.incarnation == name]
        assert rest == [segment.number for segment in stored if segment.incarnation == name][-len(rest) or 99 :]
    assert size_of(left) <= bound.largest_bytes or not any(is_head(segment, left) for segment in left)
    filled = {segment.incarnation for segment in stored if segment.size}
    assert not any(is_needed(segment, known) for segment in chosen.passed if segment.incarnation in filled)
    assert all(is_needed(segment, known) for segment in chosen.unread)
    if chosen.unread:
        assert size_of(stored) - size_of(free_of(stored, known)) > bound.largest_bytes


@settings(max_examples=100)
@given(journals, checkpoints, bounds, st.floats(0, 60))
def test_second_look_finds_nothing(stored: list[Stored], known: list[Checkpoint], bound: Bounds, now: float) -> None:
    """What is left after a look is what a look leaves."""
    chosen = doomed(stored, known, bound, now=now)
    gone = {*chosen.passed, *chosen.unread}
    assert doomed([segment for segment in stored if segment not in gone], known, bound, now=now) == Doomed()


def size_of(segments: list[Stored]) -> int:
    """Bytes of all together."""
    return sum(segment.size for segment in segments)


def is_head(segment: Stored, left: list[Stored]) -> bool:
    """Whether it could still go: closed, and the oldest of its incarnation."""
    return segment.is_closed and segment == min(
        (each for each in left if each.incarnation == segment.incarnation), key=lambda each: each.number
    )


def free_of(stored: list[Stored], known: list[Checkpoint]) -> list[Stored]:
    """What could go without a loss: of each incarnation all before the first that is needed or written to."""
    held: set[str] = set()
    free: list[Stored] = []
    for segment in stored:
        if not segment.is_closed or is_needed(segment, known):
            held.add(segment.incarnation)
        if segment.incarnation not in held:
            free.append(segment)
    return free
