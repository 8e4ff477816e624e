"""A real model behind the gateway: what it says it has read and written is what our books say, to the token."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.crowd import Question, statuses
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.real_model import NAME, RealModel
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management

SHORT = 8
"""Tokens of a usual answer: all of them, as the model has more to say."""
CUT_AT, LONG = 40, 400
"""Tokens after which a client leaves, and those it had asked for."""
ALIKE = 0.9
"""Nobody has counted for us what a stream had when it was cut, and our tokenizers are not this model's."""
FITS, ASKED = 5, 12
TALE = [
    # The model's template adds instructions of its own where a client gives none, and of those no gateway can know.
    {"role": "system", "content": "You tell tales."},
    {"role": "user", "content": "Tell me a long story about the sea and the people who live beside it."},
]
Lines = list[dict[str, Any]]
BODY: dict[str, Any] = {"model": NAME, "messages": TALE, "max_tokens": SHORT, "temperature": 0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealModel]:
    """Load the model once."""
    with RealModel(tmp_path_factory.mktemp("model") / "log") as model:
        yield model


@pytest.fixture(scope="module")
def gateway(model: RealModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that knows the server as two providers, one for each API it speaks."""
    directory = tmp_path_factory.mktemp("real")
    file = directory / "gateway.yaml"
    file.write_text(
        "server: {port: 0, drain_seconds: 1}\n"
        "providers:\n"
        f"  llama: {{dialect: openai, base_url: '{model.url}/v1', api_key: key, proxy: none}}\n"
        f"  claude: {{dialect: anthropic, base_url: '{model.url}', api_key: key, proxy: none}}\n"
        f"management_token: {MANAGEMENT_TOKEN}\n"
        # The model may take its time.
        "limits: {wait: 60}\n"
        f"tokens: [{{name: test, token: {TOKEN}}}]\n"
    )
    with Gateway(directory, f"--config={file}", "--workers=2", variables={}) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK."""
    with openai.OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key=TOKEN, max_retries=0) as made:
        yield made


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    """Anthropic's SDK."""
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{gateway.port}", api_key=TOKEN, max_retries=0) as made:
        yield made


def _fresh(gateway: Gateway, before: Lines, kind: str) -> Lines:
    """Lines of this kind that were not there before; which worker wrote them is chance."""
    return [line for line in gateway.lines() if line["kind"] == kind and line not in before]


def _booked(gateway: Gateway, before: Lines) -> tuple[int, int]:
    """Input and output of the only exchange since `before`, as its final event has them."""
    [event] = eventually(lambda: _fresh(gateway, before, "exchange"))
    assert event["usage_source"] == "reported", event
    return event["usage"]["input_tokens"], event["usage"]["output_tokens"]


def test_a_chat_is_booked_as_the_model_counted_it(gateway: Gateway, client: openai.OpenAI, model: RealModel) -> None:
    """The event, the answer's own report, and the server's own counters agree."""
    before, tokens = gateway.lines(), model.tokens()
    usage = client.chat.completions.create(**BODY).usage
    assert usage is not None
    assert usage.completion_tokens == SHORT
    assert _booked(gateway, before) == (usage.prompt_tokens, SHORT)
    assert model.tokens() - tokens == usage.total_tokens


def test_a_stream_is_booked_though_its_client_asked_for_no_report(
    gateway: Gateway, client: openai.OpenAI, model: RealModel
) -> None:
    """The server reports usage only when asked to: the gateway asks, keeps the report from the client, and books it."""
    before, tokens = gateway.lines(), model.tokens()
    chunks = list(client.chat.completions.create(**BODY, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert sum(1 for chunk in chunks if chunk.choices[0].delta.content) == SHORT
    whole = model.ask("/v1/chat/completions", BODY)["usage"]
    assert _booked(gateway, before) == (whole["prompt_tokens"], SHORT)
    assert model.tokens() - tokens == 2 * whole["total_tokens"]


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_a_message_is_booked_with_what_came_from_the_cache(
    gateway: Gateway, claude: anthropic.Anthropic, model: RealModel, is_streamed: bool
) -> None:
    """Anthropic's API tells input from the cache apart from the rest; together they are what was read."""
    before, tokens = gateway.lines(), model.tokens()
    if is_streamed:
        with claude.messages.stream(model=NAME, max_tokens=SHORT, messages=[{"role": "user", "content": "Hello"}]) as s:
            usage = s.get_final_message().usage
    else:
        asked = claude.messages.create(model=NAME, max_tokens=SHORT, messages=[{"role": "user", "content": "Hello"}])
        usage = asked.usage
    read = usage.input_tokens + (usage.cache_read_input_tokens or 0)
    assert _booked(gateway, before) == (read, usage.output_tokens)
    assert model.tokens() - tokens == read + usage.output_tokens


def _limited(gateway: Gateway, maximum: int) -> str:
    """A token that may use so many tokens in all its life."""
    management = Management(gateway)
    project = management.made("/manage/projects", {"name": "sea"})
    made = management.made("/manage/tokens", {"project_id": project["project_id"], "duration_minutes": 60})
    limit = {"scope": "token", "scope_id": made["token_id"], "metric": "tokens", "window": "lifetime"}
    management.made("/manage/limits", {**limit, "maximum": maximum})
    return str(made["token"])


def _used(gateway: Gateway, token: str) -> int:
    status, answer = Management(gateway, token).ask("GET", "/v1/key/usage")
    assert status == 200, answer
    return int(answer["data"][0]["used"])


def _reserved(gateway: Gateway, before: Lines) -> int:
    """What was set aside for the only limited exchange since `before`: its first pending line has it."""
    pending = eventually(lambda: _fresh(gateway, before, "pending"))[0]
    [[_, amount, _]] = pending["exchange"]["charges"]
    return int(amount)


def _ask(gateway: Gateway, token: str) -> int:
    return statuses([gateway.port], Question(BODY), token, 1).popitem()[0]


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_exactly_what_fits_is_used(gateway: Gateway, model: RealModel, is_streamed: bool) -> None:
    """Of twelve at once five are let pass, and the account has, to the token, what the server itself has counted."""
    each = model.ask("/v1/chat/completions", BODY)["usage"]["total_tokens"]
    # The last one needs room for its worst case: all that is possible, without room for another.
    token = _limited(gateway, (FITS + 1) * each - 1)
    tokens = model.tokens()

    question = Question({**BODY, "stream": True} if is_streamed else BODY)
    answered = statuses([gateway.port], question, token, ASKED)

    assert answered == Counter({200: FITS, 429: ASKED - FITS})
    assert model.tokens() - tokens == FITS * each
    eventually(lambda: _used(gateway, token) == FITS * each)
    assert _ask(gateway, token) == 429
    assert model.tokens() - tokens == FITS * each


def test_a_stream_that_its_client_cuts_is_paid_for(gateway: Gateway, model: RealModel) -> None:
    """For what was written until then, at most for what was set aside; and the model stops."""
    before, token = gateway.lines(), _limited(gateway, 10_000)
    connection = gateway.connection(20)
    fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({**BODY, "max_tokens": LONG, "stream": True})
    connection.request("POST", "/v1/chat/completions", body, fields)
    response = connection.getresponse()
    written = 0
    while written < CUT_AT:
        line = response.readline()
        written += line.startswith(b"data: ") and bool(json.loads(line[6:])["choices"][0]["delta"].get("content"))
    response.close()
    connection.close()

    eventually(lambda: not model.is_busy())
    [event] = eventually(lambda: _fresh(gateway, before, "exchange"))
    assert (event["is_cut"], event["client_disconnected"], event["usage_source"]) == (True, True, "counted")
    usage = event["usage"]
    assert ALIKE * written <= usage["output_tokens"] < LONG
    eventually(lambda: _used(gateway, token) == usage["input_tokens"] + usage["output_tokens"])
    assert _used(gateway, token) <= _reserved(gateway, before)
