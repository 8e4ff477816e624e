"""What is left behind."""

from pathlib import Path

import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.domain.leases import Account, Lease
from sluicegate.wire.link import AskLease, Lend
from tests.control.limits.journals import Writer, charge
from tests.control.limits.node import Node, told

ACCOUNT = "tok_1|requests|lifetime"


def ask(wanted: int) -> AskLease:
    """A first ask."""
    return AskLease(ACCOUNT, 100, 0, wanted, wanted, 0)


async def balance(node: Node) -> tuple[int, int]:
    """Used and set aside."""
    found = await node.ledger.balance(ACCOUNT)
    return found.used, found.leased


def test_dead_workers_leases_are_free_once_its_journal_is_settled(
    tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """What it had used stays used, what it had under way is taken as it was guessed, the rest is free."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        writer.end("1", charge(ACCOUNT, 3))
        writer.begin("2", charge(ACCOUNT, 4))
        await node.look()
        assert await balance(node) == (3, 17)
        writer.die()
        await node.look()
        assert await balance(node) == (7, 0)
        assert "closed=1 well" in repr(node.limits)

    told(tmp_path, log, story)
    assert captured.entries[-1]["event"] == "accounts of workers that are gone closed"


def test_ended_node_is_tidied_by_the_next_start(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """However many workers died with it, and whether or not their journals were settled."""

    async def story(node: Node) -> None:
        writers = [Writer(node.events, name) for name in ("000-a", "001-b")]
        for writer in writers:
            await node.lend(writer.incarnation, ask(20))
            writer.end("1", charge(ACCOUNT, 3))
        await node.stop()
        for writer in writers:
            writer.die()
        await node.start()
        await node.look()
        assert await balance(node) == (6, 0)

    told(tmp_path, log, story)


def test_last_words_of_the_dead_count_no_more(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """An ask that is read after its worker's end would set aside what nobody gives back."""

    async def story(node: Node) -> None:
        Writer(node.events, "000-a").die()
        await node.look()
        node.limits.lend(Lend(1, "000-a", (ask(20),)), "000-a", lambda lent: None)
        await node.lend("001-b", AskLease(ACCOUNT, 100, 0, 0, 0, 0))
        assert await balance(node) == (0, 0)

    told(tmp_path, log, story)
    assert captured.entries[-1]["event"] == "a worker that is gone asks for a lease"


def test_holder_without_a_journal_is_given_up_when_its_leases_have_ended(
    tmp_path: Path, log: FilteringBoundLogger
) -> None:
    """Not before: it may be another's that took our name, a copy of this directory."""

    async def story(node: Node) -> None:
        await node.lend("007-z", ask(20))
        await node.look()
        assert await balance(node) == (0, 20)
        node.clock.seconds += 16
        await node.look()
        assert await balance(node) == (0, 20)
        node.clock.seconds += 16
        await node.look()
        assert await balance(node) == (0, 0)

    told(tmp_path, log, story)


def test_those_without_a_journal_are_looked_for_once_in_a_while(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """To read all leases of a node is no matter for every look."""

    async def story(node: Node) -> None:
        await node.lend("007-z", ask(20))
        await node.look()
        node.clock.seconds += 16
        await node.look()
        node.clock.seconds += 14
        await node.look()
        assert await balance(node) == (0, 20)
        node.clock.seconds += 1
        await node.look()
        assert await balance(node) == (0, 0)

    told(tmp_path, log, story)


def test_holder_with_a_journal_is_not_given_up_while_it_lives(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """However long it has not asked: what it will charge is settled behind what was settled of it before."""

    async def story(node: Node) -> None:
        writer, other = Writer(node.events, "000-a"), Writer(node.events, "001-b")
        await node.lend("000-a", ask(20))
        writer.end("1", charge(ACCOUNT, 3))
        await node.look()
        node.clock.seconds += 1_000
        other.die()
        await node.look()
        assert "closed=1" in repr(node.limits)
        assert await balance(node) == (3, 17)
        writer.die()

    told(tmp_path, log, story)


def test_holder_whose_empty_journal_is_deleted_before_it_was_found_over_is_given_up(
    tmp_path: Path, log: FilteringBoundLogger
) -> None:
    """Retention deletes it at once, and may be first: what the dead worker held of a lifetime must not stay so."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        await node.look()
        writer.die()
        for segment in node.events.iterdir():
            segment.unlink()
        await node.look()
        assert await balance(node) == (0, 20)
        node.clock.seconds += 32
        await node.look()
        assert await balance(node) == (0, 0)

    told(tmp_path, log, story)


def test_holder_whose_empty_journal_nobody_has_seen_is_given_up(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """It began, asked, died and left nothing while settling waited for the ledger: that its successor came tells."""

    async def story(node: Node) -> None:
        await node.look()
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        writer.die()
        writer.path.unlink()
        successor = Writer(node.events, "000-b")
        await node.look()
        assert await balance(node) == (0, 20)
        node.clock.seconds += 32
        await node.look()
        assert await balance(node) == (0, 0)
        successor.die()

    told(tmp_path, log, story)


@pytest.mark.parametrize("is_found_over", [True, False], ids=["found over", "lost"])
def test_holder_whose_empty_journal_is_deleted_before_it_could_be_closed_is_given_up(
    tmp_path: Path, log: FilteringBoundLogger, is_found_over: bool
) -> None:
    """As long as the disk refuses, nothing is closed, and retention goes on: nobody is forgotten meanwhile."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        await node.look()
        checkpoints = node.directory / "checkpoints"
        checkpoints.rename(node.directory / "elsewhere")
        checkpoints.write_text("in the way")
        writer.die()
        if is_found_over:
            await node.look()
        writer.path.unlink()
        await node.look()
        checkpoints.unlink()
        node.clock.seconds += 32
        await node.look()
        assert await balance(node) == (0, 0)

    told(tmp_path, log, story)


def test_account_of_a_time_zone_that_is_known_no_more_keeps_no_other_from_being_closed(
    tmp_path: Path, log: FilteringBoundLogger
) -> None:
    """Other machines, and other versions of the zones' files, have other zones; that must end no control process."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        unknown = {"tok_1|usd|month@Mars/Base": Account(leases={"node/000-a": Lease(granted=5)})}
        node.ledger.inner._accounts.update(unknown)
        writer.die()
        await node.look()
        assert await balance(node) == (0, 0)
        assert node.ledger.inner._accounts.items() >= unknown.items()

    told(tmp_path, log, story)


def test_nothing_is_closed_before_the_disk_knows_what_is_settled(
    tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """Else a crash could have it settled once more on accounts that remember nothing of it."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        await node.look()
        checkpoints = node.directory / "checkpoints"
        checkpoints.rename(node.directory / "elsewhere")
        checkpoints.write_text("in the way")
        writer.die()
        await node.look()
        assert await balance(node) == (0, 20)
        checkpoints.unlink()
        await node.look()
        assert await balance(node) == (0, 0)

    told(tmp_path, log, story)
    failure = "the accounts of workers that are gone cannot be closed"
    assert [entry["event"] for entry in captured.entries if "cannot be" in entry["event"]] == [
        failure,
        f"over: {failure}",
    ]


def test_a_full_disk_is_told_of_once(tmp_path: Path, log: FilteringBoundLogger, captured: LogCapture) -> None:
    """However often it is looked at meanwhile; reading alone does not end the trouble."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        writer.die()
        await node.look()
        node.ledger.fault = lambda: "full"
        for _ in range(4):
            await node.lend("001-b", ask(20))
            await node.look()
            await node.ledger_is_back()
            await node.look()
        node.ledger.fault = lambda: ""
        await node.ledger_is_back()
        await node.look()

    told(tmp_path, log, story)
    trouble = "the accounts of workers that are gone cannot be closed"
    events = [entry["event"] for entry in captured.entries if trouble in entry["event"]]
    assert events == [trouble, f"over: {trouble}"]


def test_ledger_that_was_away_is_looked_through_again(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Closing that was lost is done again; what arrived late is found."""

    async def story(node: Node) -> None:
        writer = Writer(node.events, "000-a")
        await node.lend("000-a", ask(20))
        await node.look()
        writer.die()
        faults = ["before"]
        node.ledger.fault = lambda: faults.pop() if faults else ""
        await node.look()
        assert await balance(node) == (0, 20)
        while await balance(node) != (0, 0):
            await node.look()

    told(tmp_path, log, story)
