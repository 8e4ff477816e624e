"""Bodies that no reader, or not every reader, understands: they are answered, whatever stage stumbles over them."""

import msgspec
import pytest

from sluicegate.domain.limits import Lifetime, Limit
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import TOKEN, Node, a_request, parts

TOKENS = Limit("token", "tok_1", "tokens", Lifetime(), 1_000_000)
OWN_PATH = "/openai/v1/chat/completions"


@pytest.mark.parametrize("path", ["/v1/chat/completions", OWN_PATH])
@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (b'{"model":"gpt-4o-mini","stream":true,"stream_options":{},"stream_options":{}}', "stream_options"),
        (
            b'{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}',
            "include_usage",
        ),
        (b'{"model":"gpt-4o-mini","\\u0061":1,"not\xffUTF-8":1}', "body"),
        (b'{"model":"gpt-4o-mini","a":"%b","not\xffUTF-8":1}' % (b"x" * 5000), "body"),
    ],
)
def test_a_body_that_is_not_certain_is_refused(node: Node, path: str, body: bytes, parameter: str) -> None:
    """The error names what is wrong; nothing is sent, and nobody waits for an answer that never comes."""
    status, _, answer = parts(node.client().says(a_request(path, body)).hears())
    assert (status, msgspec.json.decode(answer)["error"]["param"]) == (400, parameter)
    assert not node.opener.peers


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b"1",
        b'{"a\\q":1}',
        b'{"a":\xff}',
        '{"model":"gpt-4o-mini","max_tokens":1}'.encode("utf-16"),
        '{"model":"gpt-4o-mini","max_tokens":1}'.encode("utf-32"),
        b'{"model":1,"a":%b1' % (b"[" * 100_000),
    ],
)
def test_what_a_limit_cannot_read_is_refused_on_a_providers_own_path(node: Node, body: bytes) -> None:
    """Another reader could find any cap in it; without limits it is the provider's to judge."""
    client = node.client().says(a_request(OWN_PATH, body))
    assert node.provider.hears().endswith(body)
    client.leaves()
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", "tester", "prj_a", "org_a", limits=(TOKENS,))
    node.services.principals.forget(())
    status, _, answer = parts(node.client().says(a_request(OWN_PATH, body)).hears())
    assert (status, b"cannot be read" in answer) == (400, True)
    assert len(node.opener.peers) == 1
