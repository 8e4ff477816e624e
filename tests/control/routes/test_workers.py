"""The list of workers."""

from sluicegate.control.application import create_application
from sluicegate.control.context import Context
from tests.control.asgi import ask


def test_workers_are_listed(context: Context) -> None:
    """Each worker is told with number, process, readiness, version and since when."""
    context.workers.joined(0, 11)
    context.workers.ready(11, 3)
    answer = ask(create_application(context), "GET", "/admin/workers", {"x-admin-secret": "management-secret"})
    assert answer.json == {
        "data": [{"worker": 0, "pid": 11, "is_ready": True, "version": 3, "connected_at": "2026-11-21T12:00:00Z"}]
    }
