"""Exchanges go to Helicone's custom log."""

import asyncio

import pytest

from sluicegate.events.sinks.base import TransientError
from sluicegate.events.sinks.helicone import log_of, meta
from tests.events.sinks.contract import SECRET, answer, connected, exchange, scripted


def test_each_exchange_is_a_request() -> None:
    """With the key as a bearer token."""

    async def story() -> None:
        async with scripted() as server, connected("helicone", server.url + "custom/v1/log") as sink:
            await sink.deliver([exchange(1)])
            assert repr(sink) == "<Helicone <Poster 127.0.0.1>>"
            assert sink.most_events == 1
        assert server.paths == ["/custom/v1/log"]
        assert server.requests[0][0]["authorization"] == f"Bearer {SECRET}"
        assert server.documents() == [log_of(exchange(1))]

    asyncio.run(story())


def test_a_no_is_told() -> None:
    """As any other."""

    async def story() -> None:
        async with scripted(answer(503)) as server, connected("helicone", server.url) as sink:
            with pytest.raises(TransientError):
                await sink.deliver([exchange(1)])

    asyncio.run(story())


def test_a_log_has_model_usage_and_times() -> None:
    """In the form of its documentation."""
    log = log_of(exchange(user_id="usr_1", session_id="s1"))
    assert log["providerRequest"]["url"] == "custom-model-nopath"
    assert log["providerRequest"]["json"] == {"model": "smart"}
    assert log["providerResponse"] == {
        "json": {
            "model": "gpt-4.1",
            "id": "chatcmpl-1",
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        },
        "status": 200,
        "headers": {},
    }
    assert log["timing"] == {
        "startTime": {"seconds": 1_795_255_200, "milliseconds": 123},
        "endTime": {"seconds": 1_795_255_200, "milliseconds": 935},
        "timeToFirstToken": 210,
    }
    assert log["providerRequest"]["meta"]["Helicone-User-Id"] == "usr_1"
    assert log["providerRequest"]["meta"]["Helicone-Session-Id"] == "s1"


def test_a_failure_has_its_kind() -> None:
    """And no usage, and no first token."""
    log = log_of({"timestamp": "2026-11-21T10:00:00Z", "status_code": 502, "error": "upstream_unreachable"})
    assert log["providerResponse"]["json"] == {"error": {"message": "upstream_unreachable"}}
    assert log["providerRequest"]["json"] == {"model": "unknown"}
    assert "timeToFirstToken" not in log["timing"]


def test_the_same_exchange_has_the_same_id() -> None:
    """A UUID, as Helicone wants it."""
    assert meta(exchange(1)) == meta(exchange(1))
    assert meta(exchange(1))["Helicone-Request-Id"] != meta(exchange(2))["Helicone-Request-Id"]
    assert len(meta(exchange(1))["Helicone-Request-Id"]) == 36
