"""The record of an exchange, and what the control process is asked to count."""

import msgspec

from sluicegate.domain.events import Pending
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.gateway.stages.publish import LONGEST_TEXT, metadata_of
from sluicegate.wire.link import Counted
from tests.gateway.node import TOKEN, Node, a_request, an_answer


def test_the_caller_is_recorded(node: Node) -> None:
    """Token, user, project, organization and tags, as control knows them."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("t", "n", "p", "o", user_id="u", tags=("a", "b"))
    node.client().says(a_request("/v1/files", b"", method="GET"))
    node.provider.says(an_answer())
    (event,) = node.events()
    assert (event.token, event.user_id, event.project_id, event.organization_id) == ("t", "u", "p", "o")
    assert event.tags == ("a", "b")
    assert event.client_address == "203.0.113.9"


def test_times_are_measured(node: Node) -> None:
    """Milliseconds since the request was here, to its first byte and to its end."""
    node.client().says(a_request("/v1/files", b"", method="GET"))
    node.now += 0.25
    answer = an_answer(b"0123456789")
    node.provider.says(answer[:-5])
    node.now += 0.5
    node.provider.says(answer[-5:])
    (event,) = node.events()
    assert (event.first_byte_ms, event.duration_ms, event.response_bytes) == (250.0, 750.0, 10)


def test_a_clients_words_are_cut(node: Node) -> None:
    """A model's name of any length does not fill the journal."""
    node.client().says(a_request(body=b'{"model":"%b"}' % (b"m" * 1000)))
    node.provider.says(an_answer(status="404 Not Found"))
    (event,) = node.events()
    assert event.requested_model == event.model == event.metadata.model == "m" * LONGEST_TEXT


def test_the_clients_trace_is_recorded(node: Node) -> None:
    """Where it names a valid one; its provider gets the fields as they came, valid or not."""
    trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    client = node.client()
    for fields in [(trace, "tracestate: a=1, b=2"), ("traceparent: 00-none", "tracestate: a=1"), ()]:
        client.says(a_request("/v1/files", b"", method="GET", fields=fields))
        assert node.provider.hears().count(b"\r\ntrace") == len(fields)
        node.provider.says(an_answer())
    first, second, third = node.events()
    assert (first.traceparent, first.tracestate) == (trace.partition(" ")[2], "a=1,b=2")
    assert (second.traceparent, second.tracestate) == (third.traceparent, third.tracestate) == ("", "")
    assert [msgspec.json.encode(event).count(b"trace") for event in (first, second, third)] == [2, 0, 0]


def test_a_count_replaces_the_guess(node: Node) -> None:
    """The guess is on disk first; the final event has the count and where it is from."""
    node.client().says(a_request())
    node.provider.says(an_answer(b'{"choices":[]}'))
    (pending,) = node.lines()
    assert isinstance(pending, Pending)
    (question,) = node.link.questions
    assert (question.request, question.answer, question.is_text) == (
        b'{"model":"gpt-4o-mini","messages":[]}', b'{"choices":[]}', False,
    )  # fmt: skip
    node.link.counted[0](Counted(1, 11, 4, "counted"))
    (event,) = node.events()
    assert event.usage is not None
    assert (event.usage.input_tokens, event.usage.output_tokens, event.usage_source) == (11, 4, "counted")
    assert event.metadata.total_tokens == 15
    assert event.request_id == pending.request_id


def test_without_usage_the_metadata_has_only_model_and_time() -> None:
    """Zeros would look like a report."""
    made = metadata_of("m", None, 17)
    assert (made.model, made.created) == ("m", 17)
