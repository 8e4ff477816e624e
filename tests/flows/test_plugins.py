"""Whole requests with a plugin: what the provider, the client and the journal have of them."""

from importlib.metadata import EntryPoint

import msgspec

from sluicegate.domain.plugins import GROUP, RefusedError, Request
from tests.gateway.node import Node, a_chunk, a_request, a_snapshot, a_stream_head, parts
from tests.gateway.sample_plugins import Editor, Redactor, Watcher

EVENT = b'data: {"model":"gpt","choices":[{"delta":{"content":"Hi"}}]}\n\n'
USAGE = b'data: {"model":"gpt","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1}}\n\n'


def _with_plugins(node: Node) -> tuple[Editor, Watcher, Redactor]:
    names = ("Editor", "Watcher", "Redactor")
    node.plugins = {name: (EntryPoint(name, f"tests.gateway.sample_plugins:{name}", GROUP),) for name in names}
    node.services.configure(a_snapshot(plugins=names))
    editor, watcher, redactor = (node.services.plugins._loaded[name] for name in names)
    assert isinstance(editor, Editor)
    assert isinstance(watcher, Watcher)
    assert isinstance(redactor, Redactor)
    return editor, watcher, redactor


def test_a_stream_with_plugins(node: Node) -> None:
    """The provider has the edited body, the client every event, the plugin what it took, the journal other texts."""
    editor, watcher, redactor = _with_plugins(node)
    editor.answer = lambda request: request.body.replace(b"4111 1111 1111 1111", b"[card]")
    redactor.answer = lambda event: msgspec.structs.replace(event, client_address=None)
    body = b'{"model":"gpt","stream":true,"messages":[{"role":"user","content":"4111 1111 1111 1111"}]}'
    client = node.client().says(a_request(body=body))
    heard = node.provider.hears()
    assert b'"content":"[card]"' in heard
    assert b'"include_usage":true' in heard
    assert b"4111" not in heard
    node.provider.says(a_stream_head() + a_chunk(EVENT)).says(a_chunk(USAGE) + a_chunk(b"data: [DONE]\n\n"))
    assert watcher.seen == []
    node.provider.says(b"0\r\n\r\n")
    status, _, answer = parts(client.hears())
    assert status == 200
    assert EVENT in answer
    [(request, response)] = watcher.seen
    assert b"[card]" in request.body
    assert response.is_stream
    assert response.usage is not None
    assert response.usage.total_tokens == 5
    [event] = node.events()
    assert (event.request_id, event.client_address, event.usage) == (request.request_id, None, response.usage)


def test_a_client_that_leaves_is_told_of(node: Node) -> None:
    """However it ends, a request that was shown is told of once."""
    _, watcher, _ = _with_plugins(node)
    client = node.client().says(a_request())
    client.leaves()
    assert [response.status for _, response in watcher.seen] == [499]


def test_a_refused_request_leaves_the_connection_open(node: Node) -> None:
    """The next one on it passes."""
    editor, _, _ = _with_plugins(node)

    def refuse(request: Request) -> None:
        if b"card" in request.body:
            raise RefusedError("no cards")

    editor.answer = refuse
    client = node.client().says(a_request(body=b'{"model":"gpt","messages":["card"]}'))
    assert parts(client.hears())[0] == 403
    client.says(a_request())
    assert len(node.opener.peers) == 1
    assert [event.error for event in node.events()] == ["refused_by_plugin"]
