"""The official SDKs through a running gateway: what a user's program sees."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.e2e.program import TOKEN, Gateway


@pytest.fixture(scope="module")
def url(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway before one mock server in two dialects, started once; its address."""
    directory: Path = tmp_path_factory.mktemp("sdks")
    root = provider.removesuffix("/v1")
    (directory / "gateway.yaml").write_text(
        "server: {port: 0, drain_seconds: 1}\n"
        "providers:\n"
        f"  mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}\n"
        f"  other: {{dialect: anthropic, base_url: '{root}', api_key: key, proxy: none}}\n"
        f"tokens: [{{name: test, token: {TOKEN}}}]\n"
    )
    gateway = Gateway(
        directory, f"--config={directory / 'gateway.yaml'}", f"--data-dir={directory / 'data'}", variables={}
    ).until_ready()
    yield f"http://127.0.0.1:{gateway.port}"
    gateway.end()


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN) as made:
        yield made


@pytest.fixture
def claude(url: str) -> Iterator[anthropic.Anthropic]:
    """Anthropic's SDK."""
    with anthropic.Anthropic(base_url=url, api_key=TOKEN) as made:
        yield made


def test_openai_answers(client: openai.OpenAI) -> None:
    """Chat, responses and embeddings, with their usage."""
    chat = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])
    assert chat.usage is not None
    assert chat.usage.completion_tokens == 16
    response = client.responses.create(model="m", input="Hello")
    assert response.usage is not None
    assert response.output_text
    assert client.embeddings.create(model="e", input="Hello").data


def test_openai_streams(client: openai.OpenAI) -> None:
    """Chat without the usage nobody asked for, and responses to their last event."""
    chunks = list(
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}], stream=True)
    )
    assert len(chunks) > 16
    assert all(chunk.choices for chunk in chunks)
    events = list(client.responses.create(model="m", input="Hello", stream=True))
    assert events[-1].type == "response.completed"


def test_anthropic_answers_and_streams(claude: anthropic.Anthropic) -> None:
    """Messages, whole and as a stream."""
    message = claude.messages.create(model="c", max_tokens=20, messages=[{"role": "user", "content": "Hello"}])
    assert message.usage.output_tokens == 16
    with claude.messages.stream(model="c", max_tokens=20, messages=[{"role": "user", "content": "Hello"}]) as stream:
        assert "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason


def test_both_sdks_work_asynchronously(url: str) -> None:
    """The asynchronous clients, streaming."""

    async def talk() -> tuple[int, int]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN) as client:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
            )
            chunks = [chunk async for chunk in stream]
        async with anthropic.AsyncAnthropic(base_url=url, api_key=TOKEN) as claude:
            message = await claude.messages.create(
                model="c", max_tokens=20, messages=[{"role": "user", "content": "Hello"}]
            )
        return len(chunks), message.usage.output_tokens

    chunks, tokens = asyncio.run(talk())
    assert chunks > 16
    assert tokens == 16


def test_a_large_upload_arrives_whole(client: openai.OpenAI) -> None:
    """5 MB of multipart body."""
    uploaded = client.files.create(file=("a.bin", b"x" * 5_000_000), purpose="assistants")
    assert uploaded.bytes > 5_000_000


def test_a_wrong_key_is_an_authentication_error(url: str) -> None:
    """Both SDKs raise their own, at once."""
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="wrong-wrong-wrong") as client,
        pytest.raises(openai.AuthenticationError, match="not known"),
    ):
        client.models.list()
    with (
        anthropic.Anthropic(base_url=url, api_key="wrong-wrong-wrong") as claude,
        pytest.raises(anthropic.AuthenticationError, match="not known"),
    ):
        claude.messages.create(model="c", max_tokens=1, messages=[{"role": "user", "content": "Hello"}])


def test_a_providers_failure_reaches_the_program(client: openai.OpenAI) -> None:
    """A status as the SDK's error; a stream that breaks raises instead of ending quietly."""
    patient = client.with_options(max_retries=0)
    with pytest.raises(openai.InternalServerError):
        patient.chat.completions.create(model="m", messages=[], extra_headers={"x-mock-fault": "status=503"})
    with pytest.raises(openai.APIError, match="before its answer was complete"):
        list(
            patient.chat.completions.create(
                model="m", messages=[], stream=True, extra_headers={"x-mock-fault": "truncate-after=3"}
            )
        )
