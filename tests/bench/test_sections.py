"""Each section of a comparison measures what it says, here with this very process as the proxy."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from sluicegate.bench.latency import Added
from sluicegate.bench.measure import Memory
from sluicegate.bench.mock import MockServer, MockSettings, parse_fault, start_mock
from sluicegate.bench.program import free_port
from sluicegate.bench.request import Target
from sluicegate.bench.sections import (
    STREAM_TOKENS,
    Subject,
    costs_of_events,
    costs_of_requests,
    delay_at,
    memory_of_streams,
    paced,
    warm_up,
)
from tests.bench.conversation import with_mock

T = TypeVar("T")
BROKEN = MockSettings(fault=parse_fault("status=503"))


def measured(section: Callable[[Subject], Awaitable[T]]) -> T:
    """Run a section on a mock that lives in this process."""

    def on(mock: MockServer) -> Awaitable[T]:
        return section(Subject(os.getpid(), Target("127.0.0.1", mock.port)))

    return with_mock(on)


def test_idle_memory() -> None:
    """After the warm-up the memory is that of a process that runs."""
    assert measured(warm_up).rss > 1000


def test_cost_of_requests() -> None:
    """Requests cost microseconds, in all processes no less than in the busiest one."""
    (cost,) = measured(lambda subject: costs_of_requests([subject], 0.1, 2))
    assert cost.microseconds >= cost.busiest > 0
    assert len(cost.turns) == 2
    assert cost.per_second > 10
    assert cost.errors == {}


def test_each_in_turn() -> None:
    """Proxies are loaded one after the other, each as often; the costs are in the order of the proxies."""

    async def run(mock: MockServer) -> None:
        async with await start_mock(BROKEN) as broken:
            good, bad = (Subject(os.getpid(), Target("127.0.0.1", one.port)) for one in (mock, broken))
            first, second = await costs_of_requests([good, bad], 0.05, 3)
        assert (first.errors, second.per_second) == ({}, 0)
        assert len(first.turns) == len(second.turns) == 3

    with_mock(run)


def test_cost_of_events() -> None:
    """Events are counted one by one, at the pace that was asked for."""
    (cost,) = measured(lambda subject: costs_of_events([subject], subject, 0.1, 1))
    assert cost.busiest > 0
    assert cost.per_second > STREAM_TOKENS
    assert cost.errors == {}


def test_delay() -> None:
    """Latency is measured at the rate that was asked for; the same way twice adds next to nothing."""
    delay = measured(lambda subject: delay_at(subject, subject, 200, 0.1))
    assert (delay.rate, delay.errors) == (200, {})
    assert 0 < delay.p50 <= delay.p99
    assert abs(delay.added.p50) < 100


def test_delay_of_errors() -> None:
    """Where no answer is good there is no latency, but there are errors."""

    async def delay(mock: MockServer) -> None:
        async with await start_mock(BROKEN) as broken:
            good, bad = (Subject(os.getpid(), Target("127.0.0.1", one.port)) for one in (mock, broken))
            found = await delay_at(bad, good, 200, 0.1)
        assert (found.added, found.p50) == (Added(0, 0, 0), 0)
        assert found.errors.keys() == {"status 503"}

    with_mock(delay)


def test_memory_of_streams() -> None:
    """Growth is told by the stream; where streams were lost it is said instead."""

    async def held(mock: MockServer) -> None:
        subject = Subject(os.getpid(), Target("127.0.0.1", mock.port))
        found = await memory_of_streams(subject, subject, 4, Memory(0, 0))
        assert found.streams == 4
        assert found.kilobytes is not None
        assert found.kilobytes > 1000
        nowhere = replace(subject, target=Target("127.0.0.1", free_port()))
        lost = await memory_of_streams(nowhere, subject, 2, Memory(0, 0))
        assert (lost.kilobytes, lost.note) == (None, "0 of 2 streams connected, 0 lost")

    with_mock(held)


def test_provider_that_is_none() -> None:
    """What does not let itself be paced cannot be measured with, and that is said."""

    async def pace(mock: MockServer) -> None:
        async with paced(Subject(os.getpid(), Target("127.0.0.1", mock.port)), -1, 16):
            pytest.fail("there is no such pace")

    with pytest.raises(ConnectionError, match="status 400"):
        with_mock(pace)


def test_nothing_done() -> None:
    """A proxy that answers nothing well has no throughput, and its errors are told."""

    async def run(mock: MockServer) -> None:
        subject = Subject(os.getpid(), Target("127.0.0.1", mock.port))
        (cost,) = await costs_of_requests([subject], 0.05, 1)
        assert cost.per_second == 0
        assert cost.errors["status 503"] > 0

    with_mock(run, BROKEN)
