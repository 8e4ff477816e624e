"""A connection to a Redis or Valkey server, or to a cluster, that leaves all repetition to whoever uses it."""

from collections.abc import Awaitable, Iterable
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from sluicegate.config.redis_address import RedisAddress

Command = tuple[str | bytes | int, ...]
"""A command whose key is where Redis looks for it."""
FAILURES = (RedisError, RedisClusterException, OSError, AttributeError)
"""What a server that is away, busy or of another mind raises; a reply that is late is an OSError. AttributeError is how
the library falls over a connection that it closed while somebody used it: of a cluster it closes all after a failure.
"""


def connected(address: RedisAddress, *, timeout: float, **more: Any) -> "Redis | RedisCluster":
    """A client; nothing is connected before the first command, and each ends within `timeout` seconds.

    It speaks bytes unless `more` options of the library say otherwise.
    """
    options: dict[str, Any] = {
        **more,
        "username": address.username,
        "password": address.password,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if address.is_tls:
        options |= {
            "ssl": True,
            "ssl_ca_certs": address.tls_authorities,
            "ssl_certfile": address.tls_certificate,
            "ssl_keyfile": address.tls_key,
        }
    if address.is_cluster:
        return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in address.hosts], **options)
    if address.path:
        return Redis(unix_socket_path=address.path, db=address.database, **options)
    host, port = address.hosts[0]
    return Redis(host=host, port=port, db=address.database, **options)


class _Pipeline(Protocol):
    """What the pipelines of a server and of a cluster have in common."""

    def execute_command(self, *arguments: str | bytes | int) -> object: ...

    def execute(self, raise_on_error: bool = True) -> Awaitable[list[Any]]: ...


async def pipelined(client: "Redis | RedisCluster", commands: Iterable[Command]) -> list[Any]:
    """Run these in one round trip, to each node of a cluster; the reply to each or its error, in their order.

    Raises one of `FAILURES` where nobody answers.
    """
    pipeline: _Pipeline = client.pipeline() if isinstance(client, RedisCluster) else client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return await pipeline.execute(raise_on_error=False)


def told(error: BaseException) -> str:
    """An error in one line, for people."""
    if isinstance(error, AttributeError):
        return "the connection was closed while it was used"
    return str(error).partition("\n")[0] or type(error).__name__
