"""The parts put together."""

import asyncio
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from sluicegate.events.checkpoint import CheckpointFile
from sluicegate.wire.link import AskLease
from tests.control.limits.journals import Writer, charge
from tests.control.limits.node import Node, checkpoint_path, told

ACCOUNT = "tok_1|requests|lifetime"


def test_end_settles_what_workers_left(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """A node that is stopped in order leaves nothing set aside, and its checkpoint is on the disk."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", AskLease(ACCOUNT, 100, 0, 20, 20, 0))
        await node.look()
        size = writer.end("1", charge(ACCOUNT, 3))
        writer.die()
        await node.limits.finish()
        balance = await node.ledger.balance(ACCOUNT)
        assert (balance.used, balance.leased) == (3, 0)
        file = CheckpointFile(checkpoint_path(node.directory))
        assert file.load().incarnations["000-a"].offset == size

    told(tmp_path, log, story)


def test_end_does_not_wait_for_a_ledger_that_is_away(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """The next process settles it."""

    async def story(node: Node) -> None:
        await node.look()
        writer = Writer(node.events, "000-a")
        writer.end("1", charge(ACCOUNT, 3))
        writer.die()
        node.ledger.fault = lambda: "away" if node.teller.absences else "before"
        await node.limits.finish()
        assert (await node.ledger.balance(ACCOUNT)).used == 0
        node.ledger.fault = lambda: ""
        await node.start()
        await node.look()
        assert (await node.ledger.balance(ACCOUNT)).used == 3

    told(tmp_path, log, story)


def test_end_without_a_disk_is_an_end(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What cannot be written down is settled again by the next process, and found to be settled."""

    async def story(node: Node) -> None:
        await node.look()
        checkpoints = node.directory / "checkpoints"
        for path in checkpoints.iterdir():
            path.unlink()
        checkpoints.rmdir()
        checkpoints.write_text("in the way")
        await node.limits.finish()

    told(tmp_path, log, story)


def test_journal_is_looked_at_again_and_again(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """While it runs, what is written is settled without being asked for."""

    async def story(node: Node) -> None:
        looks = asyncio.Semaphore(0)
        pauses = asyncio.Semaphore(0)

        async def pause() -> None:
            looks.release()
            await pauses.acquire()

        await node.start(pause)
        await looks.acquire()
        writer = Writer(node.events, "000-a")
        writer.end("1", charge(ACCOUNT, 3))
        pauses.release()
        await looks.acquire()
        assert (await node.ledger.balance(ACCOUNT)).used == 3
        writer.die()

    told(tmp_path, log, story)
