"""What system D asks of a proxy in front of a provider that fails now and then: few repetitions, and a circuit breaker.

A request is sent again before its first byte; after repeated failures the provider is left alone, and after a cooldown
it is tried; a path or method that is not allowed never reaches it.
"""

import json
from collections.abc import Iterator
from http.client import HTTPMessage
from typing import Any

import pytest

from tests.e2e.mocks import Mock
from tests.e2e.polling import eventually
from tests.e2e.program import QUESTION, TOKEN, Gateway
from tests.e2e.stalls import seconds_until
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management

COOLDOWN = 5.0
"""Seconds; what happens within them takes a few tenths of a second, and a stall may be among them."""
FAILURES = 5
PASSING = ("status=500", "status=502", "status=503", "status=504", "status=529", "status=429", "status=408")


@pytest.fixture(scope="module")
def running() -> Iterator[Mock]:
    """A provider."""
    with Mock() as made:
        yield made


@pytest.fixture
def mock(running: Mock) -> Mock:
    """The provider, in its right mind."""
    running.be(fault="none")
    return running


@pytest.fixture(scope="module")
def gateway(running: Mock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker before the provider, which by another name is left alone after some failures: nobody else is there."""
    directory = tmp_path_factory.mktemp("robust")
    circuit = {"consecutive": FAILURES, "ejection": COOLDOWN, "opens_last": True}
    provider = {
        "dialect": "openai",
        "base_url": f"http://127.0.0.1:{running.port}/v1",
        "api_key": "key",
        "proxy": "none",
    }
    settings = {
        "server": {"port": 0, "drain_seconds": 1},
        "management_token": MANAGEMENT_TOKEN,
        "tokens": [{"name": "test", "token": TOKEN}],
        "providers": {
            "mock": provider,
            "brittle": provider | {"circuit": circuit},
            "hasty": provider | {"timeouts": {"first_byte": 0.5}},
        },
        "resilience": {"retries": {"backoff": 0.05}},
    }
    path = directory / "gateway.yaml"
    path.write_text(json.dumps(settings))
    with Gateway(directory, f"--config={path}", "--workers=1", variables={}) as gateway:
        yield gateway


def complete(gateway: Gateway, *, provider: str = "mock", stream: bool = False) -> tuple[int, HTTPMessage, bytes]:
    """Status, fields and body of a chat completion."""
    connection = gateway.connection()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    asked = {**QUESTION, "model": f"{provider}/m"}
    body = json.dumps({**asked, "stream": True} if stream else asked)
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, response.headers, data


@pytest.mark.parametrize("fault", [*PASSING, "malformed-head"])
def test_one_failure_is_not_seen(gateway: Gateway, mock: Mock, fault: str) -> None:
    """A transient failure before the first byte costs a second attempt, which the journal tells of."""
    asked = mock.asked()
    mock.be(fault=fault, fault_first="1")
    status, fields, body = complete(gateway)
    assert (status, fields["x-gateway-attempts"], mock.asked() - asked) == (200, "2", 2), body
    event = gateway.event(fields["x-request-id"])
    assert (event["attempts"], event["status_code"], event["metadata"]["completion_tokens"]) == (2, 200, 16)
    [[target, model, failed, *_]] = event["failed_attempts"]
    assert (target, model) == ("mock", "m")
    assert failed == (int(fault.partition("=")[2]) if fault.startswith("status") else 0)


def test_connection_that_is_reset(gateway: Gateway, mock: Mock) -> None:
    """One that was used before may have been closed for its age: no failure; the request goes over another."""
    assert complete(gateway)[0] == 200
    mock.be(fault="reset-before", fault_first="1")
    status, fields, _ = complete(gateway)
    assert (status, fields["x-gateway-attempts"]) == (200, "2")
    assert "failed_attempts" not in gateway.event(fields["x-request-id"])


def test_stream_before_its_first_byte(gateway: Gateway, mock: Mock) -> None:
    """A stream that could not begin is asked for once more, and comes whole."""
    mock.be(fault="status=503", fault_first="1")
    status, fields, body = complete(gateway, stream=True)
    assert (status, fields["x-gateway-attempts"]) == (200, "2")
    assert body.endswith(b"data: [DONE]\n\n")


def test_stream_that_has_begun(gateway: Gateway, mock: Mock) -> None:
    """What breaks within a stream is not asked for again: the caller is told in the stream."""
    asked = mock.asked()
    mock.be(fault="reset-after=3")
    status, fields, body = complete(gateway, stream=True)
    assert (status, fields["x-gateway-attempts"], mock.asked() - asked) == (200, "1", 1)
    assert b'"error"' in body
    assert b"[DONE]" not in body


@pytest.mark.parametrize("fault", ["status=400", "status=401", "status=404", "status=422"])
def test_failures_of_the_caller(gateway: Gateway, mock: Mock, fault: str) -> None:
    """They are passed on as they are, asked once, and never open the circuit."""
    asked = mock.asked()
    mock.be(fault=fault)
    for _ in range(2 * FAILURES):
        status, fields, _ = complete(gateway, provider="brittle")
        assert (status, fields["x-gateway-attempts"]) == (int(fault.partition("=")[2]), "1")
    assert mock.asked() - asked == 2 * FAILURES
    mock.be(fault="none")
    assert complete(gateway, provider="brittle")[0] == 200


def test_too_slow(gateway: Gateway, mock: Mock) -> None:
    """Who does not begin to answer in time is not asked again, and the caller gets 504."""
    asked = mock.asked()
    mock.be(fault="stall-before")
    status, fields, _ = complete(gateway, provider="hasty")
    assert (status, fields["x-gateway-attempts"]) == (504, "1")
    eventually(lambda: mock.asked() == asked + 1)


def deployment(management: Management) -> dict[str, Any]:
    """What the management API says of the one that may be left alone."""
    status, shown = management.ask("GET", "/admin/deployments")
    assert status == 200
    [one] = [each for each in shown["data"] if each["id"] == "brittle"]
    assert isinstance(one, dict)
    return one


def test_circuit(gateway: Gateway, mock: Mock) -> None:
    """It opens on repeated failures, answers 503 with `Retry-After` by itself, and closes after its cooldown."""
    management = Management(gateway)
    assert complete(gateway, provider="brittle")[0] == 200
    asked = mock.asked()
    mock.be(fault="status=500")
    answers = [complete(gateway, provider="brittle") for _ in range(2 * FAILURES)]
    # Each of the first ones was asked three times.
    assert mock.asked() - asked <= FAILURES + 2
    status, fields, body = answers[-1]
    assert (status, fields["x-gateway-error-source"]) == (503, "gateway"), body
    assert 1 <= int(fields["retry-after"]) <= COOLDOWN
    assert json.loads(body)["error"]["message"]
    eventually(lambda: deployment(management)["state"] == "open")
    mock.be(fault="none")
    asked = mock.asked()
    assert seconds_until(lambda: complete(gateway, provider="brittle")[0] == 200) < COOLDOWN + 2.0
    assert mock.asked() == asked + 1
    assert {complete(gateway, provider="brittle")[0] for _ in range(2 * FAILURES)} == {200}
    eventually(lambda: deployment(management)["state"] == "closed")


def test_what_is_not_allowed(gateway: Gateway, mock: Mock) -> None:
    """A path that the provider's allowlist lacks is 404, a method 405 with those that may; it hears of neither."""
    asked = mock.stats()["requests"]
    for path, method, wanted in (
        ("/v1/organization/users", "GET", 404),
        ("/mock/organization/users", "GET", 404),
        ("/v1/chat/completions", "PUT", 405),
        ("/mock/embeddings", "DELETE", 405),
    ):
        connection = gateway.connection()
        connection.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        assert response.status == wanted, (path, response.read())
        assert wanted == 404 or "POST" in response.headers["allow"]
        connection.close()
    assert mock.stats()["requests"] == asked
