"""Who may use a path of the management API."""

import asyncio

import pytest

from sluicegate.control.application import create_application
from sluicegate.control.context import Context
from tests.control.asgi import Answer, ask
from tests.control.conftest import WriteSources


def enter(context: Context, headers: dict[str, str]) -> Answer:
    """Ask for something that needs the management token."""
    return ask(create_application(context), "GET", "/admin/workers", headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer management-secret"},
        {"authorization": "bearer   management-secret"},
        {"x-admin-secret": "management-secret"},
        {"authorization": "Bearer something-else", "x-admin-secret": "management-secret"},
    ],
)
def test_management_token_opens(headers: dict[str, str], context: Context) -> None:
    """The token is taken as a bearer or from `x-admin-secret`."""
    assert enter(context, headers).status == 200


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({}, "is missing"),
        ({"authorization": "Basic management-secret"}, "is missing"),
        ({"authorization": "management-secret"}, "is missing"),
        ({"x-admin-secret": ""}, "is missing"),
        ({"authorization": "Bearer management-secre"}, "is not the configured one"),
        ({"authorization": "Bearer caller-secret"}, "is not the configured one"),
        ({"x-admin-secret": "\xff"}, "is not the configured one"),
    ],
)
def test_anything_else_does_not(headers: dict[str, str], what: str, context: Context) -> None:
    """Without it the answer is 401 and says how to send it; a caller's token is no management token."""
    answer = enter(context, headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json["detail"].startswith(f"The management token {what}: send it as")


def test_without_a_token_it_is_closed(context: Context, write: WriteSources) -> None:
    """Where no management token is configured, nobody gets in, and the answer says what to set."""
    write("")
    asyncio.run(context.configuration.reload(cause="test"))
    answer = enter(context, {"authorization": "Bearer management-secret"})
    assert answer.status == 403
    assert "set management_token in the file" in answer.json["detail"]
