"""Deployments inherit what they do not set, and become providers of the same name."""

from collections.abc import Callable

import pytest

from sluicegate.config.compile import Compiled
from sluicegate.config.deployments import deployments_of
from sluicegate.config.schema import ProviderSettings

LoadText = Callable[..., Compiled]

TEXT = """\
providers:
  a:
    dialect: openai
    base_url: https://a.example/v1
    api_key: key-0
    headers: {x-a: "1", x-b: "2"}
    region: eu
    tags: [cheap]
    models: [gpt]
    max_connections: 9
    deployments:
      - {name: same}
      - name: other
        base_url: https://b.example/v2
        api_key: key-1
        headers: {X-B: "3"}
        region: us
        tags: []
        weight: 4
        models: [gpt, llama]
        max_connections: 2
        proxy: none
"""


def test_deployments_inherit_what_they_do_not_set(load_text: LoadText) -> None:
    """Headers are laid over each other; all else is taken or replaced."""
    same, other = load_text(TEXT).snapshot.providers
    assert (same.id, other.id, same.name, other.name) == ("a/same", "a/other", "a", "a")
    assert (same.authority, other.authority) == ("a.example", "b.example")
    assert (same.base_path, other.base_path) == ("/v1", "/v2")
    assert (same.version_path, other.version_path) == ("/v1/version", "/v2/version")
    assert dict(same.headers) == {"authorization": "Bearer key-0", "x-a": "1", "x-b": "2"}
    assert dict(other.headers) == {"authorization": "Bearer key-1", "x-a": "1", "x-b": "3"}
    assert (same.region, same.tags, same.weight, same.models) == ("eu", ("cheap",), 1, ("gpt",))
    assert (other.region, other.tags, other.weight, other.models) == ("us", (), 4, ("gpt", "llama"))
    assert (same.max_connections, other.max_connections) == (9, 2)


def test_each_deployment_has_its_own_proxy(load_text: LoadText) -> None:
    """What the environment says of its host, unless it or its provider says otherwise."""
    environment = {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "b.example"}
    proxies = [provider.proxy for provider in load_text(TEXT, environment=environment).snapshot.providers]
    assert proxies == ["http://proxy:1", None]
    text = TEXT.replace("proxy: none", "").replace("region: eu", "proxy: http://own:2")
    proxies = [provider.proxy for provider in load_text(text, environment=environment).snapshot.providers]
    assert proxies == ["http://own:2", "http://own:2"]


def test_several_keys_are_deployments(load_text: LoadText) -> None:
    """They differ in nothing but their key and name."""
    text = "providers: {openai: {api_keys: [k-a, k-b]}}"
    first, second = load_text(text).snapshot.providers
    assert (first.id, first.headers) == ("openai/key-1", (("authorization", "Bearer k-a"),))
    assert (second.id, second.headers) == ("openai/key-2", (("authorization", "Bearer k-b"),))
    assert first.origin == second.origin


@pytest.mark.parametrize(
    ("credential", "header", "place"),
    [
        ("bearer", ("authorization", "Bearer k"), ("authorization", "Bearer ")),
        ("x-api-key", ("x-api-key", "k"), ("x-api-key", "")),
        ("X-Auth Token", ("x-auth", "Token k"), ("x-auth", "Token ")),
    ],
)
def test_the_key_goes_where_it_is_wanted(
    load_text: LoadText, credential: str, header: tuple[str, str], place: tuple[str, str]
) -> None:
    """The configured one now, and that of a project when it comes."""
    text = f"providers: {{a: {{dialect: anthropic, base_url: 'http://h', api_key: k, credential: {credential}}}}}"
    (provider,) = load_text(text).snapshot.providers
    assert (provider.headers, provider.credential) == ((header,), place)


def test_one_provider_is_one_deployment() -> None:
    """It has no name of its own then."""
    settings = ProviderSettings(dialect="openai", base_url="http://h")
    (deployment,) = deployments_of(settings)
    assert (deployment.name, deployment.weight, deployment.settings) == ("", 1, settings)
    assert deployment.id_of("a") == "a"
