"""Streams are held open, all of them, or it is said that they were not."""

import pytest

from sluicegate.bench.held import StreamsLostError, held_streams
from sluicegate.bench.mock import MockServer
from sluicegate.bench.request import Target, request_bytes
from tests.bench.conversation import until, with_mock


def stream_request(target: Target, *extra: str) -> bytes:
    """A request for a stream."""
    return request_bytes(target, "/v1/chat/completions", token="t", model="m", stream=True, extra=extra)


def test_streams_are_held() -> None:
    """All streams are open while they are held, and closed afterwards."""

    async def hold(mock: MockServer) -> None:
        target = Target("127.0.0.1", mock.port)
        async with held_streams(target, stream_request(target, "x-mock-rate: 0.5"), 5):
            assert mock.open_connections == 5
        await until(lambda: mock.open_connections == 0)

    with_mock(hold)


def test_streams_that_end_early() -> None:
    """A stream that is lost while it is held is an error."""

    async def hold(mock: MockServer) -> None:
        target = Target("127.0.0.1", mock.port)
        streams = held_streams(target, stream_request(target, "x-mock-fault: reset-after=2"), 1)
        crowd = await streams.__aenter__()
        # The news travels to this end of the connection, which a busy machine lets wait.
        await until(lambda: crowd.lost == 1)
        assert repr(crowd) == "<Crowd missing=0 lost=1>"
        with pytest.raises(StreamsLostError, match="1 of 1 streams ended early"):
            await streams.__aexit__(None, None, None)

    with_mock(hold)


def test_streams_that_do_not_begin() -> None:
    """Neither a silent nor an absent gateway is waited for without end."""

    async def hold(mock: MockServer) -> None:
        target = Target("127.0.0.1", mock.port)
        request = stream_request(target, "x-mock-fault: stall-before")
        with pytest.raises(StreamsLostError, match="2 of 2 streams connected, 0 lost"):
            async with held_streams(target, request, 2, patience=1.0):
                pytest.fail("the streams did not begin")
        await mock.close()
        with pytest.raises(StreamsLostError, match="0 of 2"):
            async with held_streams(target, request, 2):
                pytest.fail("there is no gateway")

    with_mock(hold)
