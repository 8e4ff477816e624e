"""A body gets the model that its path names."""

import pytest

from tests.flows.faults import ANSWER
from tests.gateway.node import Node, a_request, an_answer, parts

PATH = "/openai/deployments/gpt-9/chat/completions?api-version=preview"


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"messages":[]}', b'{"model":"gpt-9","messages":[]}'),
        (b'{"model": "other", "messages":[]}', b'{"model": "gpt-9", "messages":[]}'),
        (b'{"model":"gpt-9","messages":[]}', b'{"model":"gpt-9","messages":[]}'),
    ],
)
def test_the_body_names_what_the_path_does(node: Node, body: bytes, sent: bytes) -> None:
    """Its other bytes stay as they are, and it says how long it is."""
    client = node.client().says(a_request(PATH, body))
    head, _, got = node.provider.hears().partition(b"\r\n\r\n")
    assert got == sent
    assert f"Content-Length: {len(sent)}".encode() in head
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[0] == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"a","model":"b"}'])
def test_what_has_no_place_for_it_is_refused(node: Node, body: bytes) -> None:
    """As it is where the path names no model."""
    client = node.client().says(a_request(PATH, body))
    if body:
        assert parts(client.hears())[0] == 400
        assert node.opener.peers == []
    else:
        assert node.provider.hears().startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
