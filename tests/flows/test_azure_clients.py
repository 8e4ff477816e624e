"""Clients of Azure OpenAI's dated API: the path names the model, and OpenAI's own API is asked for it."""

import json
from typing import Any

import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ModelAlias, Target
from sluicegate.domain.tokens import digest
from tests.flows.faults import ANSWER
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer, parts

VERSION = "?api-version=2024-10-21"
CHAT = f"/openai/deployments/smart/chat/completions{VERSION}"


def asked(node: Node) -> tuple[str, dict[str, Any]]:
    """The request line and the body that the provider got."""
    head, _, body = node.provider.hears().partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), json.loads(body)


@pytest.mark.parametrize(
    "body",
    [b'{"messages":[]}', b'{"messages":[],"model":"other"}', b'{"model":"smart","messages":[]}', b'{"model":null}'],
)
def test_the_path_names_the_model(node: Node, body: bytes) -> None:
    """Whatever the body says: it is looked for among ours, and the provider is asked in OpenAI's words."""
    client = node.client().says(a_request(CHAT, body))
    line, sent = asked(node)
    assert line == "POST /v1/chat/completions HTTP/1.1"
    assert sent["model"] == "gpt-large"
    node.provider.says(an_answer(ANSWER))
    status, fields, _ = parts(client.hears())
    assert (status, fields["x-gateway-alias"], fields["x-gateway-model"]) == (200, "smart", "gpt-large")
    (event,) = node.events()
    assert (event.requested_model, event.endpoint) == ("smart", "/v1/chat/completions")


def test_the_key_may_come_as_azures_clients_send_it(node: Node) -> None:
    """In `api-key`, which goes no further."""
    node.client().says(a_request(CHAT, b'{"messages":[]}', token=None, fields=(f"api-key: {TOKEN}",)))
    assert TOKEN.encode() not in node.provider.hears()


def test_a_name_may_have_a_slash(node: Node) -> None:
    """As it is, or encoded: `provider/model`."""
    for name in ("openai/gpt-9", "openai%2Fgpt-9"):
        node.client().says(a_request(f"/openai/deployments/{name}/embeddings{VERSION}", b'{"input":"x"}'))
        line, sent = asked(node)
        assert (line, sent["model"]) == ("POST /v1/embeddings HTTP/1.1", "gpt-9")
        node.provider.says(an_answer())


def test_a_token_is_bound_to_what_the_path_names(node: Node) -> None:
    """A model in the body is no way around the list."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", models=("cheap",))
    client = node.client().says(a_request(CHAT, b'{"messages":[],"model":"cheap"}'))
    assert parts(client.hears())[0] == 403
    assert node.opener.peers == []


def test_two_models_in_a_body_are_refused(node: Node) -> None:
    """Nobody knows which one a provider would take."""
    client = node.client().says(a_request(CHAT, b'{"model":"a","messages":[],"model":"b"}'))
    assert parts(client.hears())[0] == 400
    assert node.opener.peers == []


def test_a_form_names_its_model_itself(node: Node) -> None:
    """What is not read here is passed on as it is, as on `/v1`."""
    raw = a_request(f"/openai/deployments/smart/audio/transcriptions{VERSION}", b"--b\r\n\r\n--b--")
    node.client().says(raw.replace(b"application/json", b"multipart/form-data; boundary=b"))
    heard = node.provider.hears()
    assert heard.startswith(b"POST /v1/audio/transcriptions HTTP/1.1\r\n")
    assert heard.endswith(b"--b\r\n\r\n--b--")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (f"/openai/responses{VERSION}", "POST /v1/responses HTTP/1.1"),
        ("/openai/v1/chat/completions", "POST /v1/chat/completions HTTP/1.1"),
        (f"/openai/files/f%201/x{VERSION}&a=b", "POST /v1/files/f%201/x?a=b HTTP/1.1"),
    ],
)
def test_other_paths_are_openais_where_no_provider_has_the_name(node: Node, path: str, line: str) -> None:
    """Without the API's version, and by the body's model."""
    provider = a_provider("mine")
    node.services.configure(a_snapshot(providers=(provider,), models=(ModelAlias("smart", (Target("mine", "m"),)),)))
    node.client().says(a_request(path, b'{"model":"smart","input":"x"}'))
    assert asked(node)[0] == line


def test_models_are_listed_by_us(node: Node) -> None:
    """As on `/v1/models`, where no provider has the name."""
    node.services.configure(a_snapshot(providers=(a_provider("mine"),), models=()))
    node.client().says(a_request(f"/openai/models{VERSION}", b"", method="GET"))
    assert node.provider.hears().startswith(b"GET /v1/models HTTP/1.1\r\n")


def test_a_provider_that_may_have_such_paths_gets_them(node: Node) -> None:
    """It is one of Azure's dated API itself."""
    node.services.configure(a_snapshot(providers=(a_provider(allow=None, base_path="/openai"),), models=()))
    node.client().says(a_request(CHAT, b'{"messages":[]}'))
    assert asked(node)[0] == f"POST {CHAT} HTTP/1.1"
