"""The floors of coverage must hold, and say so when they do not."""

from tests.rules.coverage_floors import shortfalls


def test_coverage_below_its_floor_is_told() -> None:
    """A package exactly at its floor passes, one below fails by name."""
    assert list(shortfalls({"wire": 95.0, "domain": 100.0})) == []
    assert list(shortfalls({"wire": 94.94, "domain": 100.0})) == [
        "coverage of wire is 94.9 %, at least 95 % are required"
    ]
