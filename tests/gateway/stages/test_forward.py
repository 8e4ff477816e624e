"""Which provider a request goes to, and the bytes it gets."""

import json

import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ModelAlias, Snapshot, Target
from sluicegate.domain.tokens import digest
from tests.gateway.node import PROVIDER_KEY, TOKEN, Node, a_provider, a_request, a_snapshot, an_answer, parts


def sent(node: Node, request: bytes) -> bytes:
    """What the provider gets of a request."""
    node.client().says(request)
    return node.provider.hears()


def refused(node: Node, request: bytes) -> tuple[int, bytes]:
    """Status and body of a refusal that no provider has heard of."""
    status, _, body = parts(node.client().says(request).hears())
    assert node.opener.peers == []
    return status, body


@pytest.mark.parametrize(
    ("body", "words"),
    [(b'{"model":"a",', b"not a JSON object"), (b"[]", b"not a JSON object"), (b'{"model":5}', b"model")],
)
def test_a_body_that_cannot_be_read_is_refused(node: Node, body: bytes, words: bytes) -> None:
    """Where the model decides the provider, the gateway must be able to read it."""
    status, answer = refused(node, a_request(body=body))
    assert status == 400
    assert words in answer


def test_a_passthrough_body_need_not_be_json(node: Node) -> None:
    """Where the path names the provider, the body is the provider's concern."""
    assert sent(node, a_request("/openai/chat/completions", b"not json")).endswith(b"not json")


def test_a_model_that_nobody_serves_is_not_found(node: Node) -> None:
    """Without a default provider the answer says how to name one."""
    node.services.configure(Snapshot(version=2, providers=(a_provider("anthropic", "anthropic"),)))
    status, body = refused(node, a_request(body=b'{"model":"gpt-4o","messages":[]}'))
    assert status == 404
    assert b"provider/model" in body


def test_without_a_provider_of_the_dialect_there_is_no_service(node: Node) -> None:
    """A request that names no model cannot choose another provider."""
    node.services.configure(Snapshot(version=2, providers=(a_provider("anthropic", "anthropic"),)))
    status, body = refused(node, a_request("/v1/files", b"", method="GET"))
    assert status == 503
    assert b"no_provider" in body


def test_a_model_outside_the_tokens_list_is_forbidden(node: Node) -> None:
    """The list is compared with the name the client used, before any alias is looked up; it is told."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", models=("gpt-4o", "other"))
    status, body = refused(node, a_request(body=b'{"model":"smart","messages":[]}'))
    assert status == 403
    assert b"it may use gpt-4o, other" in body
    assert b"gpt-4o" in sent(node, a_request(body=b'{"model":"gpt-4o","messages":[]}'))


def test_a_model_in_the_path_is_checked_too(node: Node) -> None:
    """Gemini's paths name the model; a body without one is no way around the list."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", models=("gemini-pro",))
    for body in (b"", b'{"contents":[]}', b'{"model":"gemini-pro","contents":[]}'):
        assert refused(node, a_request("/v1beta/models/gemini-ultra:generateContent", body))[0] == 403
    assert b"gemini-pro" in sent(node, a_request("/v1beta/models/gemini-pro:generateContent", b'{"contents":[]}'))


def test_what_the_allowlist_lacks_takes_no_connection(node: Node) -> None:
    """The provider's own list is asked before a connection is."""
    assert refused(node, a_request("/openai/no/such/thing"))[0] == 404


def test_an_allowed_model_keeps_every_other_byte(node: Node) -> None:
    """An alias replaces the model's value only; the length follows."""
    body = b'{ "messages": [{"role":"user","content":"smart"}],  "model" : "smart" }'
    got = sent(node, a_request(body=body))
    edited = body.replace(b': "smart" }', b': "gpt-large" }')
    assert got.endswith(b"\r\n\r\n" + edited)
    assert f"Content-Length: {len(edited)}\r\n".encode() in got


def test_a_large_body_is_not_copied_behind_the_head(node: Node) -> None:
    """Head and body reach the provider whole and in order, however they are written."""
    body = json.dumps({"model": "gpt-4o", "messages": [], "pad": "x" * 70_000}).encode()
    head, _, rest = sent(node, a_request(body=body)).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert rest == body


def test_an_empty_body_has_a_length_only_where_one_was_said(node: Node) -> None:
    """A GET goes up without Content-Length; a chunked body that turned out empty has the length 0."""
    assert b"Content-Length" not in sent(node, a_request("/v1/files", b"", method="GET"))
    fields = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    node.client().says(a_request("/openai/chat/completions", b"", fields=fields) + b"0\r\n\r\n")
    assert b"Content-Length: 0\r\n\r\n" in node.provider.hears()


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        ("gzip, deflate, br, zstd", b"Accept-Encoding: gzip, deflate\r\n"),
        ("br", b"Accept-Encoding: identity\r\n"),
        ("deflate", b"Accept-Encoding: deflate\r\n"),
    ],
)
def test_only_encodings_we_can_read_are_asked_for(node: Node, offered: str, asked: bytes) -> None:
    """Usage is read from the answer, so br and zstd are not offered; what the client did not offer is not added."""
    assert asked in sent(node, a_request(fields=(f"Accept-Encoding: {offered}",)))


def test_nothing_is_offered_where_the_client_offers_nothing(node: Node) -> None:
    """No field, no encoding."""
    assert b"accept-encoding" not in sent(node, a_request()).lower()


def test_a_stream_is_not_encoded(node: Node) -> None:
    """An encoder would hold events back."""
    got = sent(node, a_request(body=b'{"model":"m","stream":true}', fields=("Accept-Encoding: gzip",)))
    assert b"Accept-Encoding: identity\r\n" in got


def test_controls_answers_may_be_encoded_as_the_client_likes(node: Node) -> None:
    """They are not read here."""
    got = sent(node, a_request("/admin/config", b"", method="GET", fields=("Accept-Encoding: br",)))
    assert b"Accept-Encoding: br\r\n" in got


def test_a_configured_field_replaces_the_clients(node: Node) -> None:
    """What the configuration sets on every request cannot be set otherwise by a client."""
    provider = a_provider()
    headers = (*provider.headers, ("openai-organization", "org-ours"))
    changed = provider.__class__(
        **{name: getattr(provider, name) for name in provider.__struct_fields__} | {"headers": headers}
    )
    node.services.configure(a_snapshot(providers=(changed,)))
    got = sent(node, a_request(fields=("OpenAI-Organization: org-theirs", "x-kept: yes"))).lower()
    assert got.count(b"openai-organization:") == 1
    assert b"org-ours" in got
    assert b"x-kept: yes" in got
    assert PROVIDER_KEY.encode() in got


def test_the_event_tells_both_names_of_a_model(node: Node) -> None:
    """The alias the client asked for, and the provider's own name for what answered."""
    alias = node.services.snapshot.models[0]
    node.client().says(a_request(body=b'{"model":"smart","messages":[]}'))
    node.provider.says(an_answer(b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'))
    (event,) = node.events()
    assert (event.requested_model, event.model, event.provider) == ("smart", alias.targets[0].model, "openai")


def answers(node: Node, principal: Principal) -> None:
    """Make the one token this principal's."""
    node.link.tokens[digest(TOKEN.encode())] = principal


def test_a_tokens_own_model_answers_whatever_was_asked_for(node: Node) -> None:
    """In the body, before any alias is looked up; the event keeps what the client wrote."""
    answers(node, Principal("tok_1", model="openai/glm-4.7"))
    assert b'{"model":"glm-4.7","messages":[]}' in sent(node, a_request(body=b'{"model":"gpt-4o","messages":[]}'))
    node.provider.says(an_answer(b'{"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'))
    assert node.events()[-1].requested_model == "gpt-4o"


def test_a_tokens_own_model_is_put_where_none_was_named(node: Node) -> None:
    """Also on a path that names its provider."""
    answers(node, Principal("tok_1", model="glm-4.7"))
    assert b'"model":"glm-4.7"' in sent(node, a_request("/openai/chat/completions", b'{"messages":[]}'))


OURS = (
    ModelAlias("smart", (Target("anthropic", "claude"), Target("openai", "gpt-large")), sticky="user"),
    ModelAlias("away", (Target("anthropic", "claude"),), fallbacks=((Target("openai", "gpt-small"),),)),
    ModelAlias("g-*", (Target("gemini", "gemini-*"),)),
)


@pytest.mark.parametrize(
    ("own", "path", "model", "alias"),
    [
        ("smart", "/openai/chat/completions", "gpt-large", "smart"),
        ("smart", "/anthropic/v1/messages", "claude", "smart"),
        ("away", "/openai/chat/completions", "gpt-small", "away"),
        ("openai/gpt-9", "/openai/chat/completions", "gpt-9", None),
        ("meta/llama", "/openai/chat/completions", "meta/llama", None),
        ("g-flash", "/gemini/v1beta/models/a:generateContent", "gemini-flash", "g-*"),
    ],
)
def test_a_tokens_own_model_means_the_same_where_the_path_names_the_provider(
    node: Node, own: str, path: str, model: str, alias: str | None
) -> None:
    """A name of ours is what it stands for there, not what the provider is to be asked for."""
    node.services.configure(a_snapshot(models=OURS))
    answers(node, Principal("tok_1", model=own))
    client = node.client().says(a_request(path, b'{"model":"a"}'))
    assert (f"/models/{model}:" if "/models/" in path else f'{{"model":"{model}"}}').encode() in node.provider.hears()
    node.provider.says(an_answer())
    _, told, _ = parts(client.hears())
    assert (told["x-gateway-model"], told["x-gateway-provider"]) == (model, path.split("/")[1])
    assert told.get("x-gateway-alias") == alias


@pytest.mark.parametrize("own", ["away", "anthropic/claude", "g-flash"])
def test_a_tokens_own_model_of_somebody_else_is_not_asked_for_here(node: Node, own: str) -> None:
    """Where the path names a provider that none of its targets is of, nobody is asked."""
    node.services.configure(a_snapshot(models=(ModelAlias("away", (Target("anthropic", "claude"),)), *OURS[2:])))
    answers(node, Principal("tok_1", model=own))
    status, body = refused(node, a_request("/openai/chat/completions"))
    assert (status, f"bound to the model '{own}', which is not served by openai".encode() in body) == (403, True)


@pytest.mark.parametrize("body", [b"[]", b'"{}"', b'\xef\xbb\xbf{"model":"dear"}', '{"model":"dear"}'.encode("utf-16")])
def test_a_body_that_nobody_reads_is_no_way_around_a_tokens_own_model(node: Node, body: bytes) -> None:
    """Its provider might read it."""
    answers(node, Principal("tok_1", model="glm-4.7"))
    status, told = refused(node, a_request("/openai/chat/completions", body))
    assert (status, b"not a JSON object" in told) == (400, True)


@pytest.mark.parametrize(
    ("principal", "fields", "expected"),
    [
        (Principal("tok_1", models=("a", "b")), '"models":["a","b"]', 200),
        (Principal("tok_1", models=("a", "b")), '"models":["a","dear"]', 403),
        (Principal("tok_1", models=("a", "b")), '"fallbacks":[{"model":"dear"}]', 403),
        (Principal("tok_1", models=("a", "b")), '"models":["a"],"models":["dear"]', 400),
        (Principal("tok_1", model="a"), '"fallbacks":[{"model":"dear"}]', 403),
        (Principal("tok_1", models=("a",)), '"tools":[{"type":"advisor","model":"dear"}]', 403),
        (Principal("tok_1", model="a"), '"fallbacks":[]', 200),
        (Principal("tok_1"), '"models":["dear"]', 200),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/chat/completions"])
def test_models_to_fall_back_to_are_no_way_around_the_list(
    node: Node, path: str, principal: Principal, fields: str, expected: int
) -> None:
    """What has the provider itself ask another model is held against the token's models, too."""
    answers(node, principal)
    client = node.client().says(a_request(path, f'{{"model":"a","messages":[],{fields}}}'.encode()))
    if expected == 200:
        node.provider.says(an_answer())
    status, _, _ = parts(client.hears())
    assert (status, bool(node.opener.peers)) == (expected, expected == 200)


UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: k", "Sec-WebSocket-Version: 13")


@pytest.mark.parametrize(
    ("path", "is_admitted"),
    [
        ("/v1/realtime?model=small", True),
        ("/openai/realtime?a=b&model=small", True),
        ("/v1/realtime?model=dear", False),
        ("/v1/realtime?model=small&model=dear", False),
        ("/v1/realtime?mod%65l=dear", False),
        ("/v1/realtime", False),
        ("/v1/responses", False),
        ("/openai/v1/responses?model=small", False),
    ],
)
def test_a_websocket_is_no_way_around_the_list(node: Node, path: str, *, is_admitted: bool) -> None:
    """Only where its address names nothing but models of the list is it opened: its messages may name any."""
    answers(node, Principal("tok_1", models=("small",)))
    client = node.client().says(a_request(path, b"", method="GET", fields=UPGRADE))
    assert bool(node.opener.peers) == is_admitted
    if not is_admitted:
        assert parts(client.hears())[0] == 403


def test_a_tokens_own_model_leaves_other_operations_alone(node: Node) -> None:
    """A chat model makes no embeddings."""
    answers(node, Principal("tok_1", model="glm-4.7"))
    assert b'"model":"e-3"' in sent(node, a_request("/v1/embeddings", b'{"model":"e-3","input":"a"}'))


@pytest.mark.parametrize("path", ["/v1beta/models/a:generateContent", "/gemini/v1beta/models/a:generateContent"])
def test_a_tokens_own_model_takes_the_place_of_the_paths(node: Node, path: str) -> None:
    """Also where the body cannot be read."""
    answers(node, Principal("tok_1", model="gemini-flash"))
    for fields in ((), ("Content-Encoding: gzip",)):
        got = sent(node, a_request(path, b'{"contents":[]}', fields=fields))
        assert got.startswith(b"POST /v1beta/models/gemini-flash:generateContent HTTP/1.1\r\n")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/chat/completions", "/openai/audio/transcriptions"])
def test_a_model_that_cannot_be_seen_is_no_way_around_the_list(node: Node, path: str) -> None:
    """A compressed body, or one that is not JSON, is refused to a token that may use some models only."""
    answers(node, Principal("tok_1", models=("gpt-4o",)))
    status, body = refused(node, a_request(path, b"\x1f\x8b", fields=("Content-Encoding: gzip",)))
    assert (status, b"no model can be seen" in body) == (403, True)
    status, _ = refused(node, a_request(path, b"\x1f\x8b", fields=("Content-Encoding: identity",)))
    assert status == (400 if path.startswith("/v1") else 403)


def as_type(field: str, model: bytes) -> bytes:
    """A chat with this model, its body of the type that the field says."""
    body = b'{"model":"%b"}' % model
    return a_request("/v1/chat/completions", b"", fields=(field, f"Content-Length: {len(body)}")) + body


@pytest.mark.parametrize("field", ["Content-Type: text/plain", "Content-Type:", "Content-Encoding: identity"])
def test_a_body_by_any_other_name_is_no_way_around_the_list(node: Node, field: str) -> None:
    """Providers read it as JSON whatever its type, and so it is read here."""
    answers(node, Principal("tok_1", models=("gpt-4o",)))
    assert refused(node, as_type(field, b"o1-pro"))[0] == 403
    assert sent(node, as_type(field, b"gpt-4o")).endswith(b'{"model":"gpt-4o"}')


@pytest.mark.parametrize("field", ["Content-Type: text/plain", "Content-Type:", "Content-Encoding: identity"])
def test_a_tokens_own_model_takes_the_place_of_one_by_any_other_name(node: Node, field: str) -> None:
    """In what is sent, whatever its type."""
    answers(node, Principal("tok_1", model="gpt-4o-mini"))
    assert sent(node, as_type(field, b"o1-pro")).endswith(b'{"model":"gpt-4o-mini"}')


def test_operations_without_a_model_are_open_to_a_bound_token(node: Node) -> None:
    """Files name no model."""
    answers(node, Principal("tok_1", models=("gpt-4o",)))
    assert sent(node, a_request("/openai/files", b"a", fields=("Content-Encoding: gzip",))).endswith(b"a")


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/messages/batches"])
def test_a_batch_is_no_way_around_the_list(node: Node, path: str) -> None:
    """The models of a batch cannot be seen; how one fares may be asked."""
    answers(node, Principal("tok_1", models=("gpt-4o",)))
    status, body = refused(node, a_request(path, b'{"input_file_id":"file-1"}'))
    assert (status, b"no model can be seen" in body) == (403, True)
    assert b"GET " in sent(node, a_request(f"{path}/b1", b"", method="GET"))


def test_a_projects_own_key_is_sent(node: Node) -> None:
    """In place of the configured one, and only to its provider; a change of it takes effect on the same connection."""
    answers(node, Principal("tok_1", credentials=(("other", "sk-other"), ("openai", "sk-project-1"))))
    client = node.client().says(a_request())
    request = node.provider.hears()
    assert b"authorization: Bearer sk-project-1\r\n" in request.replace(b"Authorization", b"authorization")
    assert PROVIDER_KEY.encode() not in request
    node.provider.says(an_answer())
    answers(node, Principal("tok_1", credentials=(("openai", "sk-project-2"),)))
    node.services.principals.forget(())
    client.says(a_request())
    request = node.provider.hears()
    assert b"sk-project-2" in request
    assert b"sk-project-1" not in request


def test_a_projects_key_that_cannot_be_read_is_told(node: Node) -> None:
    """Another's key must not be used, and billed, in its place."""
    answers(node, Principal("tok_1", credentials=(("openai", ""),)))
    client = node.client().says(a_request())
    status, _, body = parts(client.hears())
    assert (status, b"credential_unusable" in body) == (503, True)


def test_a_token_may_bound_the_fields_that_travel(node: Node) -> None:
    """Only those of its list reach the provider, and those without which the body could not be read."""
    answers(node, Principal("tok_1", request_headers=("x-trace", "openai-beta")))
    request = sent(node, a_request(fields=("X-Trace: 1", "X-Secret: 2", "User-Agent: me", "OpenAI-Beta: a=b")))
    assert b"X-Trace: 1" in request
    assert b"OpenAI-Beta: a=b" in request
    assert b"Content-Type: application/json" in request
    assert b"X-Secret" not in request
    assert b"User-Agent" not in request
