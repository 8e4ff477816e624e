"""Who may read the metrics, and what they get."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.control.api import Api
from tests.control.conftest import MINIMAL, WriteSources
from tests.control.metrics.events import measured

TOKEN = "scrape-secret"


def configure(api: Api, write: WriteSources, text: str) -> None:
    """Bring the minimal configuration into force, with this added."""
    write(MINIMAL + text)
    asyncio.run(api.context.configuration.reload(cause="test"))


def test_managers_of_everything_may(api: Api) -> None:
    """Whatever their role; who manages one organisation sees nothing of the others, nor does a stranger."""
    keys = api.world().keys
    viewer = api.add_key("viewer")
    assert [api.ask("GET", "/metrics", key=key).status for key in (keys["root"], keys["admin"], viewer)] == [200] * 3
    for role in ("organization_admin", "viewer"):
        assert api.ask("GET", "/metrics", key=keys[role]).status == 403
    assert api.ask("GET", "/metrics", key=None).status == 401
    assert api.ask("GET", "/metrics", key=TOKEN).status == 401


def test_the_token_reads_metrics_and_nothing_else(api: Api, write: WriteSources) -> None:
    """It is what a scraper presents; nothing but the whole of it does."""
    configure(api, write, f"metrics: {{token: {TOKEN}}}")
    assert api.ask("GET", "/metrics", key=TOKEN).status == 200
    assert api.ask("HEAD", "/metrics", key=TOKEN).status == 200
    assert api.ask("GET", "/metrics", key=TOKEN[:-1]).status == 401
    assert api.ask("GET", "/metrics", key=None).status == 401
    assert api.ask("GET", "/metrics").status == 200
    assert api.ask("GET", "/admin/health", key=TOKEN).status == 401


def test_public_metrics_ask_nobody(api: Api, write: WriteSources) -> None:
    """Where the configuration says so, and no longer than that."""
    configure(api, write, "metrics: {public: true}")
    assert api.ask("GET", "/metrics", key=None).status == 200
    assert api.ask("GET", "/metrics", key="anything").status == 200
    configure(api, write, "")
    assert api.ask("GET", "/metrics", key=None).status == 401


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_a_scrape_is_in_the_form_that_was_asked_for(accept: str, media: str, api: Api) -> None:
    """With its media type, and not to be kept by anybody on the way."""
    answer = api.ask("GET", "/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith(media)
    assert answer.headers["cache-control"] == "no-store"


def test_a_scrape_shows_what_was_counted(api: Api) -> None:
    """The counters, and the node as it is now."""
    api.context.metrics.tally.add([measured()])
    api.context.workers.joined(0, 11)
    read = {one.name: one for one in text_string_to_metric_families(api.ask("GET", "/metrics").body.decode())}
    assert [one.value for one in read["sluicegate_requests"].samples] == [1]
    assert [one.value for one in read["sluicegate_workers"].samples] == [1, 0]
