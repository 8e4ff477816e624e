"""Requests of the log in blocks."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.request_blocks import (
    CHUNK,
    FIRST_CHUNK,
    LARGEST,
    PIECES,
    Block,
    Candidates,
    Stored,
    blocks_of,
    demands_of,
    lines_of,
    row_of,
    rows_of,
    span_of,
    times_piece,
)
from sluicegate.domain.usage_rows import DAY, Kept, LoggedUsage, entry_of
from tests.store.events import BEGAN, an_event

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=80)
WORDS = st.sampled_from(["", "a", "b", "c"])


def rows(block: Block) -> list[Stored]:
    """All rows of a block."""
    chunks = [data for number, data in block.pieces if number >= FIRST_CHUNK]
    assert all(len(lines_of(chunk)) <= CHUNK for chunk in chunks)
    return [row for chunk in chunks for row in rows_of(chunk)]


def found(block: Block, span: range | None = None, **wanted: Any) -> list[int]:
    """The rows that may fit."""
    code, digit = wanted.pop("status_code", None), wanted.pop("status_class", None)
    asked = demands_of(wanted, status_code=code, status_class=digit)
    pieces, rows_left = dict(block.pieces), Candidates(block.rows)
    if all(rows_left.narrow(demand, pieces.get(demand.piece, b"")) for demand in asked):
        return list(rows_left.newest_first(span))
    return []


def test_rows_come_back_as_they_were() -> None:
    """With everything the event says, in the order of time and then of their ids."""
    full = an_event(
        2,
        first_byte_ms=3.25,
        is_stream=True,
        error="upstream_error",
        tags=("a", "b"),
        session_id="ü😀\n",
        cost=None,
        failed_attempts=(FailedAttempt("one", "m", 500, "upstream_error"),),
    )
    events = [full, an_event(1), an_event(1, request_id="req_0")]
    [block] = blocks_of(events)
    assert (block.first_at, block.last_at, block.rows) == (BEGAN + 1, BEGAN + 2, 3)
    assert [entry_of(row) for row in rows(block)] == [entry_of(event) for event in reversed(events)]
    assert blocks_of([]) == []


def test_a_block_is_of_one_day_and_bounded() -> None:
    """Many events are spread evenly, and no block has more pieces than there are numbers for."""
    events = [an_event(number % 2 * DAY + number) for number in range(2 * LARGEST + 2)]
    blocks = blocks_of(events)
    assert [block.rows for block in blocks] == [LARGEST // 2, LARGEST // 2 + 1] * 2
    assert [block.first_at // DAY for block in blocks] == [BEGAN // DAY] * 2 + [BEGAN // DAY + 1] * 2
    assert sum(len(rows(block)) for block in blocks) == len(events)
    assert FIRST_CHUNK + LARGEST // CHUNK + 1 < PIECES


FILTERS = (
    ({"organization_id": "org_2"}, {"organization_id": "org_2"}),
    ({"project_id": "prj_2"}, {"project_id": "prj_2"}),
    ({"user_id": "usr_2"}, {"user_id": "usr_2"}),
    ({"token": "tok_2"}, {"token_id": "tok_2"}),
    ({"provider": "anthropic"}, {"provider": "anthropic"}),
    ({"model": "claude"}, {"model": "claude"}),
    ({"error": "budget_exceeded"}, {"error": "budget_exceeded"}),
    ({"request_id": "req_other"}, {"request_id": "req_other"}),
    ({"tags": ("x", "y", "x")}, {"tag": "x"}),
    ({"status_code": 429}, {"status_code": 429}),
    ({"status_code": 429}, {"status_class": 4}),
)


@pytest.mark.parametrize(("fields", "wanted"), FILTERS, ids=str)
def test_rows_are_found_by_their_marks(fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    """By each thing that can be asked for, from the last on; what no row has is not there."""
    events = [an_event(number, **(fields if number in {3, 70, 71} else {})) for number in range(200)]
    [block] = blocks_of(events)
    # Of those with the same id the order is that of time.
    assert found(block, **wanted) == [71, 70, 3]
    assert found(block, range(4, 71), **wanted) == [70]
    [other] = blocks_of([an_event()])
    assert found(other, **wanted) == []


def test_a_model_that_is_too_long_is_found_by_what_is_kept() -> None:
    """As the row tells it."""
    [block] = blocks_of([an_event(model="m" * 300)])
    assert found(block, model=entry_of(rows(block)[0]).row.model) == [0]


@given(
    st.lists(st.tuples(WORDS, WORDS, st.lists(WORDS, max_size=3), st.sampled_from([200, 404, 429])), min_size=1),
    st.fixed_dictionaries(
        {}, optional={"model": WORDS, "token_id": WORDS, "tag": WORDS, "status_code": st.sampled_from([200, 404])}
    ),
)
def test_all_tests_together(drawn: list[tuple[str, str, list[str], int]], wanted: dict[str, Any]) -> None:
    """Just the rows are left that fit all of them: the marks of these few values differ."""
    events = [
        an_event(number, model=model, token=token, tags=tuple(tags), status_code=status)
        for number, (model, token, tags, status) in enumerate(drawn)
    ]
    expected = [
        number
        for number, (model, token, tags, status) in enumerate(drawn)
        if wanted.get("model", model) == model
        and wanted.get("token_id", token) == token
        and ("tag" not in wanted or wanted["tag"] in tags)
        and wanted.get("status_code", status) == status
    ]
    [block] = blocks_of(events)
    assert found(block, **wanted) == expected[::-1]


def test_marks_are_found_at_their_places_only() -> None:
    """Two bytes that are half of one row's mark and half of the next one's are no mark."""
    [block] = blocks_of([an_event(number, status_code=code) for number, code in enumerate((513, 258, 513, 513))])
    assert dict(block.pieces)[3] == bytes((1, 2, 2, 1, 1, 2, 1, 2))
    assert found(block, status_code=258) == [1]
    assert found(block, status_code=513) == [3, 2, 0]
    assert found(block, status_code=0x0202) == []


def test_rows_of_a_time() -> None:
    """From the first moment on and before the last."""
    [block] = blocks_of([an_event(number) for number in (0, 1, 1, 2, 5)])
    times = dict(block.pieces)[times_piece()]
    assert span_of(times, BEGAN + 1, BEGAN + 5) == range(1, 4)
    assert span_of(times, 0, 2**62) == range(5)
    assert found(block, span_of(times, BEGAN + 1, BEGAN + 2)) == [2, 1]


@given(text=ANY_TEXT, number=st.integers(), took=st.floats(), tags=st.lists(ANY_TEXT, max_size=3))
def test_whatever_an_event_says_is_kept_somehow(text: str, number: int, took: float, tags: list[str]) -> None:
    """The row tells the same as the event does, but for details that cannot be written; its neighbours are whole."""
    strange = Kept(
        *(text, "2026-11-21T10:00:00.123Z", text, text, text, text, text, number),
        duration_ms=0.0 if took != took or took in {float("inf"), float("-inf")} else took,
        user_id=text,
        provider=text,
        model=text,
        usage=LoggedUsage(number, number, number, number, number),
        error=text,
        session_id=text,
        tags=tuple(tags),
        cost=number,
    )
    blocks = blocks_of([an_event(), strange])
    kept, tags_kept = entry_of(rows(blocks[-1])[0])
    row, tags_told = entry_of(strange)
    assert (kept._replace(details="", duration_us=0), tags_kept) == (row._replace(details="", duration_us=0), tags_told)
    assert abs(kept.duration_us - row.duration_us) <= 1
    assert entry_of(rows(blocks[0])[0]) == entry_of(an_event())


def test_what_cannot_be_written_costs_its_own_row_alone() -> None:
    """A number beyond 64 bits is cut down and details are left out; its neighbours are whole."""
    [block] = blocks_of([an_event(1), an_event(2, cost=2**70), an_event(3)])
    first, second, third = (entry_of(row) for row in rows(block))
    assert (first, third) == (entry_of(an_event(1)), entry_of(an_event(3)))
    assert second.row.cost == entry_of(an_event(2, cost=2**70)).row.cost


def test_candidates_tell_how_many_they_are() -> None:
    """As far as it is known; once there are none, there will be none."""
    [block] = blocks_of([an_event(number, token=f"tok_{number}") for number in range(3)])
    left, pieces = Candidates(block.rows), dict(block.pieces)
    assert repr(left) == "<Candidates ? of 3>"
    for token, count, may_be in (("tok_1", 1, True), ("tok_2", 0, False), ("tok_1", 0, False)):
        [demand] = demands_of({"token_id": token}, status_code=None, status_class=None)
        assert left.narrow(demand, pieces[demand.piece]) is may_be
        assert repr(left) == f"<Candidates {count} of 3>"


def test_a_damaged_row_is_passed_over() -> None:
    """Those before and behind it are read."""
    [block] = blocks_of([an_event(number) for number in range(3)])
    chunk = dict(block.pieces)[FIRST_CHUNK]
    first, second, third = lines_of(chunk)
    assert row_of(second[:-1]) is None
    assert rows_of(b"\n".join((first, second[:-1], third, b""))) == [row_of(first), row_of(third)]


def test_rows_of_an_earlier_version_are_read() -> None:
    """One that has fewer fields: those that are new are as if the event had left them out."""
    [block] = blocks_of([an_event(failed_attempts=(FailedAttempt("one", "m", 500),))])
    [line] = lines_of(dict(block.pieces)[FIRST_CHUNK])
    shorter = line.removesuffix(b',[["one","m",500,""]]]') + b"]"
    [whole] = rows(block)
    assert row_of(shorter) == replace(whole, failed_attempts=())
