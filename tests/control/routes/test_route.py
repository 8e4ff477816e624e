"""A row of the table."""

from sluicegate.control.routes.route import Route


async def endpoint() -> None:
    """Nothing."""


def test_row_says_who_may_do_what() -> None:
    """A row without more is answered with 200 and JSON, in the form that its endpoint's annotation says."""
    route = Route("GET", "/x", "viewer", endpoint)
    assert (route.status, route.answer, route.media, route.takes) == (200, None, (), ())


def test_the_last_part_of_a_path_may_have_slashes() -> None:
    """It is matched so, and shown without."""
    assert Route("GET", "/x/{y}", "viewer", endpoint).pattern == "/x/{y}"
    assert Route("GET", "/x/{y}", "viewer", endpoint, takes_rest=True).pattern == "/x/{y:path}"
