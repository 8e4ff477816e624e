"""Each exchange is recorded exactly once, whatever fails."""

import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.database_checkpoint import OvertakenError, TransactionalStore
from sluicegate.control.usage_log.recording import FEW, FOLD, LINES, NAME, Recording, recorder
from sluicegate.domain.usage_rows import Logged
from sluicegate.events.checkpoint import Checkpoint, CheckpointDamagedError
from sluicegate.events.consumer import Consumer
from sluicegate.events.reader import SegmentReader
from sluicegate.store.database import Database
from tests.control.api import copied
from tests.control.usage_log.journals import Faulty, expected, recorded, write

QUIET: FilteringBoundLogger = structlog.wrap_logger(
    None, processors=[LogCapture()], wrapper_class=structlog.make_filtering_bound_logger(0)
)


def consumer(database: Database, data_dir: Path, *, largest_batch: int = 5) -> Consumer[Logged]:
    """One as a new control process makes it, with small batches."""
    checkpoints = TransactionalStore(database, node="n", consumer=NAME, log=QUIET)
    recording = Recording(checkpoints, clock=lambda: 0.0)
    reader = SegmentReader(data_dir / "events")
    return Consumer(
        NAME,
        reader,
        LINES,
        recording.handle,
        checkpoints,
        clock=lambda: 0.0,
        log=QUIET,
        largest_batch=largest_batch,
    )


def run(data_dir: Path, story: Callable[[Database], Awaitable[None]]) -> None:
    """Tell a story with an open database."""

    async def told() -> None:
        database = await Database.open("sqlite", data_dir)
        try:
            await story(database)
        finally:
            await database.close()

    asyncio.run(told())


def test_exchanges_become_rows_and_sums(template: Path, tmp_path: Path) -> None:
    """All there are, guesses of what is lost among them; and what comes later is added by a successor."""
    data_dir = copied(template, tmp_path / "data")

    async def story(database: Database) -> None:
        write(data_dir, range(23))
        assert await consumer(database, data_dir).look()
        assert recorded(data_dir) == expected(23)
        write(data_dir, range(23, 30), segment=2)
        await recorder(database, data_dir, node="n", clock=lambda: 0.0, log=QUIET).look()

    run(data_dir, story)
    assert recorded(data_dir) == expected(30)


def test_sums_of_many_are_added_later(template: Path, tmp_path: Path) -> None:
    """They are put by with their rows, and added with the next few, whoever records these, or once it is time."""
    data_dir = copied(template, tmp_path / "data")
    now = [0.0]

    async def story(database: Database) -> None:
        checkpoints = TransactionalStore(database, node="n", consumer=NAME, log=QUIET)
        recording = Recording(checkpoints, clock=lambda: now[0])
        reader = SegmentReader(data_dir / "events")
        many = Consumer(
            NAME, reader, LINES, recording.handle, checkpoints, clock=lambda: 0.0, log=QUIET, largest_batch=2 * FEW
        )
        write(data_dir, range(FEW + 1))
        assert await many.look()
        assert recorded(data_dir) == (expected(FEW + 1)[0], [])
        write(data_dir, range(FEW + 1, FEW + 8), segment=2)
        assert await consumer(database, data_dir).look()
        assert recorded(data_dir) == expected(FEW + 8)
        assert not await many.look()
        now[0] = FOLD
        write(data_dir, range(FEW + 8, 2 * FEW + 9), segment=3)
        assert await many.look()
        assert recorded(data_dir) == expected(2 * FEW + 9)

    run(data_dir, story)


def test_nodes_do_not_share_checkpoints(template: Path, tmp_path: Path) -> None:
    """Two nodes with a journal each and one database: both are recorded."""
    first, second = copied(template, tmp_path / "data"), tmp_path / "second"
    second.mkdir()
    write(first, range(10))
    write(second, range(10, 15))

    async def story(database: Database) -> None:
        for node, data_dir in (("a", first), ("b", second)) * 2:
            await recorder(database, data_dir, node=node, clock=lambda: 0.0, log=QUIET).look()

    run(first, story)
    assert recorded(first) == expected(15)


def test_what_holds_no_event_is_passed_for_good(template: Path, tmp_path: Path) -> None:
    """The checkpoint behind it is stored by itself: a segment of damage is not kept for ever."""
    data_dir = copied(template, tmp_path / "data")
    write(data_dir, range(0))
    (segment,) = (data_dir / "events").iterdir()
    segment.write_bytes(b"damage\n")

    async def story(database: Database) -> None:
        before = consumer(database, data_dir)
        await before.look()
        after = TransactionalStore(database, node="n", consumer=NAME, log=QUIET)
        assert await after.load() == before.checkpoint != Checkpoint()
        assert repr(Recording(after, clock=lambda: 0.0)) == "<Recording <TransactionalStore n/request-log>>"

    run(data_dir, story)


def test_two_processes_record_nothing_twice(template: Path, tmp_path: Path) -> None:
    """One that was taken for dead finds that it was overtaken, learns how far the other came, and goes on."""
    data_dir = copied(template, tmp_path / "data")

    async def story(database: Database) -> None:
        old, new = consumer(database, data_dir), consumer(database, data_dir)
        write(data_dir, range(5))
        assert await old.look()
        assert await new.look()
        write(data_dir, range(5, 10))
        assert await new.look()
        assert not await old.look()
        assert old.standing().last_error == OvertakenError.__name__
        write(data_dir, range(10, 15))
        assert await old.look()
        assert not await new.look()
        assert await new.look()

    run(data_dir, story)
    assert recorded(data_dir) == expected(15)


def test_a_damaged_checkpoint_is_not_begun_anew(template: Path, tmp_path: Path) -> None:
    """Everything would be recorded twice by that; it says so instead, for as long as it takes."""
    data_dir = copied(template, tmp_path / "data")
    write(data_dir, range(3))

    async def story(database: Database) -> None:
        async with database.writing() as session:
            await session.consumer_checkpoints.put("n/request-log", b"nonsense")
        following = consumer(database, data_dir)
        assert not await following.look()
        assert following.standing().last_error == CheckpointDamagedError.__name__

    run(data_dir, story)
    assert recorded(data_dir) == expected(0)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    faults=st.lists(st.sampled_from(["", "before", "inside", "after"]), max_size=30),
    steps=st.lists(st.one_of(st.integers(1, 14), st.just("look"), st.just("restart")), max_size=12),
)
def test_a_failing_database_loses_and_doubles_nothing(
    template: Path, faults: list[str], steps: list[int | str]
) -> None:
    """Transactions that fail before, within and after their commit, and restarts between any two of them."""
    left = list(faults)

    async def story(database: Database) -> None:
        faulty = Faulty(database, lambda: left.pop(0) if left else "")
        following, written = consumer(faulty, data_dir), 0
        for step in steps:
            if isinstance(step, int):
                write(data_dir, range(written, written + step))
                written += step
            elif step == "restart":
                following = consumer(faulty, data_dir)
            else:
                await following.look()
        left.clear()
        while not await following.look():
            pass
        assert recorded(data_dir) == expected(written)

    with tempfile.TemporaryDirectory() as directory:
        data_dir = copied(template, Path(directory))
        run(data_dir, story)


RECORDER = """
import asyncio, sys, time
from pathlib import Path
import structlog
from sluicegate.control.database_checkpoint import TransactionalStore
from sluicegate.control.usage_log.recording import LINES, NAME, Recording
from sluicegate.events.consumer import Consumer
from sluicegate.events.reader import SegmentReader
from sluicegate.store.database import Database

async def main(data_dir):
    database = await Database.open("sqlite", data_dir)
    checkpoints = TransactionalStore(database, node="n", consumer=NAME, log=structlog.get_logger())
    recording = Recording(checkpoints, clock=time.monotonic)
    async def handle(batch):
        sys.stdout.write("begins\\n")
        sys.stdout.flush()
        await recording.handle(batch)
        sys.stdout.write("ends\\n")
        sys.stdout.flush()
    reader = SegmentReader(data_dir / "events")
    log = structlog.get_logger()
    await Consumer(
        NAME, reader, LINES, handle, checkpoints, clock=time.monotonic, log=log, largest_batch=40
    ).look()
    await database.close()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_recorder_loses_and_doubles_nothing(template: Path, tmp_path: Path, seed: int) -> None:
    """A real process, killed with -9 at random moments of its transactions, and another after it, to the end."""
    data_dir = copied(template, tmp_path / "data")
    write(data_dir, range(4_000))
    chance = random.Random(seed)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", RECORDER, str(data_dir)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 50)):
                process.stdout.readline()
            for _ in range(chance.randrange(20_000)):
                # Some part of the next transaction.
                pass
            process.kill()
    ids, _ = recorded(data_dir)
    assert ids
    assert len(ids) % 40 == 0 or len(ids) == 4_000

    async def story(database: Database) -> None:
        assert await consumer(database, data_dir, largest_batch=1_000).look()

    run(data_dir, story)
    assert recorded(data_dir) == expected(4_000)
