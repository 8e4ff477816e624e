"""Connects to whatever answers first of the addresses of a host (RFC 8305).

Rule 1. A name is looked up once at a time, in a thread of its own. The loop's own lookups are two at a time: those of a
        host whose name server is silent would keep all other providers from new connections.
Rule 2. Its addresses are tried in the system's order, the two families in turn. The next one has its turn where one
        fails, or has not answered for AHEAD: behind a broken IPv6 or a dead machine there is mostly one that is well.
"""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from itertools import chain, zip_longest
from threading import Thread
from typing import Any

AHEAD = 0.25
"""Seconds that an address is given before the next one is tried beside it (RFC 8305 section 8)."""

Address = tuple[int, int, int, str, tuple[Any, ...]]
"""What `socket.getaddrinfo` tells of each: family, kind, protocol, canonical name, socket address."""
Lookup = Callable[[str, int], Sequence[Address]]


def look_up(host: str, port: int) -> Sequence[Address]:
    """Ask the system. Raises OSError, UnicodeError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Addresses:
    """Finds hosts and connects to them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, look_up: Lookup = look_up, ahead: float = AHEAD) -> None:
        """`look_up` is called in threads; sockets are of `loop`."""
        self._loop = loop
        self._look_up = look_up
        self._ahead = ahead
        self._asked: dict[tuple[str, int], asyncio.Future[Sequence[Address]]] = {}

    def __repr__(self) -> str:
        """Tell how many hosts are being looked up."""
        return f"<Addresses asked={len(self._asked)}>"

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connected socket. Raises OSError, UnicodeError; where all addresses fail, what the first one said."""
        waiting = deque(in_turn(await self._addresses(host, port)))
        if len(waiting) == 1:
            return await self._connect_to(waiting[0])
        trying: list[asyncio.Task[socket.socket]] = []
        errors: list[BaseException] = []
        try:
            while waiting or trying:
                if waiting:
                    trying.append(self._loop.create_task(self._connect_to(waiting.popleft())))
                await asyncio.wait(
                    trying, timeout=self._ahead if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in [task for task in trying if task.done()]:
                    trying.remove(task)
                    error = task.exception()
                    if error is None:
                        return task.result()
                    errors.append(error)
        finally:
            for task in trying:
                task.add_done_callback(_drop)
                task.cancel()
        raise errors[0] if errors else OSError(f"{host} has no address")

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        key = (host, port)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._loop.create_future()
            # A daemon: the process need not wait for a name server that is silent.
            thread = Thread(target=self._ask, args=(key, asked), daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # Nobody may wait for what nobody was asked.
                raise OSError(errno.ENOMEM, str(error)) from error
            self._asked[key] = asked
        # Shielded: others wait for it too.
        return await asyncio.shield(asked)

    def _ask(self, key: tuple[str, int], asked: "asyncio.Future[Sequence[Address]]") -> None:
        try:
            tell = partial(self._told, key, asked, self._look_up(*key))
        except (OSError, UnicodeError) as error:
            tell = partial(self._told, key, asked, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(tell)

    def _told(
        self,
        key: tuple[str, int],
        asked: "asyncio.Future[Sequence[Address]]",
        answer: Sequence[Address] | OSError | UnicodeError,
    ) -> None:
        del self._asked[key]
        if isinstance(answer, OSError | UnicodeError):
            asked.set_exception(answer)
            asked.exception()  # looked at: perhaps all who waited have left
        else:
            asked.set_result(answer)

    async def _connect_to(self, address: Address) -> socket.socket:
        family, kind, protocol, _, where = address
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(0)
            await self._loop.sock_connect(connecting, where)
        except BaseException as error:  # also a cancellation: no socket stays behind; it goes on up
            connecting.close()
            if isinstance(error, OSError) and error.errno:
                # The loop's own words name the address, which is no client's business.
                raise OSError(error.errno, os.strerror(error.errno)) from None
            raise
        return connecting


def in_turn(addresses: Sequence[Address]) -> list[Address]:
    """The first one's family first, then one of each family in turn, each in its own order."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    return [address for address in chain.from_iterable(zip_longest(*families.values())) if address is not None]


def is_literal(host: str) -> bool:
    """Whether it is an address and no name: there is nobody to ask, and nothing to choose from."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _drop(task: "asyncio.Task[socket.socket]") -> None:
    """Close what came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
