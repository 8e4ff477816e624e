"""The front page."""

from sluicegate import __version__
from sluicegate.control.application import create_application
from sluicegate.control.context import Context
from tests.control.asgi import ask


def test_front_page_says_what_this_is(context: Context) -> None:
    """Name, version and endpoints are told to everybody, and nothing else."""
    assert ask(create_application(context), "GET", "/").json == {
        "name": "sluicegate",
        "version": __version__,
        "endpoints": {
            "proxy": ["/v1/*", "/<provider>/*"],
            "health": ["/livez", "/readyz", "/health", "/healthz"],
            "management": ["/admin/config", "/admin/config/reload", "/admin/workers"],
        },
    }
