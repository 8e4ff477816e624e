"""What an exchange has tried."""

from typing import cast

from sluicegate.gateway.attempts import Retrial, retrial_of
from sluicegate.gateway.client import ClientConnection
from tests.flows.test_retrying import ask
from tests.gateway.node import Node, an_answer
from tests.gateway.test_retrial import two


def test_what_was_tried_is_kept_once(node: Node) -> None:
    """It is made when it is needed, and tells how it stands."""
    two(node)
    client = ask(node)
    exchange = cast("ClientConnection", client.transport.protocol).current
    assert exchange is not None
    assert retrial_of(exchange) is retrial_of(exchange)
    assert repr(exchange.retrial) == "<Retrial failed=0 rival=None>"
    node.passes(1.0)
    assert repr(exchange.retrial) == "<Retrial failed=0 rival=<Rival first model-a>>"
    node.provider.says(an_answer(status="500 X"))
    assert repr(exchange.retrial) == "<Retrial failed=1 rival=None>"


def test_to_leave_twice_is_to_leave_once(node: Node) -> None:
    """There is nothing left to cancel."""
    two(node)
    exchange = cast("ClientConnection", ask(node).transport.protocol).current
    assert exchange is not None
    retrial = Retrial()
    retrial.leave(exchange)
    retrial.leave(exchange)
    assert (retrial.handle, retrial.rival) == (None, None)
