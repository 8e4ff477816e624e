"""A Redis server as the ledger sees it: whether it suits, and what its errors become."""

import asyncio
from collections.abc import Iterator

import pytest

from sluicegate.config.redis_address import RedisAddress, parse
from sluicegate.config.redis_client import Command
from sluicegate.ledger.interface import LedgerUnavailableError, UnsuitableServerError
from sluicegate.ledger.redis_server import RedisServer, _judged
from tests.ledger.valkey import Cluster, Server

GOOD = {"redis_version": "7.2.4", "role": "master", "maxmemory_policy": "noeviction", "aof_enabled": 1}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of one test."""
    with Server() as one:
        yield one


def check(url: str) -> list[str]:
    """Check the server at this address."""

    async def checked() -> list[str]:
        server = RedisServer(parse(url), timeout=60)
        try:
            return await server.check()
        finally:
            await server.close()

    return asyncio.run(checked())


def run(url: str, *commands: Command, script: str = "") -> list[object]:
    """Run commands there."""

    async def ran() -> list[object]:
        server = RedisServer(parse(url), timeout=60)
        try:
            return await server.run(commands, script=script)
        finally:
            await server.close()

    return asyncio.run(ran())


def test_suitable(server: Server) -> None:
    """Of a server that keeps what it is given there is nothing to warn of."""
    assert check(server.url) == []
    assert run(server.url, ("SET", "a", "1"), ("GET", "a")) == [True, "1"]


def test_settings_that_forget(server: Server) -> None:
    """One that may evict, or keeps nothing on disk, is warned of, with the setting to change."""
    server.call("CONFIG SET", "maxmemory-policy", "allkeys-lru", "appendonly", "no")
    evicts, crashes = check(server.url)
    assert "maxmemory-policy is allkeys-lru and should be noeviction" in evicts
    assert "appendonly yes" in crashes


def test_replica(server: Server) -> None:
    """A replica takes no writes: the check says so, and a batch fails with the server's own words."""
    server.call("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(UnsuitableServerError, match="is a replica"):
        check(server.url)
    with pytest.raises(LedgerUnavailableError, match=r"(?i)read only replica"):
        run(server.url, ("SET", "a", "1"))


def test_out_of_memory(server: Server) -> None:
    """A server without memory for another write makes the ledger unavailable."""
    server.call("CONFIG SET", "maxmemory", "1")
    with pytest.raises(LedgerUnavailableError, match="maxmemory"):
        run(server.url, ("SET", "a", "1"))


def test_repeated_once(server: Server) -> None:
    """What failed is tried again, and what did not is not: a command that goes on failing is tried twice."""

    async def scenario() -> None:
        ledger = RedisServer(parse(server.url), timeout=60)
        with pytest.raises(LedgerUnavailableError, match="WRONGTYPE"):
            await ledger.run([("INCR", "n"), ("SET", "text", "x"), ("LPUSH", "text", "x")])
        assert ledger.failures == 2
        assert await ledger.run([("GET", "n")]) == ["1"]
        await ledger.close()

    asyncio.run(scenario())


def test_unknown_script(server: Server) -> None:
    """A script that is not the one that was asked for is an error, not an endless attempt."""
    with pytest.raises(LedgerUnavailableError, match=r"(?i)script"):
        run(server.url, ("EVALSHA", "0" * 40, 1, "a"), script="return 1")
    with pytest.raises(LedgerUnavailableError, match=r"(?i)script"):
        run(server.url, ("EVALSHA", "0" * 40, 1, "a"))


def test_nobody_there() -> None:
    """Where nobody listens the ledger is unavailable, for a check too."""
    for call in (lambda: check("redis://127.0.0.1:1"), lambda: run("redis+cluster://127.0.0.1:1", ("GET", "a"))):
        with pytest.raises(LedgerUnavailableError):
            call()


def test_cluster() -> None:
    """A cluster is asked node by node; one of its nodes alone is not taken for a server."""
    with Cluster() as cluster:
        assert check(cluster.url) == []
        with pytest.raises(UnsuitableServerError, match=r"write redis.cluster"):
            check(cluster.servers[0].url)
        cluster.servers[2].call("CONFIG SET", "maxmemory-policy", "volatile-ttl")
        [warning] = check(cluster.url)
        assert f"(127.0.0.1:{cluster.servers[2].port})" in warning


def test_too_old() -> None:
    """A version without what the scripts need is refused by name."""
    with pytest.raises(UnsuitableServerError, match=r"is Redis 6\.0\.16; limits need 6\.2 or later"):
        _judged("here", GOOD | {"redis_version": "6.0.16"}, is_cluster=False)
    assert _judged("here", GOOD | {"redis_version": "6.2"}, is_cluster=False) == []


def test_shown() -> None:
    """It tells where it is, without the password."""
    address = RedisAddress(hosts=(("cache", 6379),), password="canary-hunter2")
    assert repr(RedisServer(address, timeout=1)) == "<RedisServer Redis cache:6379/0>"
