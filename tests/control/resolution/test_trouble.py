"""Telling of a database that does not answer."""

from sqlalchemy.exc import OperationalError
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.store.errors import StoreUnavailableError


def test_trouble_is_told_once(log: FilteringBoundLogger, captured: LogCapture) -> None:
    """Its beginning and its end are logged, what is between only shows."""
    trouble = Trouble("it fails", log)
    assert str(trouble) == "well"
    trouble.ended()
    trouble.began(OSError("gone"))
    trouble.began(TimeoutError())
    assert str(trouble) == "TimeoutError"
    trouble.ended()
    trouble.began(OSError("gone again"))
    assert [(entry["event"], entry.get("reason")) for entry in captured.entries] == [
        ("it fails", "gone"),
        ("over: it fails", None),
        ("it fails", "gone again"),
    ]


def test_what_the_store_raises_is_trouble() -> None:
    """Its own error, drivers' errors, and a time that is over."""
    for error in (StoreUnavailableError("away"), OperationalError("", {}, Exception()), TimeoutError()):
        assert isinstance(error, FAILURES)
