"""Several providers behind one address: by `provider/model`, by what callers ask for, and by what keeps them together.

System E's steps without its gateway in between: the same names go to the providers themselves.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from http.client import HTTPMessage
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import openai
import pytest

from tests.e2e.mocks import Mock
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway

NARROW = "sk-narrow-0123456789abcdef0123456789abcdef"
NAMES = ("openai/gpt-4o-mini", "anthropic/claude-3-haiku")
HEDGE = 0.2
SLOW = 60.0
"""Seconds that the slow provider takes; nobody is to wait for it."""
USERS = 12
TOKENS = 16


class Site(NamedTuple):
    """The program, its address, and its providers."""

    gateway: Gateway
    url: str
    first: Mock
    second: Mock
    slow: Mock


def settings(first: Mock, second: Mock, slow: Mock) -> dict[str, Any]:
    """Two providers of other names, one of two deployments, and one that is slow."""
    urls = [f"http://127.0.0.1:{mock.port}" for mock in (first, second, slow)]
    plain = {"dialect": "openai", "api_key": "key", "proxy": "none"}
    deployments = [
        {"name": "europe", "base_url": f"{urls[0]}/v1", "region": "eu", "tags": ["gdpr", "fast"]},
        {"name": "america", "base_url": f"{urls[1]}/v1", "region": "us", "tags": ["fast"]},
    ]
    return {
        "server": {"port": 0, "drain_seconds": 1},
        "tokens": [{"name": "test", "token": TOKEN}, {"name": "narrow", "token": NARROW, "models": ["kept", NAMES[0]]}],
        "providers": {
            "openai": plain | {"base_url": f"{urls[0]}/v1", "models": ["gpt-4o-mini"]},
            "anthropic": plain | {"base_url": f"{urls[1]}/v1", "models": ["claude-3-haiku"]},
            "claude": plain | {"base_url": urls[1], "dialect": "anthropic", "models": ["claude-sonnet-4-5"]},
            "pooled": plain | {"deployments": deployments, "models": ["m"]},
            "slow": plain | {"base_url": f"{urls[2]}/v1"},
        },
        "models": [
            {"name": "kept", "targets": [{"model": "pooled/m"}], "sticky": "user"},
            {"name": "hedged", "targets": [{"model": "slow/m"}], "fallbacks": [NAMES[0]], "hedge_seconds": HEDGE},
        ],
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway of one worker, started once."""
    directory: Path = tmp_path_factory.mktemp("routing")
    with ExitStack() as stack:
        first, second = stack.enter_context(Mock()), stack.enter_context(Mock())
        slow = stack.enter_context(Mock(f"--delay={SLOW}"))
        path = directory / "gateway.yaml"
        path.write_text(json.dumps(settings(first, second, slow)))
        gateway = stack.enter_context(Gateway(directory, f"--config={path}", "--workers=1", variables={}))
        yield Site(gateway, f"http://127.0.0.1:{gateway.port}", first, second, slow)


@pytest.fixture
def client(site: Site) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK, which repeats nothing by itself."""
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=TOKEN, max_retries=0) as made:
        yield made


def said(site: Site, model: str, fields: Mapping[str, str] | None = None, *, stream: bool = False) -> "Said":
    """A chat completion, asked for with further header fields."""
    connection = site.gateway.connection()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **(fields or {})}
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return Said(response.status, response.headers, data)


class Said(NamedTuple):
    """An answer."""

    status: int
    fields: HTTPMessage
    body: bytes


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_names_of_two_providers(site: Site, *, stream: bool) -> None:
    """What stands before the slash chooses the provider, which gets what stands behind it; the caller is told both."""
    for name, mock, other in ((NAMES[0], site.first, site.second), (NAMES[1], site.second, site.first)):
        provider, _, model = name.partition("/")
        before = mock.asked(), other.asked()
        answer = said(site, name, stream=stream)
        assert answer.status == 200, answer
        assert (mock.asked(), other.asked()) == (before[0] + 1, before[1])
        assert f'"model":"{model}"'.encode() in answer.body.replace(b": ", b":")
        assert answer.body.endswith(b"data: [DONE]\n\n") is stream
        assert (answer.fields["x-gateway-provider"], answer.fields["x-gateway-model"]) == (provider, model)
        event = site.gateway.event(answer.fields["x-request-id"])
        assert (event["provider"], event["model"], event["requested_model"]) == (provider, model, name)
        assert event["metadata"]["completion_tokens"] == TOKENS


def test_names_through_the_sdk(client: openai.OpenAI) -> None:
    """OpenAI's SDK takes such names as any others, streaming and not."""
    for name in NAMES:
        answer = client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hello"}])
        assert answer.model == name.partition("/")[2]
        chunks = client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        assert {chunk.model for chunk in chunks} == {name.partition("/")[2]}


def test_a_provider_that_is_none(site: Site) -> None:
    """A name before the slash that is no provider's is part of a model's name: the API's default provider has it."""
    answer = said(site, "meta/llama/large")
    assert (answer.status, answer.fields["x-gateway-provider"]) == (200, "openai")
    assert answer.fields["x-gateway-model"] == "meta/llama/large"


def test_models_of_openai(site: Site, client: openai.OpenAI) -> None:
    """Its SDK lists aliases and what providers say they have, and finds one whose name has a slash."""
    names = {model.id for model in client.models.list()}
    assert {"kept", "hedged", *NAMES, "claude/claude-sonnet-4-5", "pooled/m"} <= names
    assert client.models.retrieve(NAMES[1]).id == NAMES[1]
    assert client.models.retrieve("kept").object == "model"
    with openai.OpenAI(base_url=f"{site.url}/v1", api_key=NARROW) as narrow:
        assert {model.id for model in narrow.models.list()} == {"kept", NAMES[0]}
        with pytest.raises(openai.NotFoundError):
            narrow.models.retrieve(NAMES[1])


def test_models_of_anthropic(site: Site) -> None:
    """So does Anthropic's, from the same answer."""
    with anthropic.Anthropic(base_url=site.url, api_key=TOKEN) as claude:
        names = {model.id for model in claude.models.list()}
        assert {"kept", "hedged", *NAMES, "claude/claude-sonnet-4-5"} <= names
        assert claude.models.retrieve("claude/claude-sonnet-4-5").type == "model"


def test_user_stays(client: openai.OpenAI) -> None:
    """Requests with the same `user` have the same deployment; different users have different ones."""
    homes: dict[str, set[str]] = {}
    for _ in range(4):
        for number in range(USERS):
            answer = client.chat.completions.with_raw_response.create(
                model="kept", messages=[{"role": "user", "content": "Hello"}], user=f"user-{number}"
            )
            homes.setdefault(f"user-{number}", set()).add(answer.headers["x-gateway-deployment"])
            assert answer.headers["x-gateway-alias"] == "kept"
    assert {len(home) for home in homes.values()} == {1}
    assert set.union(*homes.values()) == {"europe", "america"}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"x-gateway-region": "eu"}, {"europe"}),
        ({"x-gateway-region": "us"}, {"america"}),
        ({"x-gateway-tags": "fast,gdpr"}, {"europe"}),
        ({"x-gateway-tags": "fast"}, {"europe", "america"}),
    ],
)
def test_region_and_tags(site: Site, fields: dict[str, str], wanted: set[str]) -> None:
    """Who asks for a region, or for tags, is served there only."""
    answers = [said(site, "pooled/m", fields) for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.fields["x-gateway-deployment"] for answer in answers} == wanted


def test_region_that_nobody_is_in(site: Site) -> None:
    """It is 503, said by the gateway: nobody else is asked."""
    before = site.first.asked(), site.second.asked()
    for model in ("pooled/m", "kept", NAMES[0]):
        answer = said(site, model, {"x-gateway-region": "mars"})
        assert (answer.status, answer.fields["x-gateway-error-source"]) == (503, "gateway"), answer
    assert (site.first.asked(), site.second.asked()) == before


def test_hedge(site: Site) -> None:
    """After a moment without an answer the other one is asked as well; its answer counts, and is charged alone."""
    left = site.slow.stats()["cancelled"]
    began = time.monotonic()
    answer = said(site, "hedged")
    assert time.monotonic() - began < SLOW / 2
    assert (answer.status, answer.fields["x-gateway-provider"]) == (200, "openai")
    assert (answer.fields["x-gateway-alias"], answer.fields["x-gateway-attempts"]) == ("hedged", "2")
    event = site.gateway.event(answer.fields["x-request-id"])
    assert (event["provider"], event["attempts"], event["metadata"]["completion_tokens"]) == ("openai", 2, TOKENS)
    # The slow one is told that nobody waits for it any more.
    eventually(lambda: site.slow.stats()["cancelled"] == left + 1, SLOW / 2)
