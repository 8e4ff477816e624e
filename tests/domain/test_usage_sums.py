"""What exchanges add up to by hour and day."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.domain.usage_rows import (
    DAY,
    HOUR,
    MOST_MICROSECONDS,
    MOST_MONEY,
    MOST_TOKENS,
    LoggedUsage,
    RollupKey,
    Sums,
)
from sluicegate.domain.usage_sums import alike, by_subject, packed, unpacked
from sluicegate.store.schema import rollups
from tests.store.events import BEGAN, an_event


def test_columns_have_their_order() -> None:
    """A sum is written as it is: in the order of its table's columns."""
    assert [column.name for column in rollups.columns] == [*RollupKey._fields, *Sums.__struct_fields__]


def test_each_subject_has_its_sums() -> None:
    """A request counts by hour and by day, for everybody, its owners, its token and each of its tags."""
    sums = by_subject(alike([an_event(tags=("a", "b", "a"))]))
    hour, day = BEGAN // HOUR * HOUR, BEGAN // DAY * DAY
    subjects = [
        ("all", "", ""),
        ("organization", "org_1", "org_1"),
        ("project", "prj_1", "org_1"),
        ("user", "usr_1", "org_1"),
        ("token", "tok_1", "org_1"),
        ("tag", "a", "org_1"),
        ("tag", "b", "org_1"),
    ]
    assert set(sums) == {
        (grain, scope, start, scope_id, owner, "openai", "gpt-4.1")
        for grain, start in (("hour", hour), ("day", day))
        for scope, scope_id, owner in subjects
    }
    assert set(map(repr, sums.values())) == {repr(Sums(1, 0, 0, 10, 5, 3, 700, 12_500))}


def test_nobody_is_no_subject() -> None:
    """A request without a recognised token counts for everybody alone, one without a user for no user."""
    stranger = an_event(token="", project_id="", organization_id="", user_id=None)
    assert Counter(key.scope for key in by_subject(alike([stranger]))) == {"all": 2}
    assert "user" not in {key.scope for key in by_subject(alike([an_event(user_id=None)]))}


def test_sums_are_of_what_is_alike() -> None:
    """Requests are added up by hour, day, subject and model; failed and unpriced ones are counted apart, too."""
    sums = by_subject(
        alike(
            [
                an_event(0),
                an_event(1, cost=None, status_code=400, usage=None),
                an_event(2, is_cut=True),
                an_event(HOUR, model="other"),
            ]
        )
    )
    day = BEGAN // DAY * DAY
    assert sums[RollupKey("day", "user", day, "usr_1", "org_1", "openai", "gpt-4.1")] == Sums(
        requests=3,
        failed=2,
        unpriced=1,
        input_tokens=20,
        output_tokens=10,
        cache_read_tokens=6,
        cost=1400,
        duration_us=37_500,
    )
    assert sums[RollupKey("day", "all", day, "", "", "openai", "other")].requests == 1


@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.sampled_from(["a", "b"]), st.sampled_from(["x", ""]))))
def test_sums_of_parts_are_the_sum(drawn: list[tuple[int, str, str]]) -> None:
    """However events are cut into batches, they add up to the same."""
    events = [an_event(number, token=token, model=model) for number, token, model in drawn]
    parts: dict[RollupKey, Sums] = {}
    for event in events:
        for key, sums in by_subject(alike([event])).items():
            parts.setdefault(key, Sums()).add(sums)
    assert parts == by_subject(alike(events))


def test_what_is_beyond_all_bounds_counts_as_the_most() -> None:
    """A number that is too large is cut to what a sum can take, one below zero counts as none."""
    events = [
        an_event(usage=LoggedUsage(2**70, -5, 2**70), cost=2**70, duration_ms=float(MOST_MICROSECONDS)),
        an_event(cost=-1, duration_ms=-1.0),
    ]
    (sums,) = alike(events).values()
    assert sums == Sums(2, 0, 0, MOST_TOKENS + 10, 5, MOST_TOKENS + 3, MOST_MONEY, MOST_MICROSECONDS)


def test_a_time_that_is_none_is_1970() -> None:
    """As in the request's row."""
    assert {key.start for key in by_subject(alike([an_event(timestamp="yesterday")]))} == {0}


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.sampled_from(["a", "b"]), st.sampled_from(["x", "y\0"]))))
)
def test_what_is_put_by_comes_to_the_same(drawn: list[list[tuple[int, str, str]]]) -> None:
    """Whatever was packed together, what is unpacked adds up to what all come to."""
    batches = [[an_event(number, token=token, tags=(tag,)) for number, token, tag in batch] for batch in drawn]
    together = unpacked([packed(alike(batch)) for batch in batches])
    assert by_subject(together) == by_subject(alike([event for batch in batches for event in batch]))


@pytest.mark.parametrize("user", [None, "usr_\udfff"])
def test_what_cannot_be_written_is_replaced(user: str | None) -> None:
    """One strange text does not keep a batch from being put by."""
    events = [an_event(model="\ud800", user_id=user), an_event()]
    assert by_subject(unpacked([packed(alike(events))])) == by_subject(alike(events))
