"""The stage that will hold limits."""

from sluicegate.gateway.exchange import Exchange
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.stages.budget import budget
from tests.gateway.node import Node


def test_everyone_is_admitted(node: Node) -> None:
    """No limit can be declared, so the stage passes and leaves the exchange as it is."""
    exchange = Exchange(node.listener.make(), node.services, RequestHead(), -1)
    before = repr(exchange)
    budget(exchange)
    assert repr(exchange) == before
    assert not exchange.is_ended
