"""A Redis or Valkey server, or a cluster of them: pipelined commands in bounded time, and what its errors mean."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError

from sluicegate.config.redis_address import RedisAddress
from sluicegate.config.redis_client import FAILURES, Command, connected, pipelined, told
from sluicegate.ledger.interface import LedgerUnavailableError, UnsuitableServerError

OLDEST = (6, 2)
"""The first version that has ZADD GT inside scripts and replicates what a script did, not the script."""

_CONNECTIONS = 32
_ATTEMPTS = 2


class RedisServer:
    """One address. Every call ends within `timeout` seconds, repeated attempt included."""

    def __init__(self, address: RedisAddress, *, timeout: float) -> None:
        """Nothing is connected before the first command."""
        self._address = address
        self._timeout = timeout
        self._client = connected(
            address, timeout=timeout / _ATTEMPTS, max_connections=_CONNECTIONS, decode_responses=True
        )
        # The library leaves it untyped.
        self._execute: Callable[..., Awaitable[Any]] = self._client.execute_command
        self.failures = 0
        """How often an attempt failed: who keeps in mind what was written asks whether it still is."""

    def __repr__(self) -> str:
        """Tell where it is, without the password."""
        return f"<RedisServer {self._address}>"

    async def run(self, commands: Sequence[Command], *, script: str = "") -> list[Any]:
        """Run these, in one round trip per node; return the replies in their order.

        `script` is loaded where EVALSHA does not find it. What failed is tried once more, so every command must be one
        that may be repeated. Raises LedgerUnavailableError.
        """
        replies: list[Any] = [None] * len(commands)
        waiting = list(range(len(commands)))
        failure: BaseException | None = None
        try:
            async with asyncio.timeout(self._timeout):
                for _ in range(_ATTEMPTS):
                    failure = await self._attempt(commands, waiting, replies, script)
                    if not waiting:
                        return replies
                    self.failures += 1
                    await self._forget_connections()
        except TimeoutError as late:
            self.failures += 1
            failure = failure or late
        raise LedgerUnavailableError(f"{self._address}: {_told(failure)}") from failure

    async def _attempt(
        self, commands: Sequence[Command], waiting: list[int], replies: list[Any], script: str
    ) -> BaseException | None:
        """Run those at the indices `waiting`; leave there what failed, and return the first error."""
        try:
            answers = await pipelined(self._client, [commands[index] for index in waiting])
            unknown = [index for index, reply in zip(waiting, answers, strict=True) if isinstance(reply, NoScriptError)]
            if unknown and script:
                await self._load(script, [commands[index] for index in unknown])
                repeated = iter(await pipelined(self._client, [commands[index] for index in unknown]))
                answers = [next(repeated) if isinstance(reply, NoScriptError) else reply for reply in answers]
        except FAILURES as error:
            return error
        failure: BaseException | None = None
        still = []
        for index, reply in zip(waiting, answers, strict=True):
            if isinstance(reply, BaseException):
                failure = failure or reply
                still.append(index)
            else:
                replies[index] = reply
        waiting[:] = still
        return failure

    async def _load(self, script: str, commands: Sequence[Command]) -> None:
        """Make the script known to the servers that these EVALSHA commands go to."""
        if isinstance(self._client, RedisCluster):
            nodes = {node.name: node for command in commands if (node := self._client.get_node_from_key(_key(command)))}
            await self._execute("SCRIPT LOAD", script, target_nodes=list(nodes.values()))
        else:
            await self._execute("SCRIPT LOAD", script)

    async def _forget_connections(self) -> None:
        """Connect anew, and look again who has which slots: after a failover the old ones lead to a replica."""
        if isinstance(self._client, RedisCluster):
            await self._client.aclose()
        else:
            await self._client.connection_pool.disconnect(inuse_connections=False)

    async def check(self) -> list[str]:
        """Warn of settings under which the ledger could forget.

        Raises UnsuitableServerError, and LedgerUnavailableError when nobody answers.
        """
        warnings: dict[str, None] = {}
        try:
            async with asyncio.timeout(self._timeout):
                for name, facts in (await self._facts()).items():
                    where = f"{self._address} ({name})" if name else str(self._address)
                    warnings.update(dict.fromkeys(_judged(where, facts, is_cluster=self._address.is_cluster)))
        except FAILURES as error:
            raise LedgerUnavailableError(f"{self._address}: {_told(error)}") from error
        return list(warnings)

    async def _facts(self) -> dict[str, dict[str, Any]]:
        """What each primary tells of itself, by its name; of a single server, whose name is known, by ''."""
        if isinstance(self._client, RedisCluster):
            await self._client.initialize()
            return {node.name: await self._execute("INFO", target_nodes=node) for node in self._client.get_primaries()}
        return {"": await self._execute("INFO")}

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()


def _key(command: Command) -> str:
    """The one key of an EVALSHA."""
    return str(command[3])


def _told(error: BaseException | None) -> str:
    """An error in one line."""
    if error is None or (isinstance(error, TimeoutError) and not str(error)):
        return "no answer in time"
    return told(error)


def _judged(where: str, facts: dict[str, Any], *, is_cluster: bool) -> list[str]:
    """What is to be warned of in a server's INFO. Raises UnsuitableServerError."""
    version = str(facts.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise UnsuitableServerError(f"{where} is Redis {version}; limits need {'.'.join(map(str, OLDEST))} or later")
    if facts.get("role") in ("slave", "replica"):
        raise UnsuitableServerError(f"{where} is a replica and takes no writes; name the primary")
    if facts.get("cluster_enabled") == 1 and not is_cluster:
        raise UnsuitableServerError(f"{where} is a node of a cluster; write redis+cluster:// for it")
    warnings = []
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        warnings.append(
            f"{where} forgets usage when its memory is full: its maxmemory-policy is {policy} and should be noeviction"
        )
    if facts.get("aof_enabled") == 0:
        warnings.append(f"{where} forgets usage when it crashes: it should have appendonly yes")
    return warnings
