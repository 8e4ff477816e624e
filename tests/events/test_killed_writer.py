"""A real process, really killed: what it said was written is read, exactly once."""

import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.disposal import Disposal
from sluicegate.events.reader import SegmentReader
from sluicegate.events.retention import Bounds

WRITER = """
import sys
from pathlib import Path
from sluicegate.domain.events import Exchange, Metadata, Pending
from sluicegate.gateway.journal import Journal

told = lambda state, reason: sys.exit(reason)
journal = Journal(Path(sys.argv[1]), 0, "b", schedule=lambda flush: None, on_error=told, segment_bytes=20_000)
number = 0
while True:
    numbers = range(number, number + 1 + number % 4)
    for each in numbers:
        exchange = Exchange(str(each), "", "", "", "", "", "POST", 200, 1.0, Metadata())
        journal.append(exchange if each % 5 else Pending(str(each), exchange))
    journal.flush()
    sys.stdout.write("".join(f"{each}\\n" for each in numbers))
    sys.stdout.flush()
    number = numbers[-1] + 1
"""


@pytest.mark.parametrize("seed", range(3))
def test_nothing_a_killed_writer_said_is_lost(tmp_path: Path, seed: int) -> None:
    """Every number printed is read exactly once, in pieces, before and after kill -9; nothing half is read."""
    patience = random.Random(seed).randrange(50, 600)
    reader = SegmentReader(tmp_path)
    checkpoint = Checkpoint()
    found: list[int] = []
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(patience)]
        batch = reader.read(checkpoint, patience)
        found += [int(event.request_id) for event in batch.events]
        assert not any(number % 5 == 0 for number in found)
        checkpoint = batch.checkpoint
        writer.kill()
        # A line of output may be torn; one of the journal may not.
        said += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    while True:
        batch = reader.read(checkpoint, 7)
        assert all(damage.reason == "a line without its end" for damage in batch.damages)
        found += [int(event.request_id) for event in batch.events]
        checkpoint = batch.checkpoint
        if len(batch.events) < 7:
            break
    assert said == list(range(len(said)))
    assert len(found) == len(set(found))
    assert sorted(found) == list(range(len(found)))
    assert len(found) >= len(said)
    Disposal(tmp_path).dispose([checkpoint], Bounds(1 << 40, longest_seconds=0), now=math.inf)
    assert list(tmp_path.iterdir()) == []
