"""How often the official SDKs ask, and when they give up: counted at the provider and in the journal."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from socket import socket
from types import ModuleType
from typing import Any, NamedTuple

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.polling import PATIENCE, eventually
from tests.e2e.program import QUESTION, TOKEN, Gateway, run
from tests.e2e.scripted import ScriptedProvider, chunked, field, sized, until_left

NARROW_TOKEN = "sk-narrow-0123456789abcdef0123456789abcdef"
"""May use one model only, which no test asks for."""
BODY = json.dumps({"type": "error", "error": {"type": "scripted", "message": "as the script says", "code": None}})
CHAT = b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":2}}'
MESSAGE = (
    b'{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn",'
    b'"usage":{"input_tokens":2,"output_tokens":1}}'
)
FIRST_EVENT = {
    b"/v1/chat/completions": b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    b"/v1/messages": b'event: ping\ndata: {"type":"ping"}\n\n',
}
WHOLE = {b"/v1/chat/completions": CHAT, b"/v1/messages": MESSAGE}


def failure(status: str, *fields: str) -> bytes:
    """A provider's error with these header fields."""
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(BODY)}", *fields)
    return "\r\n".join((*lines, "", BODY)).encode()


SOON = "retry-after-ms: 1"
FAILURES = {
    "429": failure("429 Too Many Requests", SOON),
    "503": failure("503 Service Unavailable", SOON),
    "529": failure("529 Overloaded", SOON),
    "400 to be repeated": failure("400 Bad Request", SOON, "x-should-retry: true"),
    "429 for good": failure("429 Too Many Requests", SOON, "x-should-retry: false"),
    "503 for good": failure("503 Service Unavailable", SOON, "x-should-retry: false"),
    "400": failure("400 Bad Request", SOON),
    "401": failure("401 Unauthorized", SOON),
    "403": failure("403 Forbidden", SOON),
    "404": failure("404 Not Found", SOON),
}


class Call(NamedTuple):
    """What an SDK is asked to do; `script` goes to the provider in a header, `silence` is the SDK's own timeout."""

    url: str
    script: str = "answer"
    retries: int = 2
    key: str = TOKEN
    model: str | int = "m"
    silence: float = PATIENCE
    is_stream: bool = False

    def options(self) -> dict[str, Any]:
        """The settings of every client. Connecting has longer than waiting: only the provider's silence may end it."""
        timeout = openai.Timeout(PATIENCE, read=self.silence)
        return {"api_key": self.key, "max_retries": self.retries, "timeout": timeout}

    def question(self) -> dict[str, Any]:
        """The parameters of every request; the model goes past the SDK's types, as some tests need a wrong one."""
        return {
            "model": "",
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": self.is_stream,
            "extra_headers": {"x-script": self.script},
            "extra_body": {"model": self.model},
        }


def ask_openai(call: Call) -> None:
    """A chat completion, read to its end."""
    with openai.OpenAI(base_url=f"{call.url}/v1", **call.options()) as client:
        answer = client.chat.completions.create(**call.question())
        if call.is_stream:
            list(answer)


def ask_openai_asynchronously(call: Call) -> None:
    """The same from an event loop."""

    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=f"{call.url}/v1", **call.options()) as client:
            answer = await client.chat.completions.create(**call.question())
            if call.is_stream:
                [chunk async for chunk in answer]

    asyncio.run(ask())


def ask_anthropic(call: Call) -> None:
    """A message, read to its end."""
    with anthropic.Anthropic(base_url=call.url, **call.options()) as client:
        answer = client.messages.create(max_tokens=5, **call.question())
        if call.is_stream:
            list(answer)


def ask_anthropic_asynchronously(call: Call) -> None:
    """The same from an event loop."""

    async def ask() -> None:
        async with anthropic.AsyncAnthropic(base_url=call.url, **call.options()) as client:
            answer = await client.messages.create(max_tokens=5, **call.question())
            if call.is_stream:
                [event async for event in answer]

    asyncio.run(ask())


class Sdk(NamedTuple):
    """A way to ask, and the module that holds its errors. `prefix` begins the names of providers of its dialect.

    `stalled` is raised where a stream falls silent: Anthropic's SDK lets the error of its HTTP library through.
    """

    errors: ModuleType
    ask: Callable[[Call], None]
    prefix: str
    stalled: type[Exception]


SDKS = {
    "openai": Sdk(openai, ask_openai, "openai", openai.APITimeoutError),
    "openai async": Sdk(openai, ask_openai_asynchronously, "openai", openai.APITimeoutError),
    "anthropic": Sdk(anthropic, ask_anthropic, "anthropic", httpx2.ReadTimeout),
    "anthropic async": Sdk(anthropic, ask_anthropic_asynchronously, "anthropic", httpx2.ReadTimeout),
}


class Site(NamedTuple):
    """A gateway before a scripted provider. `left` gets the script of each request that the gateway gave up.

    What stands behind a semicolon in a script tells a request from those before, which may still be on their way.
    """

    gateway: Gateway
    provider: ScriptedProvider
    left: list[str]

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.gateway.port}"

    def counting(self) -> Callable[[], tuple[int, int]]:
        """How many requests have come to the provider, and how many events to the journal, from here on."""
        requests, events = len(self.provider.requests), len(self.gateway.events())
        return lambda: (len(self.provider.requests) - requests, len(self.gateway.events()) - events)

    def _last(self, counted: Callable[[], tuple[int, int]]) -> dict[str, Any]:
        """Wait for an event that is counted; the last one of the journal."""
        eventually(lambda: counted()[1])
        return self.gateway.events()[-1]

    def arrived(self, script: str) -> int:
        """How many requests with this script have come to the provider."""
        return sum(script.encode() in request for request in self.provider.requests)

    def until_left(self, script: str) -> None:
        """Wait until the gateway has given up the request with this script."""
        eventually(lambda: script in self.left)

    def given_up(self, sdk: "Sdk", call: Call, error: type[Exception], *, status: int) -> dict[str, Any]:
        """Ask something that its provider leaves open until the SDK gives up; the one event of it.

        `status` is what the event says when the provider had got that far. Where it had not, as a machine with much to
        do may take longer than the SDK waits, the SDK is told to wait longer.
        """
        for silence in (0.2, 2.0, 20.0):
            counted, own = self.counting(), marked(call.script)
            with pytest.raises((error, sdk.errors.APITimeoutError)) as raised:
                sdk.ask(call._replace(silence=silence, script=own))
            event = self._last(counted)
            if self.arrived(own) and event["status_code"] == status:
                assert isinstance(raised.value, error)
                assert (self.arrived(own), counted()[1]) == (1, 1)
                self.until_left(own)
                return event
        raise AssertionError(f"nothing came to the provider within {silence:g} s")


_marks = count()


def marked(script: str) -> str:
    """The same script for one request, which is told from all others by it."""
    return f"{script}; {next(_marks)}."


def script(left: list[str]) -> Callable[[socket, bytes], None]:
    """A provider that does what the header `x-script` asks for."""

    def answer(connection: socket, request: bytes) -> None:
        told = field(request, b"x-script").decode()
        wanted = told.partition(";")[0]
        path = request.split(b" ", 2)[1]
        if wanted in FAILURES:
            connection.sendall(FAILURES[wanted])
        elif wanted == "fail once" and field(request, b"x-stainless-retry-count") == b"0":
            connection.sendall(FAILURES["503"])
        elif wanted.startswith("stall"):
            if wanted == "stall in a stream":
                connection.sendall(chunked(FIRST_EVENT[path], is_ended=False))
            until_left(connection)
            left.append(told)
        else:
            connection.sendall(sized(WHOLE[path]))

    return answer


def configured(port: int) -> str:
    """Each dialect's provider three times: as it is, with little patience, and with a single connection."""
    kinds = {"": "", "-hasty": ", timeouts: {first_byte: 0.1}", "-narrow": ", max_connections: 1, max_wait: 0.05"}
    paths = {"openai": "/v1", "anthropic": ""}
    rows = [
        f"  {dialect}{kind}: {{dialect: {dialect}, base_url: 'http://127.0.0.1:{port}{path}', api_key: key, "
        f"proxy: none{more}}}\n"
        for dialect, path in paths.items()
        for kind, more in kinds.items()
    ]
    tokens = f"[{{name: test, token: {TOKEN}}}, {{name: narrow, token: {NARROW_TOKEN}, models: [other]}}]"
    # What the SDKs do by themselves: the gateway's own second attempts would hide it.
    alone = "resilience: {retries: {attempts: 1}}\n"
    return "server: {port: 0, drain_seconds: 1}\n" + alone + "providers:\n" + "".join(rows) + f"tokens: {tokens}\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start both once for all tests; the gateway ends first, so that the provider's threads are let go."""
    directory: Path = tmp_path_factory.mktemp("retries")
    left: list[str] = []
    with ScriptedProvider(script(left)) as provider:
        (directory / "gateway.yaml").write_text(configured(provider.port))
        with Gateway(directory, f"--config={directory / 'gateway.yaml'}", variables={}) as gateway:
            yield Site(gateway, provider, left)


@pytest.fixture(params=SDKS)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    """Each SDK in turn."""
    return SDKS[request.param]


REPEATED: Mapping[str, str] = {
    "429": "RateLimitError",
    "503": "InternalServerError",
    "529": "InternalServerError",
    "400 to be repeated": "BadRequestError",
}


@pytest.mark.parametrize("wanted", REPEATED)
def test_what_a_repetition_may_cure_is_repeated(site: Site, sdk: Sdk, wanted: str) -> None:
    """As often as the SDK is set to and as soon as the provider says; the gateway adds no try of its own."""
    counted = site.counting()
    with pytest.raises(getattr(sdk.errors, REPEATED[wanted]), match="as the script says") as raised:
        sdk.ask(Call(site.url, wanted, retries=2))
    assert counted() == (3, 3)
    assert raised.value.response.headers["retry-after-ms"] == "1"
    event = site.gateway.event(raised.value.response.headers["x-request-id"])
    assert (event["attempts"], event["error_source"], event["upstream_status"]) == (1, "upstream", int(wanted[:3]))


FINAL: Mapping[str, str] = {
    "429 for good": "RateLimitError",
    "503 for good": "InternalServerError",
    "400": "BadRequestError",
    "401": "AuthenticationError",
    "403": "PermissionDeniedError",
    "404": "NotFoundError",
}


@pytest.mark.parametrize("wanted", FINAL)
def test_what_no_repetition_cures_is_asked_once(site: Site, sdk: Sdk, wanted: str) -> None:
    """The provider's status and its `x-should-retry` reach the SDK as they are."""
    counted = site.counting()
    with pytest.raises(getattr(sdk.errors, FINAL[wanted]), match="as the script says") as raised:
        sdk.ask(Call(site.url, wanted, retries=2))
    assert counted() == (1, 1)
    assert raised.value.response.headers["x-gateway-error-source"] == "upstream"


REFUSED: Mapping[str, tuple[str, Call]] = {
    "400": ("BadRequestError", Call("", model=5)),
    "401": ("AuthenticationError", Call("", key="sk-nobody-has-this-one")),
    "403": ("PermissionDeniedError", Call("", key=NARROW_TOKEN)),
    "404": ("NotFoundError", Call("/v1/nowhere")),
}


@pytest.mark.parametrize("status", REFUSED)
def test_the_gateways_own_refusal_is_final(site: Site, sdk: Sdk, status: str) -> None:
    """One request, one event, and nothing for the provider."""
    name, call = REFUSED[status]
    counted = site.counting()
    with pytest.raises(getattr(sdk.errors, name)) as raised:
        sdk.ask(call._replace(url=site.url + call.url))
    assert counted() == (0, 1)
    headers = raised.value.response.headers
    assert (headers["x-should-retry"], headers["x-gateway-error-source"]) == ("false", "gateway")
    assert site.gateway.event(raised.value.request_id)["status_code"] == int(status)


def test_a_repetition_that_succeeds_is_all_the_program_sees(site: Site, sdk: Sdk) -> None:
    """The failed try is an event of its own."""
    counted = site.counting()
    sdk.ask(Call(site.url, "fail once", retries=1))
    assert counted() == (2, 2)
    assert [event["status_code"] for event in site.gateway.events()[-2:]] == [503, 200]


def test_a_busy_gateway_is_asked_again(site: Site) -> None:
    """503 of our own with a time to wait: no connection to either provider is free, at both tries of each SDK."""

    def refused(name: str) -> Any:
        sdk = SDKS[name]
        with pytest.raises(sdk.errors.InternalServerError, match="busy") as raised:
            sdk.ask(Call(site.url, model=f"{sdk.prefix}-narrow/m", retries=1))
        return raised.value

    names = ("openai", "anthropic")
    with closing(site.gateway.connection()) as first, closing(site.gateway.connection()) as second:
        occupied = {
            occupy(first, "/v1/chat/completions", "openai-narrow/m"),
            occupy(second, "/v1/messages", "anthropic-narrow/m"),
        }
        counted = site.counting()
        # At the same time, as each SDK waits for as long as it is told.
        with ThreadPoolExecutor() as threads:
            errors = list(threads.map(refused, names))
        assert counted() == (0, 4)
    assert [(error.status_code, error.response.headers["retry-after"]) for error in errors] == [(503, "1")] * 2
    assert [site.gateway.event(error.request_id)["error"] for error in errors] == ["upstream_busy"] * 2
    assert eventually(lambda: occupied <= set(site.left))
    assert eventually(lambda: counted()[1] == 6)


def occupy(connection: HTTPConnection, path: str, model: str) -> str:
    """Take a provider's only connection, until this connection is closed: a stream of the script that is returned."""
    own = marked("stall in a stream")
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "x-script": own}
    connection.request("POST", path, json.dumps({**QUESTION, "model": model, "stream": True}), headers)
    assert connection.getresponse().status == 200
    return own


@pytest.mark.parametrize("is_stream", [False, True])
def test_the_sdks_own_timeout_cancels_the_request(site: Site, sdk: Sdk, is_stream: bool) -> None:
    """The SDK's timeout error; the provider is let go, and the event says that the client left."""
    call = Call(site.url, "stall", retries=0, is_stream=is_stream)
    event = site.given_up(sdk, call, sdk.errors.APITimeoutError, status=499)
    assert event["client_disconnected"] is True


def test_a_timeout_within_a_stream_cancels_the_request(site: Site, sdk: Sdk) -> None:
    """The answer had begun, so its status stands."""
    call = Call(site.url, "stall in a stream", retries=0, is_stream=True)
    event = site.given_up(sdk, call, sdk.stalled, status=200)
    assert (event["client_disconnected"], event["is_cut"]) == (True, True)


def test_the_gateways_timeout_is_a_server_error(site: Site, sdk: Sdk) -> None:
    """504 where the provider does not begin within `first_byte`; the provider is let go."""
    own = marked("stall")
    with pytest.raises(sdk.errors.APIStatusError, match="did not begin its answer") as raised:
        sdk.ask(Call(site.url, own, retries=0, model=f"{sdk.prefix}-hasty/m"))
    assert isinstance(raised.value, sdk.errors.InternalServerError)
    assert raised.value.status_code == 504
    site.until_left(own)
    assert site.arrived(own) == 1
    event = site.gateway.event(raised.value.request_id)
    assert (event["error"], event["error_source"]) == ("upstream_timeout", "upstream")


def test_the_command_line_prints_every_try(site: Site) -> None:
    """`sluicegate events cat` shows what an SDK hides from its program."""
    with pytest.raises(openai.RateLimitError):
        ask_openai(Call(site.url, "429", retries=1, model="told-apart"))
    printed = run("events", "cat", f"--data-dir={site.gateway.data}")
    events = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [event["status_code"] for event in events if event.get("requested_model") == "told-apart"] == [429, 429]
