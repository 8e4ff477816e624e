"""Runs go to Lunary."""

import asyncio
from typing import Any

import msgspec
import pytest

from sluicegate.events.sinks.base import PartialError
from sluicegate.events.sinks.lunary import events_of, run_id
from tests.events.sinks.contract import SECRET, Scripted, answer, connected, exchange, scripted


def deliver(*results: dict[str, Any], path: str = "") -> Scripted:
    """Post two exchanges, to which Lunary answers so."""

    async def story() -> Scripted:
        said = answer(200, msgspec.json.encode({"results": results}))
        async with scripted(said) as server, connected("lunary", server.url + path) as sink:
            assert repr(sink) == "<Lunary <Poster 127.0.0.1>>"
            await sink.deliver([exchange(1), exchange(2)])
        return server

    return asyncio.run(story())


@pytest.mark.parametrize("path", ["", "v1/runs/ingest"])
def test_runs_are_posted(path: str) -> None:
    """Each as its begin and its end, with the key as a bearer token."""
    server = deliver(path=path)
    assert server.paths == ["/v1/runs/ingest"]
    assert server.requests[0][0]["authorization"] == f"Bearer {SECRET}"
    events = server.documents()[0]["events"]
    assert [each["event"] for each in events] == ["start", "end", "start", "end"]
    assert events[0]["runId"] == events[1]["runId"] == run_id(exchange(1))


def test_a_run_tells_what_it_was() -> None:
    """Model, times, tokens, tags, and whose it was."""
    begin, end = events_of(exchange(1, user_id="usr_1"))
    assert begin["type"] == "llm"
    assert (begin["name"], begin["tags"], begin["userId"]) == ("gpt-4.1", ["night"], "usr_1")
    assert begin["timestamp"] == "2026-11-21T10:00:00.123Z"
    assert begin["metadata"]["project_id"] == "prj_1"
    assert end["timestamp"] == "2026-11-21T10:00:00.935Z"
    assert end["tokensUsage"] == {"prompt": 100, "completion": 20}


def test_a_failure_ends_as_an_error() -> None:
    """With its kind; what is unknown has a name for it."""
    event = {"timestamp": "2026-11-21T10:00:00Z", "operation": "embeddings", "status_code": 500}
    begin, end = events_of(event)
    assert (begin["type"], begin["name"]) == ("embed", "unknown")
    assert (end["event"], end["error"]) == ("error", {"message": "500"})
    assert "tokensUsage" not in end


def test_refused_runs_are_told_apart() -> None:
    """Each result counts for its own; a run that is known already has arrived."""
    known = {"id": run_id(exchange(1)), "success": False, "error": "Run with this ID already exists in the database."}
    deliver(known, {"id": run_id(exchange(2)), "success": True})
    with pytest.raises(PartialError) as caught:
        deliver({"id": run_id(exchange(2)), "success": False, "error": SECRET})
    assert caught.value.refused == {1: "refused by Lunary"}
    assert caught.value.again == ()
