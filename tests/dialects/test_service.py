"""What an answer says of its service tier."""

import pytest

from sluicegate.dialects.service import service_of


@pytest.mark.parametrize(
    ("told", "service"),
    [
        (None, None),
        ("", None),
        ("default", None),
        ("standard", None),
        ("on_demand", None),
        ("flex", "flex"),
        ("priority", "priority"),
        ("x" * 99, "x" * 32),
    ],
)
def test_the_usual_tier_has_no_name(told: str | None, service: str | None) -> None:
    """Only what costs something else is told, and no more of it than a name may have."""
    assert service_of(told) == service
