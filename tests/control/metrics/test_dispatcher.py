"""A dispatcher's own metrics: what is in them, and how a scrape is answered."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from structlog.typing import FilteringBoundLogger

from sluicegate.control.metrics.dispatcher import DispatcherMetrics, served
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.consumer import Standing
from sluicegate.events.sinks.base import ALL_KINDS, Event
from sluicegate.events.sinks.dead_letters import DeadLetters
from sluicegate.events.sinks.decisions import Plan
from sluicegate.events.sinks.engine import Engine
from sluicegate.events.stream_group import GroupStanding, StreamUnavailableError

REFERENCE = (Path(__file__).parents[3] / "docs/reference/metrics.md").read_text("utf-8")


class Taking:
    """A sink that takes everything."""

    kinds = ALL_KINDS
    most_events = 100

    async def deliver(self, batch: object) -> None:
        """Take it."""

    async def close(self) -> None:
        """Nothing is held."""


class Reading:
    """A consumer that is somewhat behind, on a disk that may not be there."""

    name = "sink-out"
    checkpoint = Checkpoint()
    is_there = True

    def standing(self) -> Standing:
        """Tell."""
        if not self.is_there:
            raise OSError("gone")
        return Standing("sink-out", 70, 1.5, 3, 0, 0, 0, None, is_optional=True)


@pytest.fixture
def engine(tmp_path: Path, log: FilteringBoundLogger) -> Engine:
    """One that has delivered nothing yet."""
    letters = DeadLetters(tmp_path / "dead.jsonl", largest_bytes=1000, now=lambda: 0.0)
    return Engine("out", Taking(), Plan(), letters, chance=lambda: 0.0, log=log)


def read(metrics: DispatcherMetrics) -> dict[str, Metric]:
    """A scrape, by name."""
    body, media = asyncio.run(metrics.answer(""))
    assert media == "text/plain; version=0.0.4; charset=utf-8"
    return {metric.name: metric for metric in text_string_to_metric_families(body.decode())}


def values(metric: Metric) -> dict[str, float]:
    """Values by the only label."""
    return {next(iter(sample.labels.values())): sample.value for sample in metric.samples}


def test_of_the_journal(engine: Engine) -> None:
    """How far behind it is, what became of its events, and its process; nothing of a stream."""
    metrics = DispatcherMetrics(engine)
    metrics.consumers.add(Reading())
    event: Event = {"kind": "exchange", "request_id": "a"}
    asyncio.run(engine.deliver([event, event]))
    found = read(metrics)
    assert values(found["sluicegate_consumer_backlog_bytes"]) == {"sink-out": 70}
    assert values(found["sluicegate_consumer_lag_seconds"]) == {"sink-out": 1.5}
    assert values(found["sluicegate_events_sent"]) == {"out": 2}
    assert values(found["sluicegate_process_resident_memory_bytes"])["dispatcher"] > 1_000_000
    assert found["sluicegate_stream_lag_entries"].samples == []
    assert "<DispatcherMetrics out>" in repr(metrics)


def test_of_a_stream(engine: Engine) -> None:
    """What waits in the stream, and what is under way; nothing of the journal."""

    async def standing() -> GroupStanding:
        return GroupStanding(lag=5, pending=2)

    metrics = DispatcherMetrics(engine)
    metrics.follow(standing)
    found = read(metrics)
    assert values(found["sluicegate_stream_lag_entries"]) == {"out": 5}
    assert values(found["sluicegate_stream_pending_entries"]) == {"out": 2}
    assert found["sluicegate_consumer_backlog_bytes"].samples == []


def test_what_is_away_is_left_out(engine: Engine) -> None:
    """A server or a disk that does not tell is no reason not to tell the rest."""

    async def standing() -> GroupStanding:
        raise StreamUnavailableError("away")

    metrics, reading = DispatcherMetrics(engine), Reading()
    metrics.follow(standing)
    metrics.consumers.add(reading)
    reading.is_there = False
    found = read(metrics)
    assert found["sluicegate_stream_lag_entries"].samples == []
    assert found["sluicegate_consumer_backlog_bytes"].samples == []
    assert values(found["sluicegate_events_sent"]) == {"out": 0}


def test_each_is_in_the_reference(engine: Engine) -> None:
    """Under its name in queries."""
    for metric in read(DispatcherMetrics(engine)).values():
        name = metric.name + "_total" * (metric.type == "counter")
        assert re.search(rf"`{name}`", REFERENCE), name


def conversation(talk: Callable[[int], Awaitable[None]]) -> None:
    """Talk to a server that answers with what was accepted."""

    async def answer(accept: str) -> tuple[bytes, str]:
        return f"accepts {accept}".encode(), "text/plain"

    async def held() -> None:
        async with served("127.0.0.1", 0, answer) as port, asyncio.timeout(60):
            await talk(port)

    asyncio.run(held())


async def said(port: int, request: bytes) -> bytes:
    """The whole answer; the connection is closed after it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("request_line", "status", "rest"),
    [
        ("GET /metrics HTTP/1.1\r\nAccept: this", b"HTTP/1.1 200 OK", b"accepts this"),
        ("GET /metrics?x=1 HTTP/1.1", b"HTTP/1.1 200 OK", b"accepts "),
        ("GET / HTTP/1.1", b"HTTP/1.1 404 Not Found", b"see /metrics\n"),
        ("POST /metrics HTTP/1.1", b"HTTP/1.1 405 Method Not Allowed", b""),
    ],
)
def test_answers(request_line: str, status: bytes, rest: bytes) -> None:
    """Only the metrics are there, and only to be read."""

    async def talk(port: int) -> None:
        head, _, body = (await said(port, f"{request_line}\r\n\r\n".encode())).partition(b"\r\n\r\n")
        assert head.startswith(status)
        assert f"content-length: {len(body)}".encode() in head
        assert body == rest

    conversation(talk)


@pytest.mark.parametrize("nonsense", [b"", b"GET /metrics", b"x" * 100_000])
def test_nonsense_is_not_answered(nonsense: bytes) -> None:
    """Who ends before its request does, or never ends it, gets nothing; the next one is served."""

    async def talk(port: int) -> None:
        # What is closed while there was more to read may be reset.
        with contextlib.suppress(ConnectionError):
            assert await said(port, nonsense) == b""
        assert b"accepts" in await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")

    conversation(talk)
