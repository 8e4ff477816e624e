"""A stream in a real server: what is added is taken once by each group, claimed from the dead, and bounded."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sluicegate.config.redis_address import parse
from sluicegate.events.redis_stream import RedisStream
from sluicegate.events.stream_group import GroupStanding, StreamUnavailableError
from tests.ledger.valkey import PASSWORD, Cluster, Server


def with_stream(url: str, use: Callable[[RedisStream], Awaitable[object]]) -> None:
    """Use a stream of this server that has a group `g`."""

    async def used() -> None:
        stream = RedisStream(parse(url), "events", wait=0.01)
        try:
            await stream.open_group("g")
            await use(stream)
        finally:
            await stream.close()

    asyncio.run(used())


def test_each_entry_goes_to_one_reader(server: Server) -> None:
    """Two readers of a group share what is added, in order; another group has all of it."""

    async def use(stream: RedisStream) -> None:
        await stream.add([b'{"n":%d}' % number for number in range(5)], most=100)
        await stream.open_group("other")
        first, second = await stream.take("g", "a", 3), await stream.take("g", "b", 3)
        assert [entry.event for entry in first] == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
        assert [entry.event for entry in second] == [b'{"n":3}', b'{"n":4}']
        assert await stream.take("g", "a", 3) == []
        assert len(await stream.take("other", "a", 9)) == 5

    with_stream(server.url, use)


def test_the_abandoned_is_claimed(server: Server) -> None:
    """What is not acknowledged can be claimed once its reader was silent for long enough, and not before."""

    async def use(stream: RedisStream) -> None:
        await stream.add([b"1", b"2"], most=100)
        taken = await stream.take("g", "dead", 9)
        await stream.acknowledge("g", taken[:1])
        assert await stream.claim("g", "b", 9, idle=60) == []
        assert await stream.claim("g", "b", 9, idle=0) == taken[1:]
        await stream.acknowledge("g", taken[1:])
        assert await stream.claim("g", "b", 9, idle=0) == []

    with_stream(server.url, use)


def test_a_sign_of_life(server: Server) -> None:
    """What a reader holds is as if it had been taken just now."""

    async def use(stream: RedisStream) -> None:
        await stream.add([b"1"], most=100)
        taken = await stream.take("g", "a", 9)
        server.call("XCLAIM", "events", "g", "a", 0, taken[0].id.decode(), "IDLE", 90_000)
        await stream.hold("g", "a", taken)
        assert await stream.claim("g", "b", 9, idle=60) == []

    with_stream(server.url, use)


def test_a_claim_looks_everywhere(server: Server) -> None:
    """What is abandoned is found behind any number of entries that are not."""

    async def use(stream: RedisStream) -> None:
        await stream.add([b"%d" % number for number in range(50)], most=100)
        taken = await stream.take("g", "a", 50)
        server.call("XCLAIM", "events", "g", "dead", 0, taken[-1].id.decode(), "IDLE", 90_000)
        assert await stream.claim("g", "b", 1, idle=60) == taken[-1:]

    with_stream(server.url, use)


def test_the_stream_is_bounded(server: Server) -> None:
    """The oldest entries go beyond the bound; about, for that is cheap."""

    async def use(stream: RedisStream) -> None:
        await stream.add([b"%d" % number for number in range(1000)], most=100)
        assert 100 <= server.call("XLEN", "events") <= 250

    with_stream(server.url, use)


def test_what_others_have_added(server: Server) -> None:
    """An entry without the field has no event."""

    async def use(stream: RedisStream) -> None:
        server.call("XADD", "events", "*", "hello", "world")
        assert [entry.event for entry in await stream.take("g", "a", 9)] == [b""]

    with_stream(server.url, use)


def test_a_group_that_is_gone(server: Server) -> None:
    """It is made again, with the stream if need be, and begins with the oldest entry."""

    async def use(stream: RedisStream) -> None:
        server.call("FLUSHALL")
        assert await stream.take("g", "a", 9) == []
        server.call("FLUSHALL")
        assert await stream.claim("g", "a", 9, idle=0) == []
        await stream.add([b"1"], most=100)
        assert [entry.event for entry in await stream.take("g", "a", 9)] == [b"1"]

    with_stream(server.url, use)


def test_to_leave(server: Server) -> None:
    """A reader that leaves is forgotten, unless it still has entries."""

    async def use(stream: RedisStream) -> None:
        await stream.add([b"1"], most=100)
        taken = await stream.take("g", "a", 9)
        await stream.leave("g", "a")
        assert [reader["name"] for reader in server.call("XINFO CONSUMERS", "events", "g")] == ["a"]
        await stream.acknowledge("g", taken)
        await stream.leave("g", "a")
        assert server.call("XINFO CONSUMERS", "events", "g") == []

    with_stream(server.url, use)


@pytest.mark.parametrize(
    "call",
    [
        lambda stream: stream.add([b"1"], most=100),
        lambda stream: stream.open_group("g"),
        lambda stream: stream.take("g", "a", 1),
        lambda stream: stream.claim("g", "a", 1, idle=0),
    ],
    ids=["add", "open_group", "take", "claim"],
)
def test_a_server_that_is_away(call: Callable[[RedisStream], Awaitable[object]]) -> None:
    """Every call says where nobody answers, and nothing of the password."""

    async def called() -> str:
        stream = RedisStream(parse(f"unix://:{PASSWORD}@/nonexistent/socket"), "events")
        try:
            with pytest.raises(StreamUnavailableError) as caught:
                await call(stream)
        finally:
            await stream.close()
        return f"{caught.value} {stream!r}"

    message = asyncio.run(called())
    assert "/nonexistent/socket" in message
    assert PASSWORD not in message


def test_a_key_of_another_kind(server: Server) -> None:
    """A name that is taken by something else is told like a server that is away."""

    async def called() -> None:
        stream = RedisStream(parse(server.url), "taken", wait=0.01)
        server.call("SET", "taken", "1")
        try:
            with pytest.raises(StreamUnavailableError, match="wrong kind"):
                await stream.add([b"1"], most=100)
            with pytest.raises(StreamUnavailableError, match="wrong kind"):
                await stream.open_group("g")
            with pytest.raises(StreamUnavailableError, match="wrong kind"):
                await stream.take("g", "a", 1)
        finally:
            await stream.close()

    asyncio.run(called())


def test_in_a_cluster() -> None:
    """A cluster keeps a stream as a single server does."""
    cluster = Cluster()

    async def use(stream: RedisStream) -> None:
        await stream.add([b"1", b"2"], most=100)
        taken = await stream.take("g", "a", 9)
        assert [entry.event for entry in taken] == [b"1", b"2"]
        await stream.acknowledge("g", taken)
        await stream.leave("g", "a")

    with cluster:
        with_stream(cluster.url, use)


def test_a_group_tells_how_it_stands(server: Server) -> None:
    """What nobody has taken, and what is taken and not acknowledged; of a group that is none, nothing."""

    async def use(stream: RedisStream) -> None:
        await stream.add([b"{}"] * 5, most=100)
        taken = await stream.take("g", "a", 3)
        assert await stream.standing("g") == GroupStanding(lag=2, pending=3)
        await stream.acknowledge("g", taken)
        assert await stream.standing("g") == GroupStanding(lag=2, pending=0)
        assert await stream.standing("other") == GroupStanding(lag=None, pending=0)
        await stream.open_group("h")
        assert await stream.standings() == {"g": GroupStanding(2, 0), "h": GroupStanding(5, 0)}
        server.call("DEL", "events")
        assert await stream.standings() == {}

    with_stream(server.url, use)
