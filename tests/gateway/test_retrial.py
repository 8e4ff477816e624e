"""What is held back of an answer; the rest is told as conversations in tests/flows."""

from sluicegate.domain.snapshot import ModelAlias, Retries, Target
from sluicegate.gateway.retrial import LARGEST_START
from tests.flows.faults import EVENT
from tests.flows.test_retrying import ask, unchunked
from tests.gateway.node import Node, a_chunk, a_provider, a_snapshot, a_stream_head, parts


def two(node: Node) -> None:
    """Two providers of a model."""
    targets = (Target("first", "model-a"), Target("second", "model-b", 0))
    node.services.configure(
        a_snapshot(
            providers=(a_provider("first"), a_provider("second")),
            models=(ModelAlias("smart", targets, hedge=1.0),),
            retries=Retries(attempts=3),
        )
    )


def test_no_more_than_a_bound_is_held_back(node: Node) -> None:
    """A stream whose first event never ends is passed on as it is."""
    two(node)
    client = ask(node, is_stream=True)
    comment = b": " + b"x" * (LARGEST_START - 10)
    node.provider.says(a_stream_head() + a_chunk(comment))
    assert client.hears() == b""
    node.provider.says(a_chunk(b"y" * 20))
    assert comment + b"y" * 20 in client.hears()


def test_a_stream_that_is_all_comments_is_passed_on_whole(node: Node) -> None:
    """When it ends there is nothing more to wait for; and no byte is lost or doubled before an event."""
    two(node)
    client = ask(node, is_stream=True)
    provider = node.provider.says(a_stream_head())
    for part in (b": wait\n\n", b": wa", b"it\n\n", EVENT, b"data: [DONE]\n\n"):
        provider.says(a_chunk(part))
    provider.says(b"0\r\n\r\n")
    assert unchunked(parts(client.hears())[2]) == b": wait\n\n: wait\n\n" + EVENT + b"data: [DONE]\n\n"
