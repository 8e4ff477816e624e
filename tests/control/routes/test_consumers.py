"""How consumers fare, over HTTP."""

from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.consumer import Standing
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
    assert api.ask("GET", "/admin/consumers").json == {"data": []}
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
        ]
    }


def test_one_organization_does_not_see_what_all_do(api: Api) -> None:
    """How many events there were is of everyone's requests."""
    assert api.ask("GET", "/admin/consumers", key=api.add_key("viewer")).status == 200
    answer = api.ask("GET", "/admin/consumers", key=api.world().keys["viewer"])
    assert (answer.status, answer.json["detail"]) == (403, "This is for managers of all organizations.")
