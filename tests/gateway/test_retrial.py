"""What is held back of an answer; the rest is told as conversations in tests/flows."""

import pytest

from sluicegate.domain.errors import UpstreamUnreachableError
from sluicegate.domain.snapshot import Circuit, ModelAlias, Retries, Target
from sluicegate.gateway.retrial import LARGEST_START
from tests.flows.faults import ANSWER, EARLY, EVENT, TIMEOUTS
from tests.flows.test_retrying import ask, calls, counted, good_answer, unchunked
from tests.gateway.node import (
    Node,
    Peer,
    a_chunk,
    a_provider,
    a_request,
    a_snapshot,
    a_stream_head,
    an_answer,
    parts,
)

FAILURE = an_answer(b'{"error":{"message":"busy"},"usage":{"prompt_tokens":3,"completion_tokens":4}}', status="500 X")


def two(node: Node, *, attempts: int = 3, consecutive: int = 5) -> None:
    """Two providers of a model."""
    circuit = Circuit(consecutive=consecutive)
    targets = (Target("first", "model-a"), Target("second", "model-b", 0))
    node.services.configure(
        a_snapshot(
            providers=(a_provider("first", circuit=circuit), a_provider("second", circuit=circuit)),
            models=(ModelAlias("smart", targets, hedge=1.0),),
            retries=Retries(attempts=attempts),
        )
    )


def alone(node: Node) -> None:
    """One provider, which models and its own path lead to."""
    node.services.configure(a_snapshot(retries=Retries(attempts=3)))


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


def test_a_stream_that_never_says_anything_has_its_end_passed_on(node: Node) -> None:
    """What was held back goes with it: nothing more can come."""
    two(node)
    client = ask(node, is_stream=True)
    node.provider.says(a_stream_head()).says(a_chunk(b": wait\n\n")).says(b"0\r\n\r\n")
    assert unchunked(parts(client.hears())[2]).startswith(b": wait\n\n")


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("/v1/chat/completions", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"),
        ("/openai/chat/completions", a_stream_head() + a_chunk(b": wait\n\n")),
    ],
)
def test_what_nobody_else_could_be_asked_for_is_not_held_back(node: Node, path: str, start: bytes) -> None:
    """An answer that is no stream has begun well with its head; on a provider's own path nobody else is asked."""
    alone(node)
    client = node.client().says(a_request(path, b'{"model":"gpt-4o-mini","stream":true,"messages":[]}'))
    node.provider.says(start)
    assert parts(client.hears())[0] == 200


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
        a_stream_head() + a_chunk(EARLY),
    ],
)
def test_an_answer_that_is_dropped_before_its_end_is_cut(node: Node, begun: bytes) -> None:
    """Nobody reads on, and the connection can serve nobody else; one whose answer is whole can."""
    two(node)
    ask(node, is_stream=True)
    first = node.provider.says(begun)
    assert node.opener.reached == ["first", "second"]
    assert not first.is_connected


def test_a_stream_that_begins_with_a_failure_is_one_whoever_gets_it(node: Node) -> None:
    """Its status says that all is well; a row of them opens the circuit like any other."""
    two(node, attempts=2, consecutive=2)
    for _ in range(2):
        ask(node, is_stream=True)
        node.provider.says(a_stream_head() + a_chunk(EARLY))
        node.provider.says(a_stream_head() + a_chunk(EARLY))
    assert node.opener.reached == ["first", "second"] * 2
    first, second = (node.services.providers.by_id[name].breaker for name in ("first", "second"))
    assert (first.state, second.in_a_row) == ("open", 2)


def test_all_failed_attempts_cost_what_they_reported(node: Node) -> None:
    """Not the last one alone."""
    two(node)
    ask(node)
    node.provider.says(FAILURE)
    node.provider.says(FAILURE)
    node.passes(0.75)
    next(peer for peer in node.opener.peers if peer.hears()).says(an_answer(ANSWER))
    usage = counted(node).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (3 + 3 + 10, 4 + 4 + 20)


def test_who_cannot_be_reached_is_left_alone(node: Node) -> None:
    """After as many in a row as any other failures."""
    two(node, consecutive=2)
    for _ in range(2):
        node.opener.is_stuck = True
        ask(node)
        node.opener.is_stuck = False
        node.opener.asked.pop(0)[2](UpstreamUnreachableError("refused"))
        node.settle()
        node.provider.says(good_answer(is_stream=False))
    assert node.services.providers.by_id["first"].breaker.state == "open"


def test_a_new_connection_that_is_reset_is_a_failure(node: Node) -> None:
    """It cannot have grown stale; also where nothing was read of it."""
    two(node, consecutive=1)
    ask(node)
    node.provider.leaves(ConnectionResetError())
    assert node.services.providers.by_id["first"].breaker.state == "open"


def kept(node: Node, request: bytes) -> Peer:
    """A client asks on a connection to the provider that was used before."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    node.provider.hears()
    client.hears()
    return client.says(request)


def test_a_request_that_a_stale_connection_lost_is_sent_whatever_it_does(node: Node) -> None:
    """It was never read, so that nothing can be done twice."""
    alone(node)
    client = kept(node, a_request("/v1/images/generations"))
    node.provider.leaves(ConnectionResetError())
    assert node.provider.hears().startswith(b"POST /v1/images/generations")
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_a_body_that_a_stale_connection_lost_is_not_sent_again(node: Node) -> None:
    """It was passed on as it came: nobody has it any more."""
    alone(node)
    fields = ("Content-Encoding: gzip", "Content-Length: 8")
    client = kept(node, a_request("/openai/chat/completions", b"", fields=fields) + b"abcd")
    node.provider.leaves(ConnectionResetError())
    assert parts(client.hears())[0] == 502
    assert len(node.opener.peers) == 1


def test_a_providers_own_path_says_at_once_that_it_cannot_be_reached(node: Node) -> None:
    """Nobody pauses there, to ask the same one again."""
    alone(node)
    node.opener.refusal = UpstreamUnreachableError("refused")
    client = node.client().says(a_request("/openai/chat/completions"))
    assert (parts(client.hears())[0], node.timers) == (502, [])


def test_whoever_rests_is_asked_again_after_its_rest(node: Node) -> None:
    """Where the other one has failed, and says nothing of how long to wait."""
    two(node)
    ask(node)
    node.provider.says(an_answer(b"{}", status="429 X", fields=("Retry-After: 2",)))
    node.provider.says(an_answer(b"{}", status="429 X", fields=("Retry-After: 9",)))
    node.passes(1.9)
    assert calls(node) == {"first": 1, "second": 1}
    node.passes(1.1)
    assert calls(node) == {"first": 2, "second": 1}


def test_what_comes_in_time_is_in_time_whatever_stalled_before(node: Node) -> None:
    """The second one's stream has its own times: a first one that said as much and then nothing counts no more."""
    first, second = (a_provider(name, timeouts=TIMEOUTS) for name in ("first", "second"))
    targets = (Target("first", "model-a"), Target("second", "model-b", 0))
    node.services.configure(
        a_snapshot(providers=(first, second), models=(ModelAlias("smart", targets),), retries=Retries(attempts=2))
    )
    client = ask(node, is_stream=True)
    node.provider.says(a_stream_head() + a_chunk(b": wait\n\n"))
    node.passes(0.5)
    node.passes(10.5)
    assert node.opener.reached == ["first", "second"]
    node.passes(9.0)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    node.passes(0.5)
    assert b"error" not in client.hears()
    assert node.provider.is_connected
