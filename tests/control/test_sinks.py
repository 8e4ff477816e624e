"""The configured sinks are fed while the node runs."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.config.schema import SinkSettings
from sluicegate.control.consumers import Consumers
from sluicegate.control.sinks import Sinks
from sluicegate.domain.events import Exchange, Metadata, Notice
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.sinks.engine import Engine
from sluicegate.events.sinks.feeding import checkpoint_path
from sluicegate.events.sinks.table import opened
from tests.control.conftest import MINIMAL, WriteSources
from tests.events.sinks.contract import NOW, Scripted, answer, scripted

FAST = "batch: {seconds: 0.01}, retries: {backoff: 0.01}"


class Unclosable(Engine):
    """One whose sink raises what nobody expects."""

    def __init__(self, engine: Engine) -> None:
        vars(self).update(vars(engine))

    async def close(self) -> None:
        """Not so."""
        raise RuntimeError("it is closed already")


class House:
    """A data directory with a journal, and what feeds its sinks."""

    def __init__(self, data_dir: Path, write: WriteSources, log: FilteringBoundLogger) -> None:
        """Nothing runs yet, nothing is written."""
        self.data_dir = data_dir
        self.write = write
        self.consumers = Consumers()
        self.compiled = self.load("")
        (data_dir / "events").mkdir(parents=True)
        self.sinks = Sinks(
            data_dir,
            self.consumers,
            current=lambda: self.compiled,
            clock=lambda: 0.0,
            now=lambda: NOW,
            chance=lambda: 0.5,
            log=log,
            open_sink=self._open,
            pause=self._pause,
        )
        self.bad: OSError | None = FileNotFoundError("no such directory")
        """Why the sink of this name cannot be opened."""
        self.pauses: list[float] = []
        self.paused = asyncio.Semaphore(0)
        self._segment = (data_dir / "events" / "000-a-00000001.jsonl").open("ab")
        fcntl.flock(self._segment, fcntl.LOCK_EX)

    def _open(self, name: str, settings: SinkSettings, **given: Any) -> Engine:
        if name == "bad" and self.bad is not None:
            raise self.bad
        engine = opened(name, settings, **given)
        return Unclosable(engine) if name == "unclosable" else engine

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.paused.acquire()

    def close(self) -> None:
        """The worker dies."""
        self._segment.close()

    def load(self, text: str) -> Compiled:
        """A configuration with these lines beside."""
        return self.write(MINIMAL + text).load(1)

    def configure(self, text: str) -> None:
        """Bring another one into force."""
        self.compiled = self.load(text)
        self.sinks.change()

    def append(self, *events: Exchange | Notice) -> None:
        """Write events as a worker does that lives."""
        self._segment.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
        self._segment.flush()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Feed for as long."""
        task = asyncio.ensure_future(self.sinks.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))


def exchange(number: int, status: int = 200) -> Exchange:
    """An exchange, told by its number."""
    time = "2026-11-21T10:00:00.000Z"
    return Exchange(f"req_{number}", time, "tok", "prj", "org", "/v1/x", "POST", status, 1.5, Metadata())


@pytest.fixture
def house(tmp_path: Path, write: WriteSources, log: FilteringBoundLogger) -> Iterator[House]:
    """A house with a journal."""
    house = House(tmp_path / "data", write, log)
    yield house
    house.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until it holds, for a minute at most."""

    async def wait() -> None:
        while not condition():
            await asyncio.to_thread(lambda: None)

    await asyncio.wait_for(wait(), 60)


def ids(server: Scripted) -> list[str]:
    """The events a webhook's server got."""
    return [event.get("request_id") or event["id"] for document in server.documents() for event in document["data"]]


def told(story: Callable[[], Awaitable[Any]]) -> None:
    """Run a story."""

    async def run() -> None:
        await story()

    asyncio.run(run())


def test_events_reach_a_sink(house: House) -> None:
    """What is in the journal, and what comes later; notices too. Its checkpoint says how far it is."""

    async def story() -> None:
        house.append(exchange(1))
        async with scripted() as server:
            house.configure(f"sinks: {{hook: {{type: webhook, url: '{server.url}', {FAST}}}}}")
            async with house.running():
                await until(lambda: ids(server) == ["req_1"])
                notice = Notice("n1", "2026-11-21T10:00:00.000Z", "budget.threshold", "org_1")
                house.append(exchange(2), notice)
                await until(lambda: ids(server) == ["req_1", "req_2", "n1"])
                await until(lambda: checkpoint_path(house.data_dir, "hook").exists())
                (standing,) = await house.consumers.standings()
                assert (standing.name, standing.is_optional) == ("sink-hook", True)
                assert repr(house.sinks) == "<Sinks ['hook']>"
                # The server has them before its answer is here.
                await until(lambda: [counts.sent for counts in house.sinks.counts()] == [3])
                (counts,) = house.sinks.counts()
                assert (counts.name, counts.queued, counts.dead, counts.dropped) == ("hook", 3, 0, 0)
        assert house.sinks.counts() == ()

    told(story)


def test_a_new_sink_begins_with_the_node(house: House) -> None:
    """It gets what the workers of this start wrote, before anybody looked too, and nothing of those before."""

    async def story() -> None:
        (house.data_dir / "events" / "000-0-00000001.jsonl").write_bytes(msgspec.json.encode(exchange(7)) + b"\n")
        house.append(exchange(1))
        async with scripted() as server:
            house.configure(f"sinks: {{hook: {{type: webhook, url: '{server.url}', {FAST}}}}}")
            async with house.running():
                await until(lambda: bool(server.requests))
                house.append(exchange(2))
                await until(lambda: "req_2" in ids(server))
            assert ids(server) == ["req_1", "req_2"]

    told(story)


def test_a_reload_begins_and_ends_sinks(house: House, captured: LogCapture) -> None:
    """One that is as it was goes on; a new one gets what is new; one that is no more is forgotten."""

    async def story() -> None:
        async with scripted() as one, scripted() as other:
            first = f"sinks:\n  a: {{type: webhook, url: '{one.url}', {FAST}}}\n"
            house.configure(first)
            async with house.running():
                house.append(exchange(1))
                await until(lambda: ids(one) == ["req_1"])
                kept = house.sinks._fed["a"]
                house.configure(first + f"  b: {{type: webhook, url: '{other.url}', {FAST}}}\n")
                await until(checkpoint_path(house.data_dir, "b").exists)
                house.append(exchange(2))
                await until(lambda: ids(other) == ["req_2"])
                assert house.sinks._fed["a"] is kept
                house.configure(f"sinks:\n  b: {{type: webhook, url: '{other.url}x', {FAST}}}\n")
                await until(lambda: not checkpoint_path(house.data_dir, "a").exists())
                house.append(exchange(3))
                await until(lambda: "req_3" in ids(other))
                assert "req_3" not in ids(one)
                assert other.paths[-1] == "/x"
                assert [standing.name for standing in await house.consumers.standings()] == ["sink-b"]
        assert {"event": "a sink is configured no more", "log_level": "info", "sink": "a"} in captured.entries

    told(story)


def test_a_dispatchers_sink_is_left_to_it(house: House) -> None:
    """Nothing is sent, and how far it has come is not touched."""

    async def story() -> None:
        path = checkpoint_path(house.data_dir, "hook")
        path.parent.mkdir(parents=True)
        path.write_text('{"incarnations": {}}')
        async with scripted() as server:
            house.configure(f"sinks: {{hook: {{type: webhook, url: '{server.url}', run_by: dispatcher}}}}")
            async with house.running():
                house.append(exchange(1))
                house.sinks.change()
                await until(lambda: not house.sinks._changed.is_set())
                assert house.sinks.counts() == ()
            assert server.requests == []
        assert path.exists()

    told(story)


def test_a_sink_that_stands_still_gives_way(house: House) -> None:
    """Beyond its part of the journal's bound, what it would have sent is set aside as dead letters."""

    async def story() -> None:
        async with scripted(then=lambda body: answer(503)) as stuck:
            house.append(*(exchange(number) for number in range(20)))
            house.configure(
                f"events: {{retention_bytes: 100}}\nsinks:\n  stuck: {{type: webhook, url: '{stuck.url}', {FAST},"
                " filters: [{field: status_code, any_of: [200]}]}\n"
            )
            house.append(exchange(20, status=500))
            async with house.running():
                await until(lambda: any(counts.dead == 20 for counts in house.sinks.counts()))
            assert (house.data_dir / "dead" / "stuck.jsonl").read_bytes().count(b"\n") == 20
            assert stuck.requests == []

    told(story)


def test_a_delivery_that_fails_is_told(house: House) -> None:
    """While it is tried again, by what was answered, and until one arrives; its events wait for it meanwhile."""

    async def story() -> None:
        answers = [answer(503)]
        async with scripted(then=lambda body: answers[0]) as server:
            patient = "batch: {seconds: 0.01}, retries: {backoff: 0.01, longest_wait: 0.01, attempts: 1000}"
            house.configure(f"sinks: {{hook: {{type: webhook, url: '{server.url}', {patient}}}}}")
            house.append(exchange(1))
            async with house.running():
                await until(lambda: len(server.requests) > 1)
                (standing,) = await house.consumers.standings()
                assert (standing.name, standing.last_error, standing.errors_total) == ("sink-hook", "status 503", 0)
                assert standing.backlog_bytes > 0
                assert house.consumers.checkpoints() == (Checkpoint(),)
                assert "hook" in repr(house.consumers._consumers["sink-hook"])
                answers[0] = answer(200)
                await until(lambda: house.sinks.counts()[0].sent == 1)
                (standing,) = await house.consumers.standings()
                assert standing.last_error is None

    told(story)


def test_a_sink_that_cannot_be_opened_is_told(house: House, captured: LogCapture) -> None:
    """And the others are fed."""

    async def story() -> None:
        async with scripted() as server:
            house.configure(
                f"sinks:\n  bad: {{type: otlp, url: '{server.url}'}}\n"
                f"  good: {{type: webhook, url: '{server.url}', {FAST}}}\n"
            )
            house.append(exchange(1))
            async with house.running():
                await until(lambda: ids(server) == ["req_1"])
        errors = [line for line in captured.entries if line["log_level"] == "error"]
        assert errors == [
            {"event": "a sink cannot be used", "log_level": "error", "sink": "bad", "reason": "no such directory"}
        ]

    told(story)


def test_a_sink_that_cannot_be_opened_is_tried_again(house: House, captured: LogCapture) -> None:
    """After pauses that grow, which its standing tells; then it gets all that was written since it was configured."""

    async def story() -> None:
        async with scripted() as server:
            house.configure(f"sinks: {{bad: {{type: webhook, url: '{server.url}', {FAST}}}}}")
            written: list[str] = []
            async with house.running():
                for number in range(8):
                    await until(lambda: len(house.pauses) > len(written))
                    written.append(f"req_{number}")
                    house.append(exchange(number))
                    house.paused.release()
                await until(lambda: len(house.pauses) == 9)
                (standing,) = await house.consumers.standings()
                assert (standing.name, standing.errors_total, standing.last_error) == (
                    "sink-bad",
                    9,
                    "FileNotFoundError",
                )
                assert standing.backlog_bytes > 0
                assert "9 times FileNotFoundError" in repr(house.consumers._consumers["sink-bad"])
                assert house.sinks.counts() == ()
                house.bad = None
                house.paused.release()
                await until(lambda: ids(server) == written)
                (standing,) = await house.consumers.standings()
                assert standing.last_error is None
        assert house.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
        events = [line["event"] for line in captured.entries if line.get("sink") == "bad"]
        assert events == ["a sink cannot be used", "over: a sink cannot be used"]

    told(story)


def test_a_sink_that_was_never_opened_can_be_configured_away(house: House) -> None:
    """Nobody tries it any more, and it stands among the consumers no more."""

    async def story() -> None:
        house.configure("sinks: {bad: {type: webhook, url: 'http://127.0.0.1:1'}}")
        async with house.running():
            await until(lambda: house.pauses == [1.0])
            house.configure("")
            await until(lambda: not house.consumers.checkpoints())
            assert house.pauses == [1.0]

    told(story)


def test_a_sink_that_cannot_be_closed_stops_nobody(house: House, captured: LogCapture) -> None:
    """Whatever it raises: it is told, and the others go on."""

    async def story() -> None:
        async with scripted() as server:
            good = f"sinks:\n  good: {{type: webhook, url: '{server.url}', {FAST}}}\n"
            house.configure(good + f"  unclosable: {{type: webhook, url: '{server.url}', {FAST}}}\n")
            async with house.running():
                await until(lambda: len(house.sinks.counts()) == 2)
                house.configure(good)
                await until(lambda: any(entry["log_level"] == "error" for entry in captured.entries))
                house.append(exchange(1))
                await until(lambda: ids(server) == ["req_1"])
        [error] = [entry for entry in captured.entries if entry["log_level"] == "error"]
        assert (error["sink"], error["reason"]) == ("unclosable", "it is closed already")

    told(story)


def test_what_cannot_be_forgotten_stops_nobody(house: House, captured: LogCapture) -> None:
    """A disk that refuses is told of; the sinks that there are go on."""

    async def story() -> None:
        (house.data_dir / "checkpoints" / "sink-gone.json").mkdir(parents=True)
        async with scripted() as server:
            house.configure(f"sinks: {{hook: {{type: webhook, url: '{server.url}', {FAST}}}}}")
            async with house.running():
                await until(lambda: any(entry["log_level"] == "error" for entry in captured.entries))
                house.append(exchange(1))
                await until(lambda: ids(server) == ["req_1"])
        [error] = [entry for entry in captured.entries if entry["log_level"] == "error"]
        assert (error["event"], error["sink"]) == ("a sink that is no more cannot be forgotten", "gone")

    told(story)
