"""The addresses on which a gateway can be found."""

import socket
from http.client import HTTPConnection

import pytest

from tests.e2e.conftest import Start

_HAS_BOTH = socket.has_dualstack_ipv6()
EVERY = "::" if _HAS_BOTH else "0.0.0.0"
HERE = ("127.0.0.1", "::1") if _HAS_BOTH else ("127.0.0.1",)
"""A machine without IPv6 has only one of the two to be tried."""


@pytest.mark.parametrize("workers", [1, 2])
def test_every_interface_is_served(start: Start, workers: int) -> None:
    """`--host ::` answers clients of IPv4 as of IPv6, whichever worker they come to."""
    gateway = start("--demo", f"--host={EVERY}", "--port=0", f"--workers={workers}").until_ready()
    [ready] = gateway.logged("node is ready", host=EVERY)
    for address in HERE * 4:
        connection = HTTPConnection(address, ready["port"], timeout=60)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        connection.close()
    assert gateway.logged("process died") == []
