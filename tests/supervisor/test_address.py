"""The address of the workers: free or not, and kept for them."""

import errno
import socket

import pytest

from sluicegate.supervisor import address
from sluicegate.supervisor.address import AddressError, reserve, url


def test_reserved_address_is_shared_only_with_workers() -> None:
    """A worker, with SO_REUSEPORT, can listen on a reserved address, others cannot; connecting finds the worker."""
    with reserve("127.0.0.1", 0).socket as reserved, socket.socket() as worker, socket.socket() as other:
        bound = reserved.getsockname()
        with pytest.raises(OSError, match="in use"):
            other.bind(bound)
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(bound)
        worker.listen()
        for _ in range(8):
            socket.create_connection(bound, timeout=60).close()


def test_reserved_address_refuses_connections() -> None:
    """As long as no worker listens, clients are refused and do not hang."""
    with reserve("127.0.0.1", 0).socket as reserved, pytest.raises(ConnectionRefusedError):
        socket.create_connection(reserved.getsockname(), timeout=60)


@pytest.mark.parametrize("is_shared", [False, True])
def test_used_address_is_told(is_shared: bool) -> None:
    """An address on which somebody listens is refused, also where SO_REUSEPORT would let us share it."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(is_shared))
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=rf"address already in use: 127.0.0.1:{port}; .* --port"):
            reserve("127.0.0.1", port)


def test_name_stands_for_its_address() -> None:
    """A name is looked up once, so that all workers listen on the same address."""
    reservation = reserve("localhost", 0)
    reservation.socket.close()
    assert (reservation.host, reservation.port > 0) == ("127.0.0.1", True)


def test_ipv6_address() -> None:
    """An IPv6 address is reserved like any other."""
    reservation = reserve("::1", 0)
    reservation.socket.close()
    assert reservation.host == "::1"


def test_every_interface_is_that_of_ipv4_too() -> None:
    """`::` takes the port for both: an IPv4 program that has it already is told, and none gets it later."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=rf"address already in use: \[::\]:{port}"):
            reserve("::", port)
    with reserve("::", 0).socket as reserved, socket.socket() as late, pytest.raises(OSError, match="in use"):
        late.bind(("127.0.0.1", reserved.getsockname()[1]))


def test_unknown_name_is_told() -> None:
    """A name that is no address is told with the setting that holds it."""
    with pytest.raises(AddressError, match=r"cannot listen on no\.such\.name\.invalid: .*server\.host"):
        reserve("no.such.name.invalid", 0)


def test_foreign_address_is_told() -> None:
    """An address of another machine is told."""
    with pytest.raises(AddressError, match=r"this machine has no address 192\.0\.2\.1"):
        reserve("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "ports below 1024"), (errno.ENOBUFS, r"cannot listen on a:80: No buffer space")],
)
def test_other_reasons_are_told(number: int, words: str) -> None:
    """What cannot be produced here is worded all the same."""
    with pytest.raises(AddressError, match=words):
        raise AddressError(address._in_words(OSError(number, "x"), "a", 80))


@pytest.mark.parametrize(
    ("host", "is_tls", "expected"),
    [
        ("0.0.0.0", False, "http://127.0.0.1:80"),
        ("::", True, "https://[::1]:80"),
        ("10.1.2.3", False, "http://10.1.2.3:80"),
    ],
)
def test_url_can_be_opened(host: str, is_tls: bool, expected: str) -> None:
    """Every interface is found at this machine's own."""
    assert url(host, 80, is_tls=is_tls) == expected


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (("127.0.0.1", 80), "127.0.0.1"),
        (("::1", 80, 0, 0), "::1"),
        (("fe80::1", 80, 0, socket.if_nametoindex("lo")), "fe80::1%lo"),
    ],
)
def test_a_links_own_address_keeps_its_link(bound: tuple[str, ...], expected: str) -> None:
    """Without it the workers could not listen there: every link may have the address."""
    assert address.host_of(bound) == expected
