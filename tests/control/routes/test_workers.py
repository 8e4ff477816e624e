"""The list of workers."""

from tests.control.api import Api


def test_workers_are_listed(api: Api) -> None:
    """Each worker is told with number, process, readiness, version and since when."""
    api.context.workers.joined(0, 11)
    api.context.workers.ready(11, 3)
    answer = api.ask("GET", "/admin/workers")
    assert answer.json == {
        "data": [{"worker": 0, "pid": 11, "is_ready": True, "version": 3, "connected_at": "2026-11-21T12:00:00Z"}]
    }
