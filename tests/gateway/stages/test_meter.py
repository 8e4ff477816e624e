"""What an exchange is charged for: the provider's report, or a guess until it is counted."""

import pytest

from sluicegate.control.counting import Counter
from sluicegate.domain.events import Exchange as Event
from sluicegate.domain.usage import Usage
from sluicegate.gateway.stages.meter import BYTES_PER_TOKEN, merged
from tests.gateway.node import Node, a_chunk, a_request, a_stream_head, an_answer

STREAM = a_request(body=b'{"model":"m","stream":true}')


def event_of(node: Node, request: bytes, *answers: bytes, leaves: bool = False) -> Event:
    """The event of a request and its answer, with counting impossible."""
    client = node.client().says(request)
    for answer in answers:
        node.provider.says(answer)
    if leaves:
        client.leaves()
    for callback in node.link.counted:
        callback(None)
    (event,) = node.events()
    return event


def test_what_is_reported_is_charged(node: Node) -> None:
    """No question is asked about it."""
    event = event_of(node, a_request(), an_answer(b'{"usage":{"prompt_tokens":7,"completion_tokens":5}}'))
    assert (event.usage, event.usage_source) == (Usage(7, 5), "reported")
    assert node.link.questions == []


def test_without_a_report_the_lengths_make_a_guess(node: Node) -> None:
    """Input is rounded down, output up, and the event says that it is an estimate."""
    request, answer = b'{"model":"m","messages":[]}', b'{"choices":[]}'
    event = event_of(node, a_request(body=request), an_answer(answer))
    assert event.usage is not None
    assert event.usage.input_tokens == len(request) // BYTES_PER_TOKEN
    assert event.usage.output_tokens == -(-len(answer) // BYTES_PER_TOKEN)
    assert (event.usage_source, event.is_estimated) == ("length", True)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [(a_request("/v1/files", b"", method="GET"), "200 OK"), (a_request(), "500 Internal Server Error")],
    ids=["no tokens in it", "failed"],
)
def test_what_costs_nothing_is_not_counted(node: Node, request_bytes: bytes, status: str) -> None:
    """Listings and failures consumed nothing, unless their answer says so."""
    event = event_of(node, request_bytes, an_answer(status=status))
    assert (event.usage, event.usage_source) == (None, "none")
    assert node.link.questions == []


def test_a_stream_cut_before_its_report_is_guessed_from_its_text(node: Node) -> None:
    """What was produced until then is charged: the text, not the framing around it."""
    text = a_chunk(b'data: {"choices":[{"delta":{"content":"hello wo"}}]}\n\n')
    event = event_of(node, STREAM, a_stream_head() + text, leaves=True)
    assert event.usage is not None
    assert event.usage.output_tokens == 2
    assert event.usage_source == "length"


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "guessed"])
@pytest.mark.parametrize(
    ("kind", "coding"),
    [
        ("text/event-stream", "gzip"),
        ("application/json", "br"),
        ("application/json", "gzip"),
        ("text/plain", "identity"),
    ],
)
def test_an_answer_that_cannot_be_read_is_not_free(node: Node, kind: str, coding: str, *, counted: bool) -> None:
    """Its bytes are taken for text, by the guess and where somebody counts what there is of it: nothing."""
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: {coding}\r\nContent-Length: 400\r\n\r\n"
    node.client().says(STREAM)
    node.provider.says(answer.encode() + b"\x1b" * 400)
    ((question,), (callback,)) = node.link.questions, node.link.counted
    callback(Counter().count(question) if counted else None)
    (event,) = node.events()
    assert event.usage is not None
    assert event.usage.output_tokens == 400 // BYTES_PER_TOKEN


def test_embeddings_that_cannot_be_read_write_nothing(node: Node) -> None:
    """However long they are."""
    node.client().says(a_request("/v1/embeddings", b'{"model":"m","input":"a"}'))
    node.provider.says(an_answer(b"x" * 400, fields=("Content-Encoding: br",)))
    (question,) = node.link.questions
    assert question.answer_dropped == 0


def test_a_refused_request_is_not_metered(node: Node) -> None:
    """No provider was asked."""
    event = event_of(node, a_request(token=None))
    assert (event.usage, event.usage_source) == (None, "none")


def test_counts_complete_what_was_reported() -> None:
    """A report of the input stays; of the output the larger number is true, since a cut report lags behind."""
    reported = Usage(input_tokens=10, output_tokens=3, cache_read_tokens=4, reasoning_tokens=2)
    assert merged(reported, 99, 8) == Usage(10, 8, cache_read_tokens=4, reasoning_tokens=2)
    assert merged(reported, 99, 1).output_tokens == 3
    assert merged(Usage(), 99, 1) == Usage(99, 1)
    kept = Usage(10, 3, cache_write_tokens=4, cache_write_1h_tokens=2)
    assert merged(kept, 99, 1) == kept
