"""The table of the management API's paths."""

from sluicegate.control.routes.table import ROUTES


def test_only_the_front_page_is_open() -> None:
    """Every path but `/` asks for the management token, and no path is there twice."""
    assert [route.path for route in ROUTES if route.role == "anyone"] == ["/"]
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
