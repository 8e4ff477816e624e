"""What an answer is held to while it is on its way, and who is asked instead."""

from sluicegate.domain.snapshot import ModelAlias, Retries, Target, Timeouts
from tests.flows.faults import ANSWER, EVENT, TIMEOUTS
from tests.flows.test_retrying import ask, nothing_is_left
from tests.gateway.node import Node, Peer, a_chunk, a_provider, a_request, a_snapshot, a_stream_head, an_answer, parts


def timed(node: Node, own: Timeouts | None = None) -> None:
    """Two providers; the model may have timeouts of its own."""
    providers = (a_provider("first", timeouts=TIMEOUTS), a_provider("second", timeouts=TIMEOUTS))
    fallbacks = ((Target("second", "model-b"),),)
    alias = ModelAlias("smart", (Target("first", "model-a"),), fallbacks=fallbacks, timeouts=own)
    node.services.configure(a_snapshot(providers=providers, models=(alias,), retries=Retries(attempts=2)))


def test_each_attempt_has_its_own_time_to_begin(node: Node) -> None:
    """Who is asked second is not late because the first one was."""
    timed(node)
    client = ask(node)
    node.passes(20.5)
    assert node.opener.reached == ["first", "second"]
    assert not node.opener.peers[0].is_connected
    node.passes(19.0)
    assert client.hears() == b""
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    nothing_is_left(node)


def test_all_attempts_share_the_whole_time(node: Node) -> None:
    """The total is the request's."""
    timed(node, Timeouts(first_byte=20, total=30))
    client = ask(node)
    node.passes(20.5)
    node.passes(10.0)
    assert parts(client.hears())[0] == 504
    nothing_is_left(node)


def test_a_model_has_timeouts_of_its_own(node: Node) -> None:
    """They come before the provider's."""
    timed(node, Timeouts(first_byte=2))
    ask(node)
    node.passes(2.5)
    assert node.opener.reached == ["first", "second"]


def test_nobody_is_late_while_the_request_is_not_whole(node: Node) -> None:
    """The time begins when the body has been sent."""
    node.services.configure(a_snapshot(providers=(a_provider(timeouts=TIMEOUTS),)))
    fields = ("Content-Type: application/octet-stream", "Content-Length: 4")
    client = node.client().says(a_request("/openai/files", b"", fields=fields) + b"ab")
    node.passes(25.0)
    client.says(b"cd")
    node.passes(19.0)
    assert client.hears() == b""
    node.passes(2.0)
    assert parts(client.hears())[0] == 504


def test_a_body_that_is_taken_no_further_is_late(node: Node) -> None:
    """The client waits for the provider alone: it need not wait for the whole time."""
    client = uploading(node)
    client.says(b"b" * 150)
    node.passes(9.0)
    assert client.hears() == b""
    node.passes(2.0)
    status, _, body = parts(client.hears())
    assert (status, b"took nothing more of the request within 10 s" in body) == (504, True)
    nothing_is_left(node)


def test_a_body_that_is_taken_slowly_is_not_late(node: Node) -> None:
    """Nor is one whose client pauses while there is room."""
    client = uploading(node)
    node.passes(50.0)
    for _ in range(3):
        client.says(b"b" * 150)
        node.passes(9.0)
        del node.provider.transport.sent[:50]
        node.passes(9.0)
        node.provider.hears()
    assert client.hears() == b""


def uploading(node: Node) -> Peer:
    """A client in the middle of a body, and a provider that takes a hundred bytes at a time."""
    node.opener.room = 100
    timeouts = Timeouts(connect=5, first_byte=20, between_bytes=10, total=1000)
    node.services.configure(a_snapshot(providers=(a_provider(timeouts=timeouts),)))
    fields = ("Content-Type: application/octet-stream", "Content-Length: 1000")
    client = node.client().says(a_request("/openai/files", b"", fields=fields) + b"b")
    node.provider.hears()
    return client


def test_a_head_that_never_ends_is_late(node: Node) -> None:
    """It began, and nothing of it was passed on: somebody else is asked."""
    timed(node)
    client = ask(node)
    node.provider.says(b"HTTP/1.1 200 OK\r\n")
    node.passes(0.0)
    node.passes(10.5)
    assert node.opener.reached == ["first", "second"]
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[0] == 200


def test_what_was_begun_is_not_asked_for_elsewhere(node: Node) -> None:
    """A stream that stalls ends with an error, and nobody else is asked."""
    timed(node)
    client = ask(node, is_stream=True)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    assert EVENT in client.hears()
    node.passes(0.0)
    node.passes(10.5)
    assert b"upstream_timeout" in client.hears()
    assert node.opener.reached == ["first"]


def test_a_model_has_its_own_time_for_a_connection(node: Node) -> None:
    """Who does not get one in time asks somebody else; what is there late is for others."""
    timed(node, Timeouts(connect=2))
    node.opener.is_stuck = True
    client = ask(node)
    node.passes(1.5)
    assert [provider.id for provider, _, _ in node.opener.asked] == ["first"]
    node.passes(1.0)
    assert [provider.id for provider, _, _ in node.opener.asked] == ["first", "second"]
    node.opener.connect(node.opener.asked[0][1])
    assert node.opener.peers[0].hears() == b""
    node.opener.connect(node.opener.asked[1][1])
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    nothing_is_left(node)
