"""`serve --file-event-log`: every request is a line in a file."""

import json
import signal
from pathlib import Path

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.written import lines


def test_a_file_of_events(start: Start, configuration: Path, tmp_path: Path) -> None:
    """Each request is there with its id, and what came just before a stop is there after the next start."""
    path = tmp_path / "logs" / "events.jsonl"
    flags = (f"--config={configuration}", f"--file-event-log={path}")
    gateway = start(*flags).until_ready()
    assert [gateway.answers() for _ in range(3)] == [200, 200, 200]
    eventually(lambda: len(lines(path)) == 3)
    assert gateway.answers() == 200
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    expected = {event["request_id"] for event in gateway.events()}
    assert len(expected) == 4
    start(*flags).until_ready()
    eventually(lambda: {json.loads(line)["request_id"] for line in lines(path)} == expected)
