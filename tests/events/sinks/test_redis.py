"""Events in a stream of a real server."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import Surroundings, TransientError
from sluicegate.events.sinks.redis import make
from tests.ledger.valkey import PASSWORD, Server

SURROUNDINGS = Surroundings(now=lambda: 0.0)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of one test."""
    with Server() as one:
        yield one


def deliver(url: str, count: int, **settings: object) -> str:
    """Deliver so many events; return how the sink calls itself."""

    async def delivered() -> str:
        sink = make(SinkSettings.model_validate({"type": "redis", "address": url, **settings}), SURROUNDINGS)
        try:
            await sink.deliver([{"kind": "exchange", "request_id": str(number)} for number in range(count)])
            return repr(sink)
        finally:
            await sink.close()

    return asyncio.run(delivered())


def test_events_are_entries(server: Server) -> None:
    """Each event is an entry of the default stream, in order, with its JSON in one field."""
    deliver(server.url, 3)
    entries = server.call("XRANGE", "sluicegate:events", "-", "+")
    assert [json.loads(entry["event"]) for _, entry in entries] == [
        {"kind": "exchange", "request_id": str(number)} for number in range(3)
    ]


def test_settings(server: Server) -> None:
    """The stream's name and about how many it keeps are as configured; the password is not shown."""
    name = deliver(server.url, 1000, stream="other", most=100)
    assert server.call("XLEN", "other") < 300
    assert "other" in name
    assert PASSWORD not in name


def test_a_server_that_is_away(server: Server) -> None:
    """Whatever is wrong with the server may pass, and its password is not told."""
    server.kill()
    with pytest.raises(TransientError) as caught:
        deliver(server.url, 1)
    assert str(server.socket) in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_server_that_is_full(server: Server) -> None:
    """So may a full memory, and what of a batch has no room is told as well as all of it."""
    server.call("CONFIG SET", "maxmemory", 1)
    with pytest.raises(TransientError, match=r"maxmemory|OOM"):
        deliver(server.url, 2)
