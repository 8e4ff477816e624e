"""Management paths while the control process cannot answer."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sluicegate.domain.errors import (
    BodyTooLargeError,
    ControlUnavailableError,
    GatewayError,
    NoConnectionError,
    UpstreamBrokenError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from sluicegate.gateway.away import told
from tests.gateway.node import Node, a_request, parts


def an_exchange(kind: str) -> Any:
    """An exchange as far as its route."""
    return SimpleNamespace(route=SimpleNamespace(kind=kind))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UpstreamUnreachableError("x"), "is being restarted"),
        (UpstreamBrokenError("x"), "is not known"),
        (UpstreamTimeoutError("x"), "is not known"),
        (NoConnectionError("raise providers.control.max_connections"), "has too much to answer"),
    ],
)
def test_a_failure_of_control_is_the_gateways(error: GatewayError, words: str) -> None:
    """It is a 503 that says whether the request may have had an effect; a provider's failure stays what it is."""
    answer = told(an_exchange("control"), error)
    assert isinstance(answer, ControlUnavailableError)
    assert words in answer.message
    assert told(an_exchange("model"), error) is error


def test_a_refusal_of_our_own_stays_what_it_is() -> None:
    """Also before it is known where the request leads."""
    error = BodyTooLargeError("x")
    assert told(an_exchange("control"), error) is error
    without_route: Any = SimpleNamespace()
    assert told(without_route, error) is error


@pytest.mark.parametrize("path", ["/manage/tokens", "/admin/config", "/v1/key"])
def test_management_is_told_as_a_problem(node: Node, path: str) -> None:
    """The answer has the form that the control process gives its own errors (RFC 9457), and says when to come back."""
    node.opener.refusal = UpstreamUnreachableError("provider control cannot be reached")
    client = node.client().says(a_request(path, b"", method="GET", token="management"))
    status, fields, body = parts(client.hears())
    assert (status, fields["content-type"], fields["retry-after"]) == (503, "application/problem+json", "1")
    assert fields["x-gateway-error-source"] == "gateway"
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The control process is being restarted; try again in a moment.",
        "request_id": fields["x-request-id"],
        "errors": [],
    }


def test_a_control_process_that_dies_while_it_answers(node: Node) -> None:
    """The request was read, so it is not sent again, and nobody claims that nothing happened."""
    client = node.client().says(a_request("/manage/tokens", b"{}", token="management"))
    node.provider.leaves()
    status, fields, body = parts(client.hears())
    assert (status, fields["content-type"]) == (503, "application/problem+json")
    assert "look before you repeat it" in json.loads(body)["detail"]
