"""A few rounds of the soak; how it is run for longer stands in `soak`."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.soak import Books, soak

GOOD = Books(
    asked=3,
    whole=Counter(["a", "b"]),
    ends=Counter({200: 2, "lost": 1}),
    rows=Counter(["a", "b", "c"]),
    attempts=3,
    lost_workers=1,
    added_up=3,
    counted=3,
    sinks={"archive": Counter(["a", "a", "b", "c"])},
    pending=0,
    dead={},
)


def test_whatever_is_killed(tmp_path: Path) -> None:
    """Each request is once in the database, in its sums and in the metrics, and in every sink; none is left idle."""
    books = soak(tmp_path, 3, random.Random(3))
    assert books.complaints() == []
    assert books.ends[200] > 100


def test_books_that_agree() -> None:
    """What comes twice to a sink, and what a worker had under way that died, is no complaint."""
    assert GOOD.complaints() == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"whole": Counter(["a", "x"])}, "1 whole answers are not in SQL"),
        ({"rows": Counter(["a", "b", "b", "c"]), "added_up": 4, "counted": 4}, "b is in SQL 2 times"),
        ({"sinks": {"archive": Counter(["a", "b"])}}, "1 requests that are in SQL are not in the sink archive"),
        ({"sinks": {"archive": Counter("abcd")}}, "1 requests of the sink archive are not in SQL"),
        ({"added_up": 4}, "sums are 4, not 3"),
        ({"counted": 2}, "metrics are 2, not 3"),
        ({"asked": 4}, "the provider was asked 4 times, SQL has 3 attempts"),
        ({"asked": 1}, "SQL has 3 attempts, of which the provider knows 1"),
        ({"pending": 2}, "2 messages are left idle"),
    ],
)
def test_books_that_do_not(changes: dict[str, Any], complaint: str) -> None:
    """Each thing that may be lost or twice is noticed, and nothing else is complained of."""
    assert replace(GOOD, **changes).complaints() == [complaint]
