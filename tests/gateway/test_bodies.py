"""Bodies handed to control, of callers whose project wants them."""

import gzip

import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.gateway import pipeline
from sluicegate.wire.link import Bodies
from tests.gateway.node import TOKEN, Node, a_chunk, a_request, a_snapshot, a_stream_head, an_answer

ASKED = b'{"model":"gpt-4o-mini","messages":[]}'


def wanting(node: Node, share: float = 1.0, most: int = 1000) -> Node:
    """A node that keeps bodies, and a caller whose project wants them."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("t", "n", "p", "o", body_share=share, body_bytes=most)
    node.services.configure(a_snapshot(keeps_bodies=True))
    return node


def handed(node: Node) -> Bodies:
    """The only bodies handed over."""
    (bodies,) = node.link.bodies
    return bodies


def test_nothing_is_paid_where_none_are_kept(node: Node) -> None:
    """Then there is no such stage, whatever projects want."""
    wanting(node).services.configure(a_snapshot())
    assert node.services.on_end == pipeline.ON_END
    node.client().says(a_request())
    node.provider.says(an_answer())
    assert node.link.bodies == []


def test_an_exchange_is_handed_over(node: Node) -> None:
    """Both bodies, whose they are, and when it began."""
    wanting(node).client().says(a_request())
    node.provider.says(an_answer(b'{"ok":true}'))
    (event,) = {line.request_id for line in node.events()} or {node.link.bodies[0].request_id}
    assert handed(node) == Bodies(event, 1_700_001_000_000, "o", "p", ASKED, b'{"ok":true}', False, False)


def test_it_is_what_the_client_sent(node: Node) -> None:
    """Not what a provider was sent instead: here it is asked for usage as well."""
    asked = b'{"model":"gpt-4o-mini","stream":true,"messages":[]}'
    wanting(node).client().says(a_request(body=asked))
    assert b"include_usage" in node.provider.hears()
    node.provider.says(a_stream_head() + a_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    assert (handed(node).request, handed(node).is_request_cut) == (asked, False)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.5, 1), (1.0, 2)])
def test_only_a_share_is(node: Node, share: float, count: int) -> None:
    """By chance."""
    chances = iter((0.49, 0.51))
    wanting(node, share).services.choose = lambda: next(chances)
    client = node.client()
    for _ in range(2):
        client.says(a_request())
        node.provider.says(an_answer())
    assert len(node.link.bodies) == count


def test_long_ones_are_cut(node: Node) -> None:
    """To what the project wants; both say so."""
    wanting(node, most=9).client().says(a_request())
    node.provider.says(an_answer(b'{"text":"0123456789"}'))
    bodies = handed(node)
    assert (bodies.request, bodies.answer) == (b'{"model":', b'{"text":"')
    assert (bodies.is_request_cut, bodies.is_answer_cut) == (True, True)


def test_a_stream_is_handed_over_as_text(node: Node) -> None:
    """What the model wrote, also where the provider has counted it."""
    wanting(node).client().says(a_request())
    events = b'data: {"choices":[{"index":0,"delta":{"content":"hi "}}]}\n\n'
    events += b'data: {"choices":[{"index":0,"delta":{"content":"there"}}]}\n\n'
    events += b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
    node.provider.says(a_stream_head() + a_chunk(events) + b"0\r\n\r\n")
    bodies = handed(node)
    assert (bodies.answer, bodies.is_answer_cut) == (b"hi there", False)


def test_a_compressed_answer_is_unpacked(node: Node) -> None:
    """As far as it is wanted."""
    wanting(node, most=5).client().says(a_request())
    node.provider.says(an_answer(gzip.compress(b'{"ok":"0123456789"}', mtime=0), fields=("Content-Encoding: gzip",)))
    assert (handed(node).answer, handed(node).is_answer_cut) == (b'{"ok"', True)


def test_what_nobody_can_read_is_left_out(node: Node) -> None:
    """Compressed requests, and those that are no text; it is said that there was one."""
    client = wanting(node).client()
    for fields in (("Content-Encoding: gzip",), ("Content-Type: audio/wav",)):
        request = a_request("/openai/files", b"0123", fields=fields)
        if "audio" in fields[0]:
            request = request.replace(b"Content-Type: application/json\r\n", b"")
        client.says(request)
        node.provider.says(an_answer())
    assert [(bodies.request, bodies.is_request_cut) for bodies in node.link.bodies] == [(b"", True)] * 2


def test_the_callers_credential_is_in_neither(node: Node) -> None:
    """Nor is the beginning of it where a body was cut within it."""
    for most in range(1, 2 * len(TOKEN) + 40):
        node.link.bodies.clear()
        wanting(node, most=most)
        node.services.principals.forget(())
        text = b'{"a":"%b","b":"%b"}' % (TOKEN.encode(), TOKEN.encode())
        node.client().says(a_request(body=text))
        node.provider.says(an_answer(text))
        for body in (handed(node).request, handed(node).answer):
            assert len(body) <= most
            assert TOKEN[: len(TOKEN) // 2].encode() not in body
    assert b"[redacted]" in handed(node).request


def test_a_request_that_nobody_answered_is_handed_over(node: Node) -> None:
    """With an empty answer, that is whole."""
    wanting(node).client().says(a_request())
    node.provider.leaves()
    assert (handed(node).request, handed(node).answer, handed(node).is_answer_cut) == (ASKED, b"", False)


def test_strangers_are_not(node: Node) -> None:
    """Nobody knows whose they are."""
    node.services.configure(a_snapshot(keeps_bodies=True))
    node.client().says(a_request(token="sk-nobody-at-all"))
    assert node.link.bodies == []
