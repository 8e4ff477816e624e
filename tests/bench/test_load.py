"""The load generator against mocks and scripted gateways."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sluicegate.bench.load import Load, Plan, Samples
from sluicegate.bench.metronome import Metronome
from sluicegate.bench.mock import MockServer, MockSettings, parse_fault
from sluicegate.bench.request import Target, request_bytes
from tests.bench.conversation import LONGEST, with_mock

ASK = request_bytes(Target("a", 1), "/v1/chat/completions", token="k", model="m", stream=False)
ASK_STREAM = request_bytes(Target("a", 1), "/v1/chat/completions", token="k", model="m", stream=True)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def loaded(settings: MockSettings, request: bytes = ASK, **options: Any) -> tuple[Samples, MockServer]:
    """Load a mock; the samples and the mock, closed by then."""

    async def conversation(mock: MockServer) -> tuple[Samples, MockServer]:
        plan = Plan(request, "127.0.0.1", mock.port, **options)
        return await Load(plan, time.perf_counter).run(), mock

    return with_mock(conversation, settings)


async def load_on(
    handler: Handler, plan: Callable[[int], Plan], clock: Callable[[], float] = time.perf_counter
) -> Samples:
    """Load a scripted gateway; `plan` is told its port."""

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handled, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(LONGEST):
            return await Load(plan(server.sockets[0].getsockname()[1]), clock).run()
    finally:
        server.close()
        await server.wait_closed()


async def request_of(reader: asyncio.StreamReader) -> None:
    """Read one request."""
    await reader.readexactly(len(ASK))


def test_closed_loop_sends_as_many_as_asked() -> None:
    """Every request is sent once over the connections there are, and timed."""
    samples, mock = loaded(MockSettings(), connections=3, requests=50)
    assert (samples.completed, samples.failed, mock.requests.total, mock.requests.connections) == (50, 0, 50, 3)
    assert 0 < min(samples.latencies) <= max(samples.latencies) <= samples.elapsed
    assert (samples.events, samples.gaps, mock.requests.cancelled) == (0, [], 0)


def test_more_connections_than_requests() -> None:
    """Those that are not needed stay idle."""
    samples, mock = loaded(MockSettings(), connections=5, requests=2)
    assert (samples.completed, mock.requests.total) == (2, 2)


def test_streams_are_timed_by_event() -> None:
    """The first event and the gaps between events; there is one gap less than events."""
    samples, _ = loaded(MockSettings(tokens=4, rate=1000), ASK_STREAM, connections=2, requests=6)
    assert (samples.completed, samples.events) == (6, 6 * 7)
    assert len(samples.first_events) == 6
    assert len(samples.gaps) == 6 * 6
    assert max(samples.first_events) <= max(samples.latencies)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status=503", "status 503"),
        ("reset-before", "connection lost"),
        ("truncate-after=3", "connection lost"),
        ("malformed-head", "no HTTP answer"),
    ],
)
def test_errors_are_counted_by_kind(fault: str, error: str) -> None:
    """What fails is no latency, and the run goes on with new connections."""
    samples, mock = loaded(MockSettings(fault=parse_fault(fault)), connections=2, requests=8)
    assert (samples.latencies, dict(samples.errors)) == ([], {error: 8})
    assert mock.requests.total == 8


def test_open_loop_keeps_its_rate() -> None:
    """As many requests as fit into the time, at their times, on connections that are free."""
    samples, mock = loaded(MockSettings(), connections=10, rate=500, requests=50)
    assert (samples.completed, mock.requests.total) == (50, 50)
    # 49 intervals of 2 ms lie between the first request and the last.
    assert samples.elapsed >= 49 / 500


def test_open_loop_charges_waiting_for_a_connection() -> None:
    """No coordinated omission: who waits behind a slow answer is as late as it was due, not as it was sent."""
    samples, _ = loaded(MockSettings(delay=0.02), connections=1, rate=1000, requests=5)
    assert samples.completed == 5
    # The fifth was due 4 ms after the first and was answered after five times 20 ms.
    assert max(samples.latencies) > 0.09


class Beats(Metronome):
    """A metronome that nobody has looked at for so many beats."""

    def __init__(self, missed: int) -> None:
        """They are told of at once."""
        self._missed = missed

    def beats(self) -> int:
        """All of them."""
        return self._missed


def test_open_loop_that_stood_still_has_missed_none_and_adds_none() -> None:
    """What was due in its time is sent late, and what would have been due behind it is not."""
    load = Load(Plan(ASK, "127.0.0.1", 1, rate=100, duration=0.05), lambda: 9.0)
    load._beat(Beats(500), 4.0, 0.01)
    assert repr(load) == "<Load issued=5 settled=0 clients=0>"
    assert list(load._due) == pytest.approx([4.01, 4.02, 4.03, 4.04, 4.05])


def test_duration_ends_the_run() -> None:
    """Requests are started until then, and those under way are waited for."""
    samples, mock = loaded(MockSettings(), connections=2, duration=0.05)
    assert samples.completed == mock.requests.total > 0
    slow, mock = loaded(MockSettings(delay=0.1), connections=2, duration=0.01)
    assert (slow.completed, slow.failed, mock.requests.total) == (2, 0, 2)


def test_hanging_answer_times_out() -> None:
    """An answer that does not come is an error after its time, and its connection is replaced."""
    samples, mock = loaded(MockSettings(fault=parse_fault("stall-before")), connections=1, requests=2, timeout=0.01)
    assert dict(samples.errors) == {"timeout": 2}
    assert mock.requests.cancelled >= 1


def test_requests_that_never_find_a_connection_time_out() -> None:
    """In the open loop, what is due and cannot be sent in time is given up."""
    settings = MockSettings(fault=parse_fault("stall-before"))
    samples, mock = loaded(settings, connections=1, rate=500, duration=5, timeout=0.2)
    assert samples.errors["not sent in time"] > 0
    assert samples.completed == 0
    assert samples.failed == mock.requests.total + samples.errors["not sent in time"]


def test_connection_that_closes_after_each_answer_is_replaced() -> None:
    """`connection: close` costs a connection and no request."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))

    samples = asyncio.run(load_on(handler, lambda port: Plan(ASK, "127.0.0.1", port, connections=1, requests=4)))
    assert (samples.completed, samples.failed) == (4, 0)


def test_answer_may_end_with_the_connection() -> None:
    """An answer without a length is complete when the connection is closed."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nsome")

    samples = asyncio.run(load_on(handler, lambda port: Plan(ASK, "127.0.0.1", port, connections=1, requests=2)))
    assert (samples.completed, samples.failed) == (2, 0)


def test_gateway_that_speaks_unasked_is_left() -> None:
    """Bytes that answer nothing cannot be taken for the next answer."""
    served = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        if served == 1:
            writer.write(OK)
            await reader.read()
            return
        await request_of(reader)
        writer.write(OK)

    def plan(port: int) -> Plan:
        return Plan(ASK, "127.0.0.1", port, connections=1, rate=100, requests=1)

    samples = asyncio.run(load_on(handler, plan))
    assert samples.completed + samples.failed == 1
    assert served == 2


def test_gateway_that_goes_down_ends_the_run() -> None:
    """When no connection is left and none can be made, the rest is counted as failed at once."""

    async def run() -> Samples:
        async with asyncio.timeout(LONGEST):
            closing = asyncio.Event()

            async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await request_of(reader)
                server.close()
                closing.set()
                writer.close()

            server = await asyncio.start_server(handler, "127.0.0.1", 0)
            plan = Plan(ASK, "127.0.0.1", server.sockets[0].getsockname()[1], connections=1, requests=1000)
            samples = await Load(plan, time.perf_counter).run()
            await server.wait_closed()
            return samples

    samples = asyncio.run(run())
    assert samples.completed == 0
    assert samples.errors["connection lost"] == 1
    assert samples.errors["cannot connect"] >= 1


def test_nobody_there_at_first_is_an_error() -> None:
    """A run that cannot begin raises."""

    async def run(mock: MockServer) -> None:
        await mock.close()
        with pytest.raises(ConnectionRefusedError):
            await Load(Plan(ASK, "127.0.0.1", mock.port, requests=1), time.perf_counter).run()

    with_mock(run)


def test_progress_is_told() -> None:
    """From the beginning, and at the end with everything."""
    seen: list[int] = []

    async def conversation(mock: MockServer) -> None:
        plan = Plan(ASK, "127.0.0.1", mock.port, connections=1, requests=5)
        load = Load(plan, time.perf_counter, lambda samples: seen.append(samples.completed))
        await load.run()
        assert repr(load) == "<Load issued=5 settled=5 clients=1>"

    with_mock(conversation)
    assert (seen[0], seen[-1]) == (0, 5)


@pytest.mark.parametrize(
    "options", [{}, {"requests": 1, "connections": 0}, {"requests": 1, "rate": 0}, {"duration": 1, "rate": -5}]
)
def test_plan_that_cannot_be_carried_out(options: dict[str, Any]) -> None:
    """What would never begin or never end is refused."""
    with pytest.raises(ValueError, match="must be"):
        Plan(ASK, "a", 1, **options)
