"""AWS's services, as moto has them: what is sent is found there."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from moto.server import ThreadedMotoServer

from sluicegate.events.sinks.aws import service
from sluicegate.events.sinks.base import Surroundings
from tests.events.sinks.contract import NOW, connected, exchange, settings_of


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of a server that is all of AWS."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}/"
    server.stop()


async def ask(kind: str, url: str, name: str, target: str, action: str, document: dict[str, Any]) -> Any:
    """Ask a service with a sink's own key."""
    client = service(settings_of(kind, url), Surroundings(lambda: NOW), name=name, target=target)
    try:
        answer = await client.call(action, document)
        return msgspec.json.decode(answer.body or b"{}")
    finally:
        await client.close()


def test_a_log_stream_is_made_and_filled(moto: str) -> None:
    """Group and stream are there afterwards, with each event once."""

    async def story() -> None:
        async with connected("cloudwatch", moto) as sink:
            await sink.deliver([exchange(1), exchange(2)])
            await sink.deliver([exchange(3)])
        where = {"logGroupName": "gateway", "logStreamName": "sluicegate", "startFromHead": True}
        found = await ask("cloudwatch", moto, "logs", "Logs_20140328", "GetLogEvents", where)
        told = [msgspec.json.decode(each["message"])["request_id"][-1] for each in found["events"]]
        assert sorted(told) == ["1", "2", "3"]

    asyncio.run(story())


def test_batches_at_the_same_time_make_one_group(moto: str) -> None:
    """A new group and stream are missing for all of them; whoever makes it second has no fault."""

    async def story() -> None:
        async with connected("cloudwatch", moto, log_group="busy") as sink:
            await asyncio.gather(*(sink.deliver([exchange(number)]) for number in range(1, 9)))
        where = {"logGroupName": "busy", "logStreamName": "sluicegate", "startFromHead": True}
        found = await ask("cloudwatch", moto, "logs", "Logs_20140328", "GetLogEvents", where)
        assert len(found["events"]) == 8

    asyncio.run(story())


def test_events_are_on_the_bus(moto: str) -> None:
    """An archive of the bus has counted them."""

    async def story() -> None:
        async def events(action: str, document: dict[str, Any]) -> Any:
            return await ask("eventbridge", moto, "events", "AWSEvents", action, document)

        arn = (await events("DescribeEventBus", {}))["Arn"]
        await events("CreateArchive", {"ArchiveName": "all", "EventSourceArn": arn})
        async with connected("eventbridge", moto) as sink:
            await sink.deliver([exchange(1), exchange(2)])
        assert (await events("DescribeArchive", {"ArchiveName": "all"}))["EventCount"] == 2

    asyncio.run(story())
