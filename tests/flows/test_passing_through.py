"""A request told as a conversation: what goes up, what comes down, what is recorded."""

import pytest

from sluicegate.wire.link import Counted
from tests.gateway.node import (
    PROVIDER_KEY,
    TOKEN,
    Node,
    a_chunk,
    a_provider,
    a_request,
    a_snapshot,
    a_stream_head,
    an_answer,
    parts,
)

USAGE = b'{"id":"c1","model":"gpt-4o-mini-2024","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}'


def test_a_json_answer_passes_byte_for_byte(node: Node) -> None:
    """The body arrives as it was sent, in one write, with our headers beside the provider's."""
    client = node.client().says(a_request())
    node.provider.says(an_answer(USAGE, fields=("openai-processing-ms: 7", "x-request-id: up_1", "Set-Cookie: a=b")))
    assert len(client.transport.writes) == 1
    status, fields, body = parts(client.hears())
    assert (status, body) == (200, USAGE)
    assert fields["openai-processing-ms"] == "7"
    assert fields["x-request-id"] == fields["request-id"] == node.events()[0].request_id
    assert fields["x-gateway-model"] == "gpt-4o-mini"
    assert fields["x-gateway-provider"] == "openai"
    assert fields["x-gateway-attempts"] == "1"
    assert fields["x-gateway-cache"] == "bypass"
    assert "set-cookie" not in fields


def test_the_request_goes_up_with_the_providers_credential_only(node: Node) -> None:
    """Path, query, body and the client's own fields travel; its credential, cookies and claims do not."""
    request = a_request(
        "/v1/chat/completions?x=1",
        fields=(
            "X-Custom: kept",
            "Cookie: c=1",
            "X-Forwarded-For: 1.2.3.4",
            "x-gateway-provider: evil",
            "TE: trailers",
            "X-Admin-Secret: hush",
        ),
    )
    node.client().says(request)
    sent = node.provider.hears()
    assert sent.startswith(b"POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: openai.test\r\n")
    assert b"authorization: Bearer " + PROVIDER_KEY.encode() in sent
    assert b"X-Custom: kept\r\n" in sent
    for gone in (TOKEN.encode(), b"Cookie", b"1.2.3.4", b"evil", b"trailers", b"gateway.test", b"hush"):
        assert gone not in sent
    assert sent.endswith(b'{"model":"gpt-4o-mini","messages":[]}')


def test_the_event_says_what_happened(node: Node) -> None:
    """One event with the token, the route and the usage the provider reported."""
    node.client().says(a_request(fields=("x-claude-code-session-id: s1",)))
    node.now += 0.25
    node.provider.says(an_answer(USAGE, fields=("x-request-id: up_1",)))
    (event,) = node.events()
    assert (event.token, event.project_id, event.organization_id) == ("tok_1", "prj_a", "org_a")
    assert (event.endpoint, event.method, event.status_code) == ("/v1/chat/completions", "POST", 200)
    assert (event.provider, event.operation, event.attempts) == ("openai", "chat", 1)
    assert (event.requested_model, event.model) == ("gpt-4o-mini", "gpt-4o-mini-2024")
    assert (event.metadata.prompt_tokens, event.metadata.completion_tokens, event.metadata.total_tokens) == (5, 7, 12)
    assert (event.usage_source, event.is_estimated) == ("reported", False)
    assert (event.duration_ms, event.first_byte_ms) == (250.0, 250.0)
    assert (event.upstream_status, event.upstream_request_id, event.session_id) == (200, "up_1", "s1")
    assert event.client_address == "203.0.113.9"


def test_a_stream_is_passed_on_event_by_event(node: Node) -> None:
    """Each read becomes one write at once, before the provider has finished."""
    body = b'{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}'
    client = node.client().says(a_request(body=body))
    provider = node.provider.says(a_stream_head())
    status, fields, _ = parts(client.hears())
    assert status == 200
    assert fields["content-type"] == "text/event-stream; charset=utf-8"
    assert fields["cache-control"] == "no-cache, no-transform"
    assert fields["x-accel-buffering"] == "no"
    event = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
    provider.says(a_chunk(event))
    assert client.hears() == a_chunk(event)
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    provider.says(a_chunk(usage) + a_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    assert client.hears() == a_chunk(usage + b"data: [DONE]\n\n") + b"0\r\n\r\n"
    (recorded,) = node.events()
    assert (recorded.is_stream, recorded.is_cut, recorded.metadata.total_tokens) == (True, False, 4)


def test_usage_is_asked_for_and_kept_back(node: Node) -> None:
    """Where the client did not ask for usage we do, and the extra event does not reach it."""
    client = node.client().says(a_request(body=b'{"model":"gpt-4o","stream":true}'))
    assert b'"stream_options":{"include_usage":true}' in node.provider.hears()
    node.provider.says(a_stream_head())
    client.hears()
    node.provider.says(a_chunk(b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'))
    assert b"hi" in client.hears()
    node.provider.says(a_chunk(b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'))
    assert client.hears() == b""
    node.provider.says(a_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    assert client.hears() == a_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    assert node.events()[0].metadata.total_tokens == 4


def test_a_provider_that_must_not_be_asked_for_usage_is_not(node: Node) -> None:
    """`ask_usage` off leaves the body alone."""
    node.services.configure(a_snapshot(providers=(a_provider(ask_usage=False),)))
    node.client().says(a_request(body=b'{"model":"gpt-4o","stream":true}'))
    assert node.provider.hears().endswith(b'{"model":"gpt-4o","stream":true}')


def test_an_alias_and_a_provider_prefix_change_the_model_only(node: Node) -> None:
    """The model is spliced; every other byte of the body stays."""
    node.client().says(a_request(body=b'{ "messages":[{"model":"x"}], "model" : "smart" }'))
    assert node.provider.hears().endswith(b'{ "messages":[{"model":"x"}], "model" : "gpt-large" }')
    node.client().says(a_request(body=b'{"model":"openai/gpt-4o"}'))
    assert node.provider.hears().endswith(b'{"model":"gpt-4o"}')


def test_passthrough_strips_the_prefix_and_nothing_else(node: Node) -> None:
    """`/<provider>/<rest>` goes to the provider's base URL, with its required header added."""
    client = node.client().says(a_request("/anthropic/v1/messages?beta=true", fields=("anthropic-beta: b1",)))
    sent = node.provider.hears()
    assert sent.startswith(b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: anthropic.test\r\n")
    assert b"x-api-key: " + PROVIDER_KEY.encode() in sent
    assert b"anthropic-version: " in sent
    assert b"anthropic-beta: b1\r\n" in sent
    node.provider.says(an_answer(b'{"usage":{"input_tokens":2,"output_tokens":3,"cache_read_input_tokens":4}}'))
    assert parts(client.hears())[0] == 200
    (event,) = node.events()
    assert event.usage is not None
    assert (event.usage.input_tokens, event.usage.output_tokens, event.usage.cache_read_tokens) == (6, 3, 4)


def test_a_clients_own_version_is_kept(node: Node) -> None:
    """A default header never replaces what the client sent."""
    node.client().says(a_request("/anthropic/v1/messages", fields=("Anthropic-Version: 2026-10-21",)))
    sent = node.provider.hears().lower()
    assert sent.count(b"anthropic-version") == 1
    assert b"2026-10-21" in sent


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/v1/messages", "//v1//messages"])
def test_the_path_decides_the_default_provider(node: Node, path: str) -> None:
    """`/v1/messages` belongs to the Anthropic default; an accidental second /v1 is collapsed."""
    node.client().says(a_request(path))
    assert node.provider.hears().startswith(b"POST /v1/messages HTTP/1.1\r\nHost: anthropic.test\r\n")


def test_gemini_names_its_model_in_the_path(node: Node) -> None:
    """The model is read from the path; `/v1beta` leads to the default provider of that dialect."""
    node.client().says(a_request("/v1beta/models/gemini-2.5-flash:generateContent", b'{"contents":[]}'))
    assert node.provider.hears().startswith(b"POST /v1beta/models/gemini-2.5-flash:generateContent HTTP/1.1\r\n")
    node.provider.says(an_answer(b'{"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6}}'))
    (event,) = node.events()
    assert (event.model, event.metadata.total_tokens) == ("gemini-2.5-flash", 10)


def test_a_providers_error_passes_byte_for_byte(node: Node) -> None:
    """Its body and retry advice are untouched; a header says that it was the provider."""
    client = node.client().says(a_request())
    node.provider.says(an_answer(b'{"error":{}}', status="429 Too Many Requests", fields=("retry-after: 9",)))
    status, fields, body = parts(client.hears())
    assert (status, body, fields["retry-after"]) == (429, b'{"error":{}}', "9")
    assert fields["x-gateway-error-source"] == "upstream"
    (event,) = node.events()
    assert (event.error_source, event.upstream_status, event.usage) == ("upstream", 429, None)


def test_a_large_upload_streams_through(node: Node) -> None:
    """A multipart body is not held: it goes up as it comes, chunk by chunk, and the answer comes back."""
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    client = node.client().says(head)
    assert b"Transfer-Encoding: chunked\r\n\r\n" in node.provider.hears()
    client.says(a_chunk(b"part one"))
    assert node.provider.hears() == a_chunk(b"part one")
    client.says(a_chunk(b"part two") + b"0\r\n\r\n")
    assert node.provider.hears() == a_chunk(b"part two") + b"0\r\n\r\n"
    node.provider.says(an_answer(b'{"id":"file"}'))
    assert parts(client.hears())[2] == b'{"id":"file"}'
    assert node.events()[0].request_bytes == 16


def test_a_sized_upload_keeps_its_length(node: Node) -> None:
    """A sized body that is not JSON keeps its Content-Length and is not chunked."""
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 6\r\n\r\n".encode()
    client = node.client().says(head + b"abc")
    client.says(b"def")
    sent = node.provider.hears()
    assert b"Content-Length: 6\r\n\r\n" in sent
    assert sent.endswith(b"abcdef")


def test_what_is_not_reported_is_counted(node: Node) -> None:
    """Without usage the event waits for the tokenizer; a guess is on disk at once, the count replaces it."""
    node.client().says(a_request())
    node.provider.says(an_answer(b'{"choices":[{"message":{"content":"hello"}}]}'))
    (pending,) = node.lines()
    assert type(pending).__name__ == "Pending"
    (question,) = node.link.questions
    assert question.request == b'{"model":"gpt-4o-mini","messages":[]}'
    assert b"hello" in question.answer
    node.link.counted[0](Counted(1, 9, 2, "counted"))
    (event,) = node.events()
    assert (event.metadata.total_tokens, event.usage_source, event.is_estimated) == (11, "counted", True)


def test_a_count_that_never_comes_leaves_the_guess(node: Node) -> None:
    """Where control cannot count, the guess from the length becomes the record."""
    node.client().says(a_request())
    node.provider.says(an_answer(b'{"choices":[{"message":{"content":"hello"}}]}'))
    node.link.counted[0](None)
    (event,) = node.events()
    assert event.usage_source == "length"
    assert event.metadata.prompt_tokens == len(b'{"model":"gpt-4o-mini","messages":[]}') // 4
