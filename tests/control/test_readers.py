"""All readers of a journal, run as a control process runs them, on a real database."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.control.clocks import Clocks
from sluicegate.control.readers import Readers
from sluicegate.domain.segments import segment_name
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.consumer import Standing
from sluicegate.store.database import Database
from tests.control.api import copied
from tests.control.conftest import MINIMAL, WriteSources
from tests.control.usage_log.journals import AT, INCARNATION, expected, recorded, write

FILE_SINK = "sinks: {{file: {{type: file, path: '{}'}}}}\n"


class Elsewhere:
    """A consumer that others run: it has come nowhere yet."""

    name = "elsewhere"
    checkpoint = Checkpoint()

    def standing(self) -> Standing:
        """It stands at the beginning."""
        return Standing(self.name, 0, None, 0, 0, 0, 0, None, is_optional=False)


class Scene:
    """Readers of one data directory, and the configuration they read."""

    def __init__(
        self, data_dir: Path, database: Database, load: Callable[[str], Compiled], log: FilteringBoundLogger
    ) -> None:
        """`load` gives a configuration with these lines beside what all have."""
        self.load = load
        self.compiled = load("")
        self.readers = Readers(
            data_dir,
            database,
            (Elsewhere(),),
            node="n",
            current=lambda: self.compiled,
            clocks=Clocks(lambda: 0.0, lambda: datetime.fromtimestamp(AT / 1000, UTC)),
            chance=lambda: 0.5,
            log=log,
        )

    def change(self, text: str) -> None:
        """Bring another configuration into force."""
        self.compiled = self.load(text)
        self.readers.change()


Script = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def data_dir(tmp_path: Path, template: Path) -> Path:
    """A database, and a journal of six events."""
    directory = copied(template, tmp_path / "data")
    write(directory, range(6))
    return directory


@pytest.fixture
def play(data_dir: Path, write: WriteSources, log: FilteringBoundLogger) -> Callable[..., None]:
    """Run a script while everything is read, with `common` in every configuration."""

    def run(script: Script, common: str = "") -> None:
        async def main() -> None:
            database = await Database.open("sqlite", data_dir)
            try:
                scene = Scene(data_dir, database, lambda text: write(MINIMAL + common + text).load(1), log)
                async with asyncio.TaskGroup() as tasks:
                    running = tasks.create_task(scene.readers.run())
                    await asyncio.wait_for(script(scene), 60)
                    running.cancel()
            finally:
                await database.close()

        asyncio.run(main())

    return run


async def until_read(scene: Scene, *names: str) -> None:
    """Let them run until these have read all six."""
    while {name for name, standing in (await standings(scene)).items() if standing.events_total == 6} != set(names):
        await asyncio.to_thread(lambda: None)


async def standings(scene: Scene) -> dict[str, Standing]:
    """How each fares, by name."""
    return {standing.name: standing for standing in await scene.readers.consumers.standings()}


def test_the_journal_is_counted_and_recorded(play: Callable[..., None], data_dir: Path) -> None:
    """Every reader is known by its name, whoever runs it."""

    async def script(scene: Scene) -> None:
        assert "'elsewhere', 'metrics', 'request-log'" in repr(scene.readers)
        await until_read(scene, "metrics", "request-log")
        assert sum(count for _, count in scene.readers.tally.requests.items()) == 6

    play(script, "request_log: {enabled: true}\n")
    assert recorded(data_dir) == expected(6)


def test_a_change_begins_a_sink(play: Callable[..., None], tmp_path: Path) -> None:
    """It is counted among the readers from then on."""

    async def script(scene: Scene) -> None:
        assert scene.readers.sink_counts() == ()
        scene.change(FILE_SINK.format(tmp_path / "sink.jsonl"))
        while not scene.readers.sink_counts():
            await asyncio.to_thread(lambda: None)
        assert [counts.name for counts in scene.readers.sink_counts()] == ["file"]
        assert "sink-file" in await standings(scene)

    play(script)


def test_what_is_deleted_unread_is_told(play: Callable[..., None], data_dir: Path, captured: LogCapture) -> None:
    """Beyond the bound of size even what a reader that others run has not read is deleted, and that is an error."""
    first, second = (segment_name(INCARNATION, number) for number in (1, 2))
    write(data_dir, range(6, 8), segment=2)

    async def script(scene: Scene) -> None:
        while not any("segments" in entry for entry in captured.entries):
            await asyncio.to_thread(lambda: None)

    play(script, "events: {retention_bytes: 1}\n")
    (entry,) = (entry for entry in captured.entries if "segments" in entry)
    assert (entry["log_level"], entry["segments"]) == ("error", [first, second])
    assert not list((data_dir / "events").glob("*.jsonl"))
