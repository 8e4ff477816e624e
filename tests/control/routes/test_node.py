"""The front page."""

from sluicegate import __version__
from sluicegate.control.routes.table import ROUTES
from tests.control.api import Api


def test_front_page_says_what_this_is(api: Api) -> None:
    """Name, version and endpoints are told to everybody, and nothing else."""
    assert api.ask("GET", "/", key=None).json == {
        "name": "sluicegate",
        "version": __version__,
        "endpoints": {
            "proxy": ["/v1/*", "/<provider>/*"],
            "health": ["/livez", "/readyz", "/health", "/healthz"],
            "management": sorted({route.path for route in ROUTES if route.least != "anyone"}),
        },
    }
