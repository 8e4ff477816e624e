"""What a mock has been asked and has served."""

import json

from sluicegate.bench.mock.counters import Counters


def test_counters_are_json() -> None:
    """All totals can be asked for over the network."""
    counters = Counters(total=2, paths={"/v1/x": 2}, tokens=3)
    assert json.loads(json.dumps(counters.as_json(open_connections=7))) == {
        "total": 2,
        "paths": {"/v1/x": 2},
        "tokens": 3,
        "cancelled": 0,
        "connections": 0,
        "body_bytes": 0,
        "requests": 2,
        "streams_cut": 0,
        "open_connections": 7,
    }
