"""Events in a Redis stream: who adds them, and groups of readers of which each event goes to one.

Rule 1. An entry has one field, `event`, one line of JSON.
Rule 2. The stream is bounded: beyond so many entries the oldest go, read or not.
Rule 3. An entry that a reader has taken and not acknowledged is its own, until it has not been heard of for so long
        that another one may take it: so each is delivered at least once, whoever dies.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct
from redis.exceptions import ResponseError

from sluicegate.config.redis_address import RedisAddress
from sluicegate.config.redis_client import FAILURES, connected, pipelined, told
from sluicegate.events.stream_group import GroupStanding, StreamUnavailableError

FIELD = b"event"

_MARGIN = 5.0
"""Seconds beyond the time that a reader waits for entries, in which the server must have answered."""


class Entry(Struct, frozen=True):
    """An entry's id, and its event as JSON; empty where somebody else has added something else."""

    id: bytes
    event: bytes


class RedisStream:
    """One stream. Every call may raise StreamUnavailableError."""

    def __init__(self, address: RedisAddress, name: str, *, wait: float = 1.0) -> None:
        """Nothing is connected yet. `wait` is how long a reader waits for new entries, in seconds."""
        self._address = address
        self._name = name
        self._wait = wait
        self._client = connected(address, timeout=wait + _MARGIN)
        # The library leaves it untyped.
        self._execute: Callable[..., Awaitable[Any]] = self._client.execute_command

    def __repr__(self) -> str:
        """Tell where it is, without the password."""
        return f"<RedisStream {self._name} in {self._address}>"

    async def add(self, lines: Sequence[bytes], *, most: int) -> None:
        """Add these in one round trip, and let the oldest go beyond about `most` entries.

        Where it fails some may be there all the same: what is repeated is twice in the stream.
        """
        try:
            replies = await pipelined(
                self._client, [("XADD", self._name, "MAXLEN", "~", most, "*", FIELD, line) for line in lines]
            )
        except FAILURES as error:
            raise self._unavailable(error) from error
        for reply in replies:
            if isinstance(reply, BaseException):
                raise self._unavailable(reply) from reply

    async def open_group(self, group: str) -> None:
        """Make sure that there is this group. A new one begins with the oldest entry there is."""
        try:
            await self._execute("XGROUP CREATE", self._name, group, "0", "MKSTREAM")
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise self._unavailable(error) from error
        except FAILURES as error:
            raise self._unavailable(error) from error

    async def take(self, group: str, reader: str, most: int) -> list[Entry]:
        """Take up to `most` entries that nobody of the group had; wait a while where there are none."""
        reply = await self._of_group(
            *(group, "XREADGROUP", "GROUP", group, reader, "COUNT", most, "BLOCK", int(self._wait * 1000)),
            *("STREAMS", self._name, ">"),
        )
        # Of RESP2 and RESP3 the one gives a list of pairs, the other a mapping of lists.
        if isinstance(reply, dict):
            return [entry for parts in reply.values() for part in parts for entry in _entries(part)]
        return [entry for _, part in reply or () for entry in _entries(part)]

    async def claim(self, group: str, reader: str, most: int, *, idle: float) -> list[Entry]:
        """Take up to `most` entries from readers that have not been heard of for `idle` seconds."""
        start: bytes | str = "0-0"
        while True:
            reply = await self._of_group(
                group, "XAUTOCLAIM", self._name, group, reader, int(idle * 1000), start, "COUNT", most
            )
            if reply is None:
                return []
            start, entries = reply[0], _entries(reply[1])
            # A whole look at the group may take several: each looks at ten times as many as it may take.
            if entries or start == b"0-0":
                return entries

    async def hold(self, group: str, reader: str, entries: Sequence[Entry]) -> None:
        """Let the others know that the reader still has these."""
        ids = [entry.id for entry in entries]
        await self._run("XCLAIM", self._name, group, reader, 0, *ids, "JUSTID", parse_justid=True)

    async def acknowledge(self, group: str, entries: Sequence[Entry]) -> None:
        """These are delivered; the group does not need them any more."""
        await self._run("XACK", self._name, group, *(entry.id for entry in entries))

    async def standing(self, group: str) -> GroupStanding:
        """How a group stands; where there is none, none of it."""
        return (await self.standings()).get(group, GroupStanding(None, 0))

    async def standings(self) -> dict[str, GroupStanding]:
        """How each group stands, by name; there is none where there is no stream yet."""
        try:
            groups = await self._execute("XINFO GROUPS", self._name)
        except FAILURES as error:
            if isinstance(error, ResponseError) and str(error).startswith("no such key"):
                return {}
            raise self._unavailable(error) from error
        return {facts["name"].decode(): GroupStanding(facts.get("lag"), facts["pending"]) for facts in groups}

    async def leave(self, group: str, reader: str) -> None:
        """Forget a reader that will not come back, unless it still has entries: somebody must claim these."""
        if not await self._run("XPENDING", self._name, group, "-", "+", 1, reader, parse_detail=True):
            await self._run("XGROUP DELCONSUMER", self._name, group, reader)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def _of_group(self, group: str, *command: str | bytes | int) -> Any:
        """Run a command on a group. Where there is no such group, with the stream or alone, make it; then None."""
        try:
            return await self._execute(*command)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise self._unavailable(error) from error
            await self.open_group(group)
            return None
        except FAILURES as error:
            raise self._unavailable(error) from error

    async def _run(self, *command: str | bytes | int, **options: bool) -> Any:
        """Run a command. The options tell the library which of its forms the reply has."""
        try:
            return await self._execute(*command, **options)
        except FAILURES as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException) -> StreamUnavailableError:
        return StreamUnavailableError(f"{self._address}: {told(error)}")


def _entries(rows: Sequence[tuple[bytes, dict[bytes, bytes] | None]]) -> list[Entry]:
    return [Entry(name, (fields or {}).get(FIELD, b"")) for name, fields in rows]
