"""Settling the journal."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.limits import settlement
from sluicegate.control.limits.ledger_time import LedgerTime
from sluicegate.control.limits.settlement import Settlement
from sluicegate.domain.leases import Settle
from sluicegate.events.checkpoint import CheckpointFile, Progress
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.events.consumer import Standing
from sluicegate.ledger.memory import MemoryLedger
from tests.control.limits.journals import Writer, charge, exchange
from tests.control.limits.node import NODE, Clock, Node, checkpoint_path, told

ONE = "tok_1|requests|lifetime"
TWO = "org_1|usd|lifetime"


def checkpoint(node: Node) -> dict[str, Progress]:
    """What is on the disk."""
    return CheckpointFile(checkpoint_path(node.directory)).load().incarnations


async def used(node: Node, account: str = ONE) -> int:
    """What an account shows."""
    return (await node.ledger.balance(account)).used


def test_charges_are_settled_as_they_come(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Of all accounts of an exchange, each by its own amount; also what was never leased."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        writer.end("1", charge(ONE, 1), charge(TWO, 70, 0))
        await node.look()
        writer.end("2", charge(ONE, 1), charge(TWO, 5, 0))
        await node.look()
        await node.look()
        assert (await used(node), await used(node, TWO)) == (2, 75)
        writer.die()

    told(tmp_path, log, story)


def test_unchanged_journal_is_left_alone(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """It is read when it has changed, and once in a while: a writer's death changes nothing that can be seen."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.look()
        await node.limits.look()
        assert "open=1" in repr(node.limits)
        writer.die()
        await node.limits.look()
        assert "open=1" in repr(node.limits)
        node.clock.seconds += settlement.LONGEST_REST
        await node.limits.look()
        assert "open=0" in repr(node.limits)

    told(tmp_path, log, story)


def test_busy_journal_is_settled_less_often(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """After a look that found much, what comes is left for a moment, so that the ledger has fewer batches to apply."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        line = msgspec.json.encode(exchange("1", charge(ONE, 1))) + b"\n"
        writer.write(line * settlement.MANY)
        await node.limits.look()
        writer.write(line)
        node.clock.seconds += 0.25
        await node.limits.look()
        assert await used(node) == settlement.MANY
        assert node.limits.settlement.standing().lag_seconds == 0.25
        node.clock.seconds += settlement.BUSY_REST
        await node.limits.look()
        writer.write(line)
        await node.limits.look()
        assert await used(node) == settlement.MANY + 2
        writer.die()

    told(tmp_path, log, story)


def test_crash_before_the_checkpoint_charges_nothing_twice(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """The next process reads it again, and the ledger says that it has it, however the batch is cut this time."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        writer.end("1", charge(ONE, 1))
        await node.look()
        before = checkpoint(node)
        writer.end("2", charge(ONE, 10), charge(TWO, 3))
        await node.look()
        assert checkpoint(node) == before
        writer.end("3", charge(ONE, 100))
        await node.start()
        await node.look()
        assert (await used(node), await used(node, TWO)) == (111, 3)
        node.clock.seconds += settlement.STORE_SECONDS
        await node.look()
        assert checkpoint(node) == {"000-a": Progress(1, writer.path.stat().st_size)}
        writer.die()

    told(tmp_path, log, story)


def test_checkpoint_is_stored_once_in_a_while(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Not with every look: each is a write to the disk. And not where nothing has changed."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.look()
        node.clock.seconds += settlement.STORE_SECONDS
        await node.look()
        writer.end("1", charge(ONE, 1))
        path = checkpoint_path(node.directory)
        path.unlink()
        await node.look()
        end = {"000-a": Progress(1, writer.path.stat().st_size)}
        assert checkpoint(node) == end
        writer.end("2", charge(ONE, 1))
        node.clock.seconds += settlement.STORE_SECONDS - 0.1
        await node.look()
        assert checkpoint(node) == end
        node.clock.seconds += 0.1
        await node.look()
        assert checkpoint(node) == {"000-a": Progress(1, writer.path.stat().st_size)}
        path.unlink()
        node.clock.seconds += settlement.STORE_SECONDS
        await node.look()
        assert not path.exists()
        writer.die()

    told(tmp_path, log, story)


def test_disk_that_takes_no_checkpoint_is_trouble(
    tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """Settling goes on meanwhile, and says so once; then it is stored."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.look()
        checkpoints = node.directory / "checkpoints"
        checkpoints.rename(node.directory / "elsewhere")
        checkpoints.write_text("in the way")
        for number in range(2):
            writer.end(str(number), charge(ONE, 1))
            node.clock.seconds += settlement.STORE_SECONDS
            await node.look()
        assert await used(node) == 2
        assert node.limits.settlement.standing().last_error == "FileExistsError"
        checkpoints.unlink()
        await node.look()
        assert checkpoint(node) == {"000-a": Progress(1, writer.path.stat().st_size)}
        writer.die()

    told(tmp_path, log, story)
    events = [entry["event"] for entry in captured.entries]
    assert events.count("limits cannot be settled") == events.count("over: limits cannot be settled") == 1


def test_what_could_not_be_settled_is_tried_at_the_next_look(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Though the journal has not changed since it was read."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        for _ in range(2):
            await node.limits.look()
        writer.end("1", charge(ONE, 1))
        faults = ["before"]
        node.ledger.fault = lambda: faults.pop() if faults else ""
        await node.limits.look()
        assert (faults, await used(node)) == ([], 0)
        await node.ledger_is_back()
        await node.limits.look()
        assert await used(node) == 1
        writer.die()

    told(tmp_path, log, story)


@pytest.mark.parametrize("fault", ["before", "after"])
def test_lost_batch_is_sent_again(fault: str, tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """Whether it was applied is learnt by that; beginning and end of the trouble are logged."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.look()
        faults = [fault]
        node.ledger.fault = lambda: faults.pop() if faults else ""
        writer.end("1", charge(ONE, 1), charge(TWO, 3))
        await node.look()
        writer.end("2", charge(ONE, 1))
        while await used(node) != 2:
            await node.look()
        assert await used(node, TWO) == 3
        writer.die()

    told(tmp_path, log, story)
    events = [entry["event"] for entry in captured.entries]
    assert events.count("limits cannot be settled") == events.count("over: limits cannot be settled") == 1


def test_ledger_that_has_forgotten_is_told_what_is_new(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """A store that was emptied or set back goes on from where it is."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        writer.end("1", charge(ONE, 1))
        await node.look()
        node.ledger.inner = type(node.ledger.inner)(node.clock.unix)
        writer.end("2", charge(ONE, 10))
        await node.look()
        assert await used(node) == 10
        writer.die()

    told(tmp_path, log, story)


def test_somebody_elses_settling_is_trouble(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """Two processes on one journal would go on for ever."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.look()
        node.ledger.before = [Settle(ONE, f"{NODE}/000-a", place, place + 1, 0, 0, 0) for place in range(20)]
        writer.end("1", charge(ONE, 1))
        await node.look()
        writer.die()

    told(tmp_path, log, story)
    assert captured.entries[-1]["reason"] == "another process settles the journal of this node"


def test_how_it_stands(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """As any consumer of the journal: how much it has not settled, for how long at most, and what is wrong."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        settling = node.limits.settlement
        writer.end("1", charge(ONE, 1))
        size = writer.path.stat().st_size
        assert settling.standing() == Standing("limits", size, None, 0, 0, 0, 0, None, is_optional=False)
        await node.look()
        node.clock.seconds += 0.25
        assert settling.standing() == Standing("limits", 0, 0.0, 1, 0, 0, 0, None, is_optional=False)
        await node.limits.look()
        node.clock.seconds += 0.5
        await node.limits.look()
        writer.write(b"nonsense\n")
        node.clock.seconds += 0.25
        assert settling.standing().lag_seconds == 0.25
        await node.look()
        writer.end("2", charge(ONE, 1))
        node.ledger.fault = lambda: "before"
        await node.look()
        standing = settling.standing()
        assert (standing.backlog_bytes, standing.errors_total, standing.damages_total) == (size, 1, 1)
        assert standing.last_error == "LedgerUnavailableError"
        node.ledger.fault = lambda: ""
        await node.look()
        assert (settling.standing().last_error, settling.standing().events_total) == (None, 2)
        node.clock.seconds += settlement.STORE_SECONDS
        await node.look()
        assert settling.checkpoint.incarnations == checkpoint(node)
        writer.die()

    told(tmp_path, log, story)


def test_damage_is_logged(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """Of the journal, and of the checkpoint."""

    async def story(node: Node) -> None:
        await node.look()
        writer = Writer(node.events, "000-a")
        writer.write(b"nonsense\n")
        checkpoint_path(node.directory).write_text("{")
        await node.start()
        await node.look()
        writer.die()

    told(tmp_path, log, story)
    assert [entry["event"] for entry in captured.entries] == [
        "a consumer begins again with the oldest event",
        "a part of the journal is damaged, what it charged is lost",
    ]


def test_long_journal_is_settled_to_its_end(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """However much one look can take."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        line = msgspec.json.encode(exchange("1", charge(ONE, 1))) + b"\n"
        writer.write(line * (settlement.LARGEST_READING * 2))
        await node.look()
        assert await used(node) == settlement.LARGEST_READING * 2
        writer.die()

    told(tmp_path, log, story)


def test_positions_that_were_forgotten_are_learnt_again(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """What is remembered stays bounded; what is not costs a second round trip, and nothing is charged twice."""

    async def main() -> None:
        clock = Clock()
        ledger = MemoryLedger(clock.unix)
        writer = Writer(tmp_path / "events", "000-a")
        settling = Settlement(
            tmp_path / "events",
            FileStore(checkpoint_path(tmp_path), log=log),
            ledger,
            node=NODE,
            time=LedgerTime(clock.monotonic, clock.unix),
            clock=clock.monotonic,
            log=log,
            most_positions=1,
        )
        for number in range(3):
            writer.end(str(number), charge(ONE, 1), charge(TWO, 1))
            await settling.look()
        settling.close()
        assert [balance.used for balance in await ledger.look([ONE, TWO])] == [3, 3]
        writer.die()

    asyncio.run(main())


def test_positions_of_who_is_over_are_forgotten(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """A node's workers come and go for years; of those that are gone nothing is kept."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        writer.end("1", charge(ONE, 1))
        await node.look()
        assert list(node.limits.settlement._positions) == [f"{NODE}/000-a"]
        writer.die()
        await node.look()
        assert node.limits.settlement._positions == {}

    told(tmp_path, log, story)
