"""The configuration in force, and changing it."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.config.problem import ConfigurationError, Problem
from sluicegate.control.configuration import Configuration, Failure
from tests.control.conftest import MINIMAL, NOW, WriteSources

MORE = MINIMAL + "models: [{name: smart, targets: [{model: first/m}]}]\n"


class Bench:
    """A configuration with everything around it visible."""

    def __init__(
        self,
        write: WriteSources,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        refused: ConfigurationError | None = None,
    ) -> None:
        self.write = write
        sources = write(MINIMAL)
        self.first = sources.load(1)
        self.kept: list[tuple[Compiled, Compiled]] = []
        self.told: list[tuple[Compiled, Compiled]] = []
        self.configuration = Configuration(
            started=self.first,
            current=self.first,
            load=sources.load,
            keep=lambda started, current: self.kept.append((started, current)),
            now=now,
            log=log,
            refused=refused,
        )
        self.configuration.follow(lambda old, new: self.told.append((old, new)))

    def reload(self) -> Compiled:
        """Load it again."""
        return asyncio.run(self.configuration.reload(cause="test"))


@pytest.fixture
def bench(write: WriteSources, now: Callable[[], datetime], log: FilteringBoundLogger) -> Bench:
    """A configuration in version 1."""
    return Bench(write, now, log)


def test_good_change_comes_into_force(bench: Bench, captured: LogCapture) -> None:
    """A reload makes a new version, remembers it for a successor, and then tells those who follow."""
    bench.write(MORE)
    new = bench.reload()
    assert (bench.configuration.current, bench.configuration.version) == (new, 2)
    assert bench.kept == [(bench.first, new)]
    assert bench.told == [(bench.first, new)]
    assert [entry["event"] for entry in captured.entries] == ["configuration loaded"]
    assert repr(bench.configuration) == "<Configuration version=2>"


def test_bad_change_is_refused(bench: Bench, captured: LogCapture) -> None:
    """A broken file changes nothing; why is logged and kept, with the moment, until a change succeeds."""
    bench.write("nonsense: 1")
    with pytest.raises(ConfigurationError) as caught:
        bench.reload()
    assert bench.configuration.current is bench.first
    assert bench.configuration.failure == Failure(caught.value, NOW)
    assert (bench.kept, bench.told) == ([], [])
    assert "nonsense" in captured.entries[0]["problems"]
    assert repr(bench.configuration) == "<Configuration version=1 newer one refused>"
    bench.write(MORE)
    assert bench.reload().snapshot.version == 2
    assert bench.configuration.failure is None


def test_unchanged_settings_are_a_change_only_on_request(bench: Bench) -> None:
    """Whoever asks gets a new version, for files named in settings may have changed; a touched file makes none."""
    asyncio.run(bench.configuration.reload(cause="test", is_asked_for=False))
    assert (bench.configuration.version, bench.told) == (1, [])
    assert bench.reload().snapshot.version == 2
    bench.write(MORE)
    asyncio.run(bench.configuration.reload(cause="test", is_asked_for=False))
    assert bench.configuration.version == 3


def test_what_needs_a_restart_is_told(bench: Bench, captured: LogCapture) -> None:
    """Settings of processes and addresses wait for a restart, compared with what the node was started with."""
    bench.write(MINIMAL + "server: {workers: 3}\n")
    bench.reload()
    assert bench.configuration.waiting_for_restart == ("server.workers",)
    assert captured.entries[-1]["settings"] == ["server.workers"]
    bench.write(MINIMAL)
    bench.reload()
    assert not bench.configuration.waiting_for_restart


def test_refusal_before_the_start_is_known(
    write: WriteSources, now: Callable[[], datetime], log: FilteringBoundLogger
) -> None:
    """A process that came back with its predecessor's configuration says why it is not the file's."""
    error = ConfigurationError([Problem("a.yaml", 1, "x", "is no setting")])
    bench = Bench(write, now, log, refused=error)
    assert bench.configuration.failure == Failure(error, NOW)


def test_reloads_take_turns(bench: Bench) -> None:
    """Two at once make two versions, one after the other."""

    async def both() -> None:
        async with asyncio.TaskGroup() as tasks:
            for cause in ("one", "other"):
                tasks.create_task(bench.configuration.reload(cause=cause))

    asyncio.run(both())
    assert [(old.snapshot.version, new.snapshot.version) for old, new in bench.told] == [(1, 2), (2, 3)]


def test_a_preview_changes_nothing(bench: Bench) -> None:
    """It tells what a reload would bring, or refuse, and neither is remembered, told, or held against anybody."""
    bench.write(MORE)
    preview = asyncio.run(bench.configuration.preview())
    assert [alias.name for alias in preview.snapshot.models] == ["smart"]
    bench.write("nonsense: 1")
    with pytest.raises(ConfigurationError):
        asyncio.run(bench.configuration.preview())
    assert (bench.configuration.current, bench.configuration.failure) == (bench.first, None)
    assert (bench.kept, bench.told) == ([], [])
