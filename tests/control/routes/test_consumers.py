"""How consumers fare, over HTTP."""

from dataclasses import replace

from sluicegate.control.dispatched import Dispatched
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.consumer import Standing
from sluicegate.events.stream_group import GroupStanding
from tests.control.api import Api


class Behind:
    """A consumer in trouble."""

    name = "sink-webhook"
    checkpoint = Checkpoint()

    def standing(self) -> Standing:
        """So."""
        return Standing(self.name, 4_096, 12.5, 90, 3, 1, 10, "TimeoutError", is_optional=True)


def test_consumers_are_listed(api: Api) -> None:
    """Each with its backlog, its lag and what is wrong with it."""
    assert api.ask("GET", "/admin/consumers").json == {"data": [], "dispatched": []}
    api.context.consumers.add(Behind())
    assert api.ask("GET", "/admin/consumers").json == {
        "data": [
            {
                "name": "sink-webhook",
                "is_optional": True,
                "backlog_bytes": 4_096,
                "lag_seconds": 12.5,
                "events_total": 90,
                "errors_total": 3,
                "damages_total": 1,
                "set_aside_total": 10,
                "last_error": "TimeoutError",
            }
        ],
        "dispatched": [],
    }


def test_sinks_of_dispatchers_are_listed(api: Api) -> None:
    """Whichever way they get their events; what is not known of a way is null."""

    async def dispatched() -> tuple[Dispatched, ...]:
        return (
            Dispatched("away", "redis", "stream", error="StreamUnavailableError"),
            Dispatched("hook", "local", backlog_bytes=70, lag_seconds=1.5, is_running=True),
            Dispatched("langfuse", "redis", "stream", group=GroupStanding(5, 2)),
            Dispatched("new", None),
        )

    api.context = replace(api.context, metrics=replace(api.context.metrics, dispatched=dispatched))
    api.application.state.context = api.context
    names = (
        "sink",
        "source",
        "is_running",
        "stream",
        "backlog_bytes",
        "lag_seconds",
        "lag_entries",
        "pending_entries",
        "error",
    )
    told = api.ask("GET", "/admin/consumers").json["dispatched"]
    assert all(tuple(one) == names for one in told)
    assert [tuple(one.values()) for one in told] == [
        ("away", "redis", None, "stream", None, None, None, None, "StreamUnavailableError"),
        ("hook", "local", True, None, 70, 1.5, None, None, None),
        ("langfuse", "redis", None, "stream", None, None, 5, 2, None),
        ("new", None, None, None, None, None, None, None, None),
    ]


def test_one_organization_does_not_see_what_all_do(api: Api) -> None:
    """How many events there were is of everyone's requests."""
    assert api.ask("GET", "/admin/consumers", key=api.add_key("viewer")).status == 200
    answer = api.ask("GET", "/admin/consumers", key=api.world().keys["viewer"])
    assert (answer.status, answer.json["detail"]) == (403, "This is for managers of all organizations.")
