"""How each form of an address becomes a client; nothing is connected."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError, ResponseError

from sluicegate.config.redis_address import parse
from sluicegate.config.redis_client import FAILURES, connected, pipelined, told
from tests.ledger.valkey import Cluster, Server


def options(url: str) -> dict[str, object]:
    """What a client of one server connects with."""

    async def made() -> dict[str, object]:
        client = connected(parse(url), timeout=3)
        assert isinstance(client, Redis)
        try:
            return dict(client.connection_pool.connection_kwargs)
        finally:
            await client.aclose()

    return asyncio.run(made())


def test_a_server() -> None:
    """Its host, port, database, user and password, and never longer than told."""
    found = options("redis://user:pass@example.org:7000/3")
    wanted = {"host": "example.org", "port": 7000, "db": 3, "username": "user", "password": "pass"}
    assert wanted.items() <= found.items()
    assert (found["socket_timeout"], found["socket_connect_timeout"]) == (3, 3)


def test_a_socket() -> None:
    """Its path and database."""
    found = options("unix:///run/valkey.sock?db=2")
    assert (found["path"], found["db"]) == ("/run/valkey.sock", 2)


def test_tls() -> None:
    """The authorities to trust and the certificate to show; the server's name is checked."""
    found = options("rediss://example.org?ca=/ca.pem&cert=/me.pem&key=/me.key")
    wanted = {"ssl_ca_certs": "/ca.pem", "ssl_certfile": "/me.pem", "ssl_keyfile": "/me.key"}
    assert wanted.items() <= found.items()
    assert found["ssl_check_hostname"] is True


def test_what_else_is_wanted() -> None:
    """Options of the library are passed on; those of the address count."""

    async def made() -> None:
        client = connected(parse("redis://example.org"), timeout=3, decode_responses=True, socket_timeout=9)
        assert isinstance(client, Redis)
        found = client.connection_pool.connection_kwargs
        assert (found["decode_responses"], found["socket_timeout"]) == (True, 3)
        await client.aclose()

    asyncio.run(made())


def test_a_cluster() -> None:
    """All nodes that are named may be asked for the others."""

    async def made() -> None:
        client = connected(parse("redis+cluster://a.example:1,b.example:2"), timeout=3)
        assert isinstance(client, RedisCluster)
        assert sorted(client.nodes_manager.startup_nodes) == ["a.example:1", "b.example:2"]
        await client.aclose()

    asyncio.run(made())


@pytest.mark.parametrize("kind", [Server, Cluster])
def test_commands_together(kind: type[Server] | type[Cluster]) -> None:
    """Each has its reply, or its own error, in the order in which they were given; without a server all fail as one."""
    commands = [("SET", "a", 1), ("INCR", "a"), ("LPUSH", "a", "no list"), ("GET", "a"), ("GET", "b")]

    async def replies(url: str) -> list[object]:
        client = connected(parse(url), timeout=5)
        try:
            return await pipelined(client, commands)
        finally:
            await client.aclose()

    with kind() as server:
        first, second, third, *rest = asyncio.run(replies(server.url))
        assert (bool(first), second, type(third), rest) == (True, 2, ResponseError, [b"2", None])
    with pytest.raises(FAILURES):
        asyncio.run(replies(server.url))


def test_connections_closed_in_use() -> None:
    """A cluster's connections are all closed after a failure, whoever uses one: that is a failure like any other."""

    async def outcomes(client: Redis | RedisCluster) -> list[Any]:
        told: list[asyncio.Future[Any]] = []
        for turn in range(12):
            told.append(asyncio.ensure_future(pipelined(client, [("GET", name) for name in "abc"])))
            await asyncio.sleep(0)
            if turn % 4 == 3:
                # As the library does by itself where somebody else's command fails.
                told.append(asyncio.ensure_future(client.aclose()))
        return await asyncio.gather(*told, return_exceptions=True)

    async def main(url: str) -> None:
        client = connected(parse(url), timeout=60)
        # In which turn one is closed just before its command goes is for the kernel to say: in every other round.
        found = [each for _ in range(20) for each in await outcomes(client)]
        await client.aclose()
        assert [each for each in found if isinstance(each, BaseException) and not isinstance(each, FAILURES)] == []

    with Cluster() as cluster:
        asyncio.run(main(cluster.url))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RedisError("first\nsecond"), "first"),
        (TimeoutError(), "TimeoutError"),
        (AttributeError("'NoneType' object"), "the connection was closed while it was used"),
    ],
    ids=["two lines", "", "the library's"],
)
def test_told(error: Exception, text: str) -> None:
    """An error is one line, and never none."""
    assert told(error) == text
