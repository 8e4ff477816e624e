"""What a demo brings along."""

import socket
from urllib.parse import urlsplit

from sluicegate.control.channel import DEMO_VARIABLE
from sluicegate.supervisor.demo import Demo


def test_connections_wait_for_the_mock() -> None:
    """The address stands before the mock does: a connection made at once is only answered later."""
    demo = Demo()
    port = urlsplit(demo.url).port
    assert port
    with socket.create_connection(("127.0.0.1", port)):
        pass
    assert repr(demo) == f"<Demo http://127.0.0.1:{port}/v1>"
    demo.close()


def test_each_demo_has_its_own_token() -> None:
    """Nobody can guess it, and control learns it from the environment only."""
    one, other = Demo(), Demo()
    assert one.token.startswith("sk-sg-demo-")
    assert one.token != other.token
    assert one.environment == {DEMO_VARIABLE: one.token}
    one.close()
    other.close()
