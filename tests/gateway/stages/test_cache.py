"""The stage that will answer from a cache."""

from tests.gateway.node import Node, a_request, an_answer, parts


def test_the_same_request_goes_to_its_provider_each_time(node: Node) -> None:
    """Nothing is answered from memory."""
    client = node.client()
    for body in (b'{"answer":1}', b'{"answer":2}'):
        client.says(a_request())
        assert node.provider.hears()
        node.provider.says(an_answer(body))
        assert parts(client.hears())[2] == body
