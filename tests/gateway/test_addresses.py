"""Hosts looked up and connected to, over real loopback sockets; what the system says of names is scripted."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TypeVar

import pytest
import uvloop

from sluicegate.gateway.addresses import Address, Addresses, in_turn, is_literal, look_up

T = TypeVar("T")
NEVER = 3_600.0
"""Seconds: longer than any test, so that only a failure has the next address tried."""
AT_ONCE = 0.0


def at(host: str, port: int) -> Address:
    """An address as the system tells of it."""
    return (socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))


class Names:
    """What the system says of names, and how often it was asked."""

    def __init__(self, *addresses: Address, error: OSError | UnicodeError | None = None) -> None:
        self.addresses = addresses
        self.error = error
        self.asked = 0
        self.is_asked: Callable[[], object] = lambda: None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def look_up(self, _host: str, _port: int) -> Sequence[Address]:
        self.asked += 1
        self.is_asked()
        assert self.may_answer.wait(60)
        if self.error is not None:
            raise self.error
        return self.addresses


@contextmanager
def listening(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """The port of a socket that is listened on."""
    with socket.create_server((host, port)) as server:
        yield int(server.getsockname()[1])


@contextmanager
def silent(host: str) -> Iterator[int]:
    """The port of an address that answers nobody: its queue of connections is full."""
    with ExitStack() as kept:
        server = kept.enter_context(socket.create_server((host, 0), backlog=0))
        address = server.getsockname()
        for _ in range(4):
            waiting = kept.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(address)
        yield int(address[1])


def refused() -> int:
    """A port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def run(names: Names, ahead: float, doing: Callable[[Addresses], Awaitable[T]]) -> T:
    """Do something with addresses on a loop as a worker's."""

    async def on_loop() -> T:
        async with asyncio.timeout(60):
            return await doing(Addresses(asyncio.get_running_loop(), names.look_up, ahead))

    return uvloop.run(on_loop())


async def peer_of(addresses: Addresses) -> object:
    """Whom `provider.test` is connected to."""
    with await addresses.connect("provider.test", 443) as connected:
        return connected.getpeername()


def test_a_name_with_one_address() -> None:
    """It is connected to."""
    with listening() as port:
        assert run(Names(at("127.0.0.1", port)), NEVER, peer_of) == ("127.0.0.1", port)


def test_an_address_that_refuses_is_followed_by_the_next() -> None:
    """At once, though it was not its turn yet."""
    with listening() as port:
        names = Names(at("127.0.0.1", refused()), at("127.0.0.1", refused()), at("127.0.0.1", port))
        assert run(names, NEVER, peer_of) == ("127.0.0.1", port)


def test_an_address_that_is_silent_is_not_waited_for() -> None:
    """The next one is tried beside it."""
    with silent("127.0.0.2") as dead, listening() as port:
        assert run(Names(at("127.0.0.2", dead), at("127.0.0.1", port)), AT_ONCE, peer_of) == ("127.0.0.1", port)


def test_where_all_addresses_fail_the_first_says_why() -> None:
    """In the system's words, without the address."""
    names = Names(at("127.0.0.1", refused()), at("127.0.0.1", refused()))
    with pytest.raises(ConnectionRefusedError) as caught:
        run(names, NEVER, peer_of)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_a_name_that_nobody_knows(error: OSError | UnicodeError) -> None:
    """What the system says goes to who asked, and is not remembered."""
    names = Names(error=error)

    async def twice(addresses: Addresses) -> None:
        for _ in range(2):
            with pytest.raises(type(error)):
                await addresses.connect("provider.test", 443)

    run(names, NEVER, twice)
    assert names.asked == 2


def test_a_machine_without_threads_has_nobody_wait() -> None:
    """There are as many as the system lets us have. When there are again, the name is looked up as ever."""

    async def twice(addresses: Addresses) -> object:
        usual = threading.stack_size(1 << 46)
        try:
            with pytest.raises(OSError, match="can't start new thread"):
                await addresses.connect("provider.test", 443)
        finally:
            threading.stack_size(usual)
        return await peer_of(addresses)

    with listening() as port:
        assert run(Names(at("127.0.0.1", port)), NEVER, twice) == ("127.0.0.1", port)


def test_a_name_without_addresses_cannot_be_reached() -> None:
    """That is an error too."""
    with pytest.raises(OSError, match="has no address"):
        run(Names(), NEVER, peer_of)


def test_a_name_is_looked_up_once_at_a_time_and_holds_up_no_other() -> None:
    """Ten connections wait for one answer; another name's answer comes meanwhile; who gives up leaves the others."""

    async def many(addresses: Addresses) -> None:
        names.may_answer.clear()
        waiting = [asyncio.ensure_future(peer_of(addresses)) for _ in range(10)]
        await asyncio.sleep(0)
        assert repr(addresses) == "<Addresses asked=1>"
        other = Names(at("127.0.0.1", port))
        assert await peer_of(Addresses(asyncio.get_running_loop(), other.look_up)) == ("127.0.0.1", port)
        waiting[0].cancel()
        await asyncio.sleep(0)
        names.may_answer.set()
        assert await asyncio.gather(*waiting[1:]) == [("127.0.0.1", port)] * 9
        assert repr(addresses) == "<Addresses asked=0>"

    with listening() as port:
        names = Names(at("127.0.0.1", port))
        run(names, NEVER, many)
    assert names.asked == 1


def test_a_worker_that_ends_does_not_wait_for_a_silent_name_server() -> None:
    """The answer that comes when its loop is closed is nobody's."""
    names = Names()
    names.may_answer.clear()

    async def ask(addresses: Addresses) -> None:
        waiting = asyncio.ensure_future(addresses.connect("provider.test", 443))
        await asyncio.sleep(0)
        waiting.cancel()

    before = set(threading.enumerate())
    run(names, NEVER, ask)
    (asking,) = set(threading.enumerate()) - before
    assert asking.daemon
    names.may_answer.set()
    asking.join(60)
    assert not asking.is_alive()


def test_a_connection_given_up_leaves_no_socket() -> None:
    """Its attempts are cancelled, one that had just succeeded is closed: a leak would be a warning, an error here."""

    async def give_up(addresses: Addresses) -> None:
        loop = asyncio.get_running_loop()
        for turns in range(8):
            asked = asyncio.Event()
            names.is_asked = partial(loop.call_soon_threadsafe, asked.set)
            waiting = asyncio.ensure_future(addresses.connect("provider.test", 443))
            await asked.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
            if isinstance(outcome, socket.socket):
                outcome.close()

    with silent("127.0.0.2") as dead, listening() as port:
        names = Names(at("127.0.0.2", dead), at("127.0.0.1", port), at("127.0.0.1", port))
        run(names, AT_ONCE, give_up)


def test_both_families_have_their_turn() -> None:
    """The system's first one first, then the other's."""
    sixes: list[Address] = [(socket.AF_INET6, 1, 6, "", (f"fd00::{number}", 1, 0, 0)) for number in range(3)]
    fours = [at("192.0.2.1", 1), at("192.0.2.2", 1)]
    assert in_turn([*sixes, *fours]) == [sixes[0], fours[0], sixes[1], fours[1], sixes[2]]
    assert in_turn([*fours, *sixes])[:3] == [fours[0], sixes[0], fours[1]]


def test_the_system_knows_this_machine() -> None:
    """By its own name."""
    assert ("127.0.0.1", 80) in [address[4] for address in look_up("localhost", 80)]


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", False), ("a.1", False)]
)
def test_an_address_is_no_name(host: str, expected: bool) -> None:
    """Names are looked up."""
    assert is_literal(host) is expected
