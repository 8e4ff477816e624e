"""What is kept of one request."""

from sluicegate.domain.request_bodies import LARGEST_BODY, USUAL_BODY, RequestBodies
from sluicegate.store.schema import request_bodies


def test_a_row_is_in_the_order_of_its_columns() -> None:
    """It is written and read by position."""
    assert RequestBodies._fields == tuple(column.name for column in request_bodies.columns)


def test_what_is_usual_may_be_asked_for() -> None:
    """And is far from the most."""
    assert 0 < USUAL_BODY * 10 < LARGEST_BODY
