"""Routes explained by way of the management API."""

from typing import Any

import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.wire.link import DeploymentHealth
from tests.control.api import Api
from tests.control.conftest import MINIMAL, WriteSources

MODELS = """
  second: {dialect: openai, base_url: "https://api.openai.com/v1", api_key: sk-provider-secret}
models:
  - name: smart
    targets: [{model: first/large, weight: 3}, {model: second/gpt-4.1}]
"""


@pytest.fixture
def configured(api: Api, write: WriteSources) -> Api:
    """The API on a configuration with a model of two targets."""
    head, tokens = MINIMAL.split("tokens:")
    write(head.rstrip("\n") + MODELS + "tokens:" + tokens)
    assert api.ask("POST", "/admin/config/reload").status == 200
    return api


def explained(api: Api, query: str, **options: Any) -> Any:
    """Ask with this query."""
    answer = api.ask("GET", f"/admin/route?{query}", **options)
    assert answer.status == 200, answer
    return answer.json


def test_a_route_is_explained_without_sending_anything(configured: Api) -> None:
    """Targets, shares, prices and health are told; no secret is."""
    configured.context.workers.joined(0, 10)
    configured.context.workers.told(10, [DeploymentHealth("second", "half_open", 5, 0.0, 0.0, 1, 4)])
    answer = configured.ask("GET", "/admin/route?model=smart")
    body = answer.json
    assert (body["allowed"], body["rule"], body["operation"], body["caller"]) == (True, "alias", "chat", None)
    [first, second] = body["groups"][0]["candidates"]
    assert (first["deployment"], first["share"], first["price"]) == ("first", 75.0, None)
    assert (second["deployment"], second["share"], second["state"]) == ("second", 25.0, "half_open")
    assert (second["price"]["input"], second["price"]["output"]) == (2.0, 8.0)
    assert b"secret" not in answer.body


def test_path_region_and_tags_are_taken(configured: Api) -> None:
    """They narrow the choice as they would in a request; several stand with commas between them."""
    assert explained(configured, "model=gpt-4.1&path=/second/chat/completions")["groups"][0]["rank"] == 0
    body = explained(configured, "model=smart&region=eu,us&tags=gdpr")
    assert not body["allowed"]
    assert "asks for eu or us" in body["groups"][0]["candidates"][0]["excluded"]
    assert "tag gdpr" in explained(configured, "model=smart&tags=gdpr")["groups"][0]["candidates"][0]["excluded"]


def test_a_token_is_named_by_its_id(configured: Api) -> None:
    """What binds it is taken into account: models, a model of its own or of its project, and its state."""
    project = configured.make("POST", "/admin/projects", {"name": "p", "model": "smart"})["project_id"]
    made = configured.make("POST", "/admin/tokens", {"project_id": project, "name": "nightly"})
    body = explained(configured, f"model=other&token_id={made['token_id']}")
    assert (body["answered_by"], body["overridden_by"], body["allowed"]) == ("smart", "project", True)
    assert body["caller"] == {"kind": "token", "id": made["token_id"], "name": "nightly"}
    own = configured.make("POST", "/admin/tokens", {"model": "second/x", "models": ["a"]})
    assert explained(configured, f"model=other&token_id={own['token_id']}")["overridden_by"] == "token"
    bound = configured.make("POST", "/admin/tokens", {"models": ["a"]})
    assert "may not use the model" in explained(configured, f"model=b&token_id={bound['token_id']}")["refusal"]
    configured.make("PATCH", f"/admin/projects/{project}", {"status": "suspended"})
    assert "is suspended" in explained(configured, f"model=other&token_id={made['token_id']}")["refusal"]


def test_a_token_of_a_file_is_known_too(configured: Api) -> None:
    """It is found by its id, whether it may be used or not."""
    [principal] = configured.context.configuration.current.tokens.values()
    assert explained(configured, f"model=smart&token_id={principal.token_id}")["caller"]["name"] == "lan"


def test_a_user_is_looked_at(configured: Api) -> None:
    """Who is suspended would be refused; nobody but a manager who sees it learns that there is such a user."""
    world = configured.world()
    assert explained(configured, "model=smart&user_id=usr_own")["allowed"]
    configured.make("PATCH", "/admin/users/usr_own", {"status": "suspended"})
    assert "the user may not be used" in explained(configured, "model=smart&user_id=usr_own")["refusal"]
    for path in ("user_id=usr_foreign", "token_id=tok_foreign", "token_id=tok_none"):
        assert configured.ask("GET", f"/admin/route?model=smart&{path}", key=world.keys["viewer"]).status == 404
    assert configured.ask("GET", "/admin/route?model=smart&user_id=usr_own&token_id=tok_own").status == 409


def test_a_secret_stands_in_a_body_alone(configured: Api) -> None:
    """A token is found by its secret, whoever declares it, unless it is of an organisation that is not seen."""
    world = configured.world()
    configured.key_file[digest(b"of-the-key-file")] = Principal(
        "tok_file", organization_id="org_own", expires_at=1_700_000_000.0
    )
    configured.key_file[digest(b"suspended-one")] = Principal("tok_off", organization_id="org_own", is_active=False)

    def asked(secret: str, key: str = "root") -> Any:
        body = {"token": secret, "model": "smart", "path": "/v1/embeddings", "regions": [], "tags": []}
        return configured.ask("POST", "/admin/route/explain", body=body, key=world.keys[key])

    assert asked(world.own["secret"]).json["caller"]["id"] == "tok_own"
    assert asked(world.own["secret"], "viewer").json["operation"] == "embeddings"
    assert "it has expired at 2023-11-14T22:13:20Z" in asked("of-the-key-file").json["refusal"]
    assert "it is suspended" in asked("suspended-one").json["refusal"]
    for secret in (world.foreign["secret"], "caller-secret", "sk-sg-unknown"):
        answer = asked(secret, "viewer")
        assert (answer.status, answer.json["detail"]) == (404, "There is no token with this secret.")
    assert asked("caller-secret").json["caller"]["name"] == "lan"
    refused = asked("größe")
    assert (refused.status, "größe" in refused.body.decode()) == (422, False)
