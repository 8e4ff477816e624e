"""Counting uses from a real journal."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.uses import Spent, Use, Used, Uses, counter, summed
from sluicegate.domain.events import Charge, Exchange, Metadata
from sluicegate.domain.segments import segment_name
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.events.consumer import Consumer
from sluicegate.events.reader import SegmentReader

INCARNATION = "000-0193a5b0c0de"


def an_exchange(token: str = "tok_1", *, second: int = 0, duration: float = 0.0) -> Exchange:
    """An exchange of the first minute of 2026."""
    return Exchange(
        request_id="req_1",
        timestamp=f"2026-01-01T00:00:{second:02d}.000Z",
        token=token,
        project_id="prj_1",
        organization_id="org_1",
        endpoint="/v1/chat/completions",
        method="POST",
        status_code=200,
        duration_ms=duration,
        metadata=Metadata(),
    )


AT = 1_767_225_600_000
"""The first moment of 2026, in Unix milliseconds."""


class Bench:
    """A journal, its counter, and a database that keeps what it is given."""

    def __init__(self, directory: Path, log: FilteringBoundLogger) -> None:
        self.directory = directory
        self.log = log
        self.added: list[Use] = []
        self.spent: list[bytes] = []
        self.announced: list[list[bytes]] = []
        self.trouble: Exception | None = None
        self.observed: list[str] = []
        self.reader = SegmentReader(directory / "events")
        self.uses = self.counter()

    def counter(self) -> Consumer[Used]:
        """The counter of a new control process."""
        return counter(
            Uses(
                add=self.add,
                announce=lambda digests: self.announced.append(list(digests)),
                observe=lambda events: self.observed.extend(event.token for event in events),
            ),
            self.reader,
            FileStore(self.directory / "token-uses.json", log=self.log),
            clock=lambda: 0.0,
            log=self.log,
        )

    async def add(self, uses: Sequence[Use], checkpoint: Checkpoint) -> Sequence[bytes]:
        """Keep them."""
        if self.trouble is not None:
            raise self.trouble
        self.added += uses
        return self.spent

    def write(self, *exchanges: Exchange) -> None:
        """Add lines to the journal."""
        path = self.directory / "events" / segment_name(INCARNATION, 1)
        with path.open("ab") as journal:
            journal.writelines(msgspec.json.encode(exchange) + b"\n" for exchange in exchanges)

    def count(self) -> list[Use]:
        """Count once; what was added by it."""
        self.added.clear()
        asyncio.run(self.uses.look())
        return list(self.added)


@pytest.fixture
def bench(tmp_path: Path, log: FilteringBoundLogger) -> Bench:
    """An empty journal."""
    return Bench(tmp_path, log)


def used(exchange: Exchange) -> Used:
    """What is read of it."""
    return msgspec.json.decode(msgspec.json.encode(exchange), type=Used)


def test_what_is_read_of_an_exchange() -> None:
    """As much as uses and the key file's counts need, under the names that `Exchange` has for it."""
    exchange = replace(an_exchange(), metadata=Metadata(total_tokens=25), limit="l", charges=(Charge("l", 1, 1),))
    assert used(exchange) == Used(
        request_id="req_1",
        timestamp=exchange.timestamp,
        token="tok_1",
        duration_ms=0.0,
        metadata=Spent(25),
        charges=msgspec.Raw(b'[["l",1,1]]'),
        limit="l",
        organization_id="org_1",
    )


def test_uses_are_summed_by_token() -> None:
    """With the end of the last one; requests of nobody are not counted."""
    events = [
        an_exchange(second=5, duration=2500.0),
        an_exchange("tok_2", second=1),
        an_exchange(second=6),
        an_exchange(""),
    ]
    assert summed(map(used, events)) == [("tok_1", AT + 7_500, 2), ("tok_2", AT + 1_000, 1)]


def test_what_a_limit_refused_is_no_request() -> None:
    """It is a use all the same; what shadow mode only reports, and a stream that was ended, are requests."""
    refused = replace(an_exchange(second=9), limit="tok_1|requests|lifetime")
    admitted = replace(refused, charges=(Charge("tok_1|requests|lifetime", 1, 1),))
    assert summed([used(refused)]) == [("tok_1", AT + 9_000, 0)]
    assert summed(map(used, [refused, admitted, an_exchange()])) == [("tok_1", AT + 9_000, 2)]


def test_each_line_is_counted_once(bench: Bench) -> None:
    """Also by a successor, which begins where its predecessor was."""
    bench.write(an_exchange(), an_exchange())
    assert bench.count() == [("tok_1", AT, 2)]
    assert bench.count() == []
    bench.uses = bench.counter()
    bench.write(an_exchange(second=3))
    assert bench.count() == [("tok_1", AT + 3_000, 1)]


def test_what_a_database_refused_is_counted_later(bench: Bench, captured: LogCapture) -> None:
    """Nothing is lost, and the trouble is logged once."""
    bench.write(an_exchange())
    bench.trouble = OSError("locked")
    assert bench.count() == bench.count() == []
    assert bench.observed == []
    bench.trouble = None
    assert bench.count() == [("tok_1", AT, 1)]
    assert bench.observed == ["tok_1"]
    assert [(entry["event"], entry["consumer"]) for entry in captured.entries] == [
        ("events cannot be consumed", "token-uses"),
        ("over: events cannot be consumed", "token-uses"),
    ]


def test_spent_tokens_are_announced(bench: Bench) -> None:
    """Once they are stored as such."""
    bench.write(an_exchange())
    bench.count()
    assert bench.announced == []
    bench.spent = [b"digest"]
    bench.write(an_exchange())
    bench.count()
    assert bench.announced == [[b"digest"]]


def test_those_of_nobody_are_seen_too(bench: Bench) -> None:
    """Though nothing is stored: the key file has counts of its own."""
    bench.write(an_exchange(""))
    assert bench.count() == []
    assert bench.observed == [""]
    assert repr(Uses(add=bench.add, announce=lambda _digests: None)) == "<Uses>"


def test_a_damaged_checkpoint_is_told(bench: Bench, captured: LogCapture) -> None:
    """Counting begins anew: a token may stop early by that, never late."""
    (bench.directory / "token-uses.json").write_text("nonsense")
    bench.write(an_exchange())
    assert bench.count() == [("tok_1", AT, 1)]
    assert captured.entries[0]["event"] == "a consumer begins again with the oldest event"
