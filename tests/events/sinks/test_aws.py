"""Actions of AWS services, and what their errors mean."""

import asyncio

import pytest

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.aws import AwsError, Service, error_name, service
from sluicegate.events.sinks.base import DeliveryError, PermanentError, Surroundings, TooLargeError, TransientError
from sluicegate.events.sinks.http import Answer
from tests.events.sinks.contract import NOW, SECRET, Scripted, answer, scripted

SURROUNDINGS = Surroundings(lambda: NOW)


def settings(**more: str) -> SinkSettings:
    """Those of any AWS sink."""
    given = {"type": "eventbridge", "region": "eu-west-1", "access_key_id": "AKID", "secret_access_key": SECRET}
    return SinkSettings.model_validate(given | more)


def call(*answers: bytes) -> tuple[Answer, Scripted]:
    """Do something at a service that answers so."""

    async def story() -> tuple[Answer, Scripted]:
        async with scripted(*answers) as server:
            client = service(settings(url=server.url, session_token="T"), SURROUNDINGS, name="events", target="Aws")
            try:
                return await client.call("Do", {"a": 1}), server
            finally:
                await client.close()

    return asyncio.run(story())


def test_a_call_is_signed() -> None:
    """With action, document and session, by a key that does not travel."""
    said, server = call(answer(200, b"{}"))
    assert said.body == b"{}"
    ((heads, body),) = server.requests
    assert body == b'{"a":1}'
    assert (heads["x-amz-target"], heads["content-type"]) == ("Aws.Do", "application/x-amz-json-1.1")
    assert heads["x-amz-security-token"] == "T"
    assert heads["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert heads["host"] in server.url
    assert SECRET not in str(heads)


@pytest.mark.parametrize(
    ("status", "name", "error"),
    [
        (400, "ThrottlingException", TransientError),
        (400, "com.amazonaws.events#InternalException", TransientError),
        (500, "ServiceUnavailableException", TransientError),
        (500, "SomethingException", TransientError),
        (413, "RequestEntityTooLarge", TooLargeError),
        (400, "ResourceNotFoundException", AwsError),
        (400, "AccessDeniedException:http://internal.amazon.com/", AwsError),
        (400, "", PermanentError),
    ],
)
def test_errors_have_names(status: int, name: str, error: type[DeliveryError]) -> None:
    """By which, and not by the status, it is known what may pass."""
    with pytest.raises(error) as caught:
        call(answer(status, f'{{"__type": "{name}", "message": "{SECRET}"}}'.encode()))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"__type": "a#BadException"}', "BadException"),
        (b'{"code": "BadException"}', "BadException"),
        (b'{"__type": "no name!"}', ""),
        (b"[]", ""),
        (b"", ""),
        (b"\xff", ""),
    ],
)
def test_names_are_read(body: bytes, name: str) -> None:
    """What is none is none."""
    assert error_name(body) == name


@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-west-1", "events.eu-west-1.amazonaws.com"), ("cn-north-1", "events.cn-north-1.amazonaws.com.cn")],
)
def test_a_region_has_its_address(region: str, host: str) -> None:
    """China's has another end."""
    made: Service = service(settings(region=region), SURROUNDINGS, name="events", target="Aws")
    assert host in repr(made._poster)
    assert repr(made) == f"<Service events {region}>"
