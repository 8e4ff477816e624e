"""How far dispatchers have come, as the gateway sees it."""

import asyncio
import fcntl
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sluicegate.config.schema import SinkSettings
from sluicegate.control.dispatched import AskGroups, Dispatched, Dispatchers, Groups, groups_of
from sluicegate.domain.events import Exchange, Metadata, Notice
from sluicegate.events.checkpoint import Checkpoint, CheckpointFile, Progress
from sluicegate.events.redis_stream import RedisStream
from sluicegate.events.sinks.feeding import checkpoint_path, lock_path
from sluicegate.events.sinks.redis import stream_of
from sluicegate.events.stream_group import GroupStanding, StreamUnavailableError
from tests.ledger.valkey import Server

NOW = datetime(2026, 11, 21, 12, 0, 10, tzinfo=UTC).timestamp()
LEFT = SinkSettings(type="webhook", run_by="dispatcher")
"""A sink that is left to dispatchers."""
STREAM = SinkSettings(type="redis")
"""One that fills a stream."""
OURS = SinkSettings(type="file")


def line(second: int, duration_ms: float = 0.0) -> bytes:
    """An exchange that began at 12:00 and so many seconds."""
    timestamp = f"2026-11-21T12:00:{second:02d}.000Z"
    exchange = Exchange(f"req_{second}", timestamp, "tok", "prj", "org", "/v1/x", "POST", 200, duration_ms, Metadata())
    return msgspec.json.encode(exchange) + b"\n"


def written(data_dir: Path, writer: str, *lines: bytes) -> None:
    """Write the journal of one writer."""
    directory = data_dir / "events"
    directory.mkdir(exist_ok=True)
    (directory / f"{writer}-00000001.jsonl").write_bytes(b"".join(lines))


def read(data_dir: Path, sink: str, **offsets: int) -> None:
    """Keep how far a dispatcher has read each writer."""
    path = checkpoint_path(data_dir, sink)
    path.parent.mkdir(exist_ok=True)
    CheckpointFile(path).store(Checkpoint({f"000-{name}": Progress(1, at) for name, at in offsets.items()}))


async def unasked(settings: SinkSettings) -> Groups:
    """No stream is to be asked."""
    raise AssertionError(settings)


def standings(
    data_dir: Path, sinks: Mapping[str, SinkSettings], ask: AskGroups = unasked, patience: float = 60.0
) -> tuple[Dispatched, ...]:
    """How they stand."""
    dispatchers = Dispatchers(data_dir, sinks=lambda: sinks, now=lambda: NOW, ask=ask, patience=patience)
    return asyncio.run(dispatchers.standings())


def test_nobody_looks_where_nothing_is_left_to_them(tmp_path: Path) -> None:
    """Neither at the disk nor at a stream."""
    assert standings(tmp_path / "nowhere", {"ours": OURS, "stream": STREAM}) == ()


def test_one_that_has_not_begun(tmp_path: Path) -> None:
    """It is told of, so that it is seen that nobody feeds it."""
    sinks = {"out": LEFT, "ours": OURS}
    assert standings(tmp_path, sinks) == (Dispatched("out", None),)
    assert repr(Dispatchers(tmp_path, sinks=lambda: sinks, now=lambda: NOW)) == "<Dispatchers ['out']>"


def test_one_that_reads_the_journal(tmp_path: Path) -> None:
    """What it has not read, of all writers, and how long ago the oldest of it was over; of all read, nothing."""
    first, second = [line(1), line(2, 3_000.0)], [line(3, 500.0), line(9)]
    written(tmp_path, "000-a", *first)
    written(tmp_path, "000-b", *second)
    read(tmp_path, "behind", a=len(first[0]), b=0)
    read(tmp_path, "there", a=sum(map(len, first)), b=sum(map(len, second)))
    backlog = len(first[1]) + sum(map(len, second))
    assert standings(tmp_path, {"there": LEFT, "behind": LEFT}) == (
        # 12:00:10 less 12:00:03.5: what began before that ended later.
        Dispatched("behind", "local", backlog_bytes=backlog, lag_seconds=6.5, is_running=False),
        Dispatched("there", "local", backlog_bytes=0, lag_seconds=0.0, is_running=False),
    )


def test_one_that_runs(tmp_path: Path) -> None:
    """Is told by what it keeps locked; one that ended has left the file and nobody who holds it."""
    written(tmp_path, "000-a", line(1))
    read(tmp_path, "out")
    with lock_path(tmp_path, "out").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert [one.is_running for one in standings(tmp_path, {"out": LEFT})] == [True]
    assert [one.is_running for one in standings(tmp_path, {"out": LEFT})] == [False]


def test_a_notice_has_its_age_too(tmp_path: Path) -> None:
    """From when it was written; a clock that is behind makes none younger than new."""
    notice = Notice("ntc_1", "2026-11-21T12:00:04Z", "token.withering", "tok_1")
    written(tmp_path, "000-a", msgspec.json.encode(notice) + b"\n")
    read(tmp_path, "out")
    assert [one.lag_seconds for one in standings(tmp_path, {"out": LEFT})] == [6.0]
    written(tmp_path, "000-a", line(59))
    assert [one.lag_seconds for one in standings(tmp_path, {"out": LEFT})] == [0.0]


def test_what_cannot_be_read_yet_has_no_age(tmp_path: Path) -> None:
    """Half a line is behind, and nobody knows since when."""
    written(tmp_path, "000-a", line(1)[:-10])
    read(tmp_path, "out")
    (one,) = standings(tmp_path, {"out": LEFT})
    assert (one.backlog_bytes, one.lag_seconds) == (len(line(1)) - 10, None)


def test_a_damaged_place_is_the_beginning(tmp_path: Path) -> None:
    """As it will be for the dispatcher."""
    written(tmp_path, "000-a", line(1))
    read(tmp_path, "out")
    checkpoint_path(tmp_path, "out").write_bytes(b"{")
    assert [one.backlog_bytes for one in standings(tmp_path, {"out": LEFT})] == [len(line(1))]


def test_a_disk_that_does_not_answer(tmp_path: Path) -> None:
    """Is told by the kind of failure."""
    checkpoint_path(tmp_path, "out").mkdir(parents=True)
    assert standings(tmp_path, {"out": LEFT}) == (Dispatched("out", "local", error="IsADirectoryError"),)


def test_groups_of_streams(tmp_path: Path) -> None:
    """Each sink is the group of its name, in whichever stream there is one; what others have does not matter."""
    groups = {"out": GroupStanding(5, 2), "other": GroupStanding(7, 0)}

    async def ask(settings: SinkSettings) -> Groups:
        return groups if settings.stream == "one" else {}

    sinks = {
        "out": LEFT,
        "first": SinkSettings(type="redis", stream="one"),
        "second": SinkSettings(type="redis", stream="two", run_by="dispatcher"),
    }
    assert standings(tmp_path, sinks, ask) == (
        Dispatched("out", "redis", "first", group=GroupStanding(5, 2)),
        Dispatched("second", None),
    )
    written(tmp_path, "000-a", line(1))
    read(tmp_path, "out", a=0)
    assert [(one.sink, one.source) for one in standings(tmp_path, sinks, ask)] == [
        ("out", "local"),
        ("out", "redis"),
        ("second", None),
    ]


def test_a_server_that_is_away(tmp_path: Path) -> None:
    """Is told of each sink that it may feed; not of one that reads the journal."""

    async def ask(settings: SinkSettings) -> Groups:
        del settings
        raise StreamUnavailableError("away")

    read(tmp_path, "journal")
    sinks = {"out": LEFT, "journal": LEFT, "stream": STREAM}
    assert standings(tmp_path, sinks, ask) == (
        Dispatched("journal", "local", backlog_bytes=0, lag_seconds=0.0, is_running=False),
        Dispatched("out", "redis", "stream", error="StreamUnavailableError"),
    )


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    """Is waited for no longer than a scrape can wait."""

    async def ask(settings: SinkSettings) -> Groups:
        await asyncio.Event().wait()
        return await unasked(settings)

    (one,) = standings(tmp_path, {"out": LEFT, "stream": STREAM}, ask, patience=0.01)
    assert (one.source, one.error) == ("redis", "TimeoutError")


def test_a_real_server_is_asked() -> None:
    """Of the stream that the sink fills; no connection stays open."""

    async def story(settings: SinkSettings) -> tuple[Groups, Groups]:
        before = await groups_of(settings)
        stream: RedisStream = stream_of(settings)
        await stream.open_group("out")
        await stream.add([b"{}"] * 3, most=100)
        await stream.take("out", "reader", 1)
        await stream.close()
        return before, await groups_of(settings)

    with Server() as server:
        settings = SinkSettings.model_validate({"type": "redis", "address": server.url, "stream": "events"})
        held = len(os.listdir("/proc/self/fd"))
        assert asyncio.run(story(settings)) == ({}, {"out": GroupStanding(2, 1)})
        assert len(os.listdir("/proc/self/fd")) == held
