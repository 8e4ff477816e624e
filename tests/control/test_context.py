"""What the routes of the management API can reach."""

from fastapi import FastAPI

from sluicegate.control.context import Context, Reached
from tests.control.asgi import ask


def test_route_reaches_the_context(context: Context) -> None:
    """A route gets the context of the application it belongs to by the type of its parameter alone."""
    application = FastAPI()
    application.state.context = context
    seen: list[Context] = []

    async def look(reached: Reached) -> None:
        seen.append(reached)

    application.add_api_route("/", look)
    assert ask(application, "GET", "/").status == 200
    assert seen == [context]
