"""What every sink is held to: a server that answers by a script, and each type of sink, set up to talk to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import Sink, Surroundings
from sluicegate.events.sinks.table import sink_of

NOW = 1_795_250_000.0
SECRET = "s3cr3t-Value-1234567890"

HANG = b"hang"
RESET = b"reset"
"""In place of an answer."""


def exchange(number: int = 1, **more: Any) -> dict[str, Any]:
    """An exchange as sinks get it."""
    return {
        "kind": "exchange",
        "request_id": f"req_{number:028d}",
        "timestamp": "2026-11-21T10:00:00.123Z",
        "token": "tok_1",
        "project_id": "prj_1",
        "organization_id": "org_1",
        "endpoint": "/v1/chat/completions",
        "method": "POST",
        "status_code": 200,
        "duration_ms": 812.4,
        "first_byte_ms": 210.2,
        "metadata": {"model": "gpt-4.1", "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        "operation": "chat",
        "dialect": "openai",
        "provider": "openai",
        "requested_model": "smart",
        "model": "gpt-4.1",
        "usage": {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 40},
        "response_id": "chatcmpl-1",
        "finish_reason": "stop",
        "cost": 1_500_000,
        "tags": ["night"],
        **more,
    }


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An answer on the wire."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Scripted:
    """A server: what it was sent, and where it is."""

    url: str
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The target of each request."""
        return [heads[""] for heads, _ in self.requests]

    def documents(self) -> list[Any]:
        """The bodies as JSON."""
        return [msgspec.json.decode(body) for _, body in self.requests]


@asynccontextmanager
async def scripted(
    *answers: bytes, then: Callable[[bytes], bytes] = lambda body: answer(200)
) -> AsyncIterator[Scripted]:
    """Answer each request with the next of these, and when they are used up, with what `then` makes of its body."""
    todo, over = list(answers), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads, body = await _request(reader)
        server.requests.append((heads, body))
        said = todo.pop(0) if todo else then(body)
        if said == HANG:
            await over.wait()
        elif said == RESET:
            writer.transport.abort()
        else:
            writer.write(said)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = Scripted(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    try:
        yield server
    finally:
        over.set()
        listener.close()
        await listener.wait_closed()


async def _request(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    heads = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    heads[""] = head[0].split(" ")[1]
    return heads, await reader.readexactly(int(heads.get("content-length", "0")))


def _aws(body: bytes) -> bytes:
    entries = msgspec.json.decode(body).get("Entries", ())
    return answer(200, msgspec.json.encode({"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in entries]}))


@dataclass(frozen=True)
class Subject:
    """A type of sink: its settings beside the address, and the answer that says yes to a body."""

    settings: Mapping[str, Any]
    accepts: Callable[[bytes], bytes] = lambda body: answer(200, b"{}")
    needs_answer: bool = False
    """Whether a yes without a document that is understood is none."""


_AWS_KEY = {"region": "eu-west-1", "access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET}

SUBJECTS: Mapping[str, Subject] = {
    "webhook": Subject({"secret": SECRET, "headers": {"x-token": SECRET}}),
    "otlp": Subject({"headers": {"x-token": SECRET}}),
    "langfuse": Subject({"public_key": "pk-lf-1", "secret_key": SECRET}),
    "helicone": Subject({"api_key": SECRET}),
    "lunary": Subject({"api_key": SECRET}, lambda body: answer(200, b'{"results": []}'), needs_answer=True),
    "eventbridge": Subject(_AWS_KEY, _aws, needs_answer=True),
    "cloudwatch": Subject({**_AWS_KEY, "log_group": "gateway"}, needs_answer=True),
}
"""Every type that speaks HTTP."""


def settings_of(kind: str, url: str, **more: Any) -> SinkSettings:
    """Settings of a type, as a file would have them."""
    return SinkSettings.model_validate({"type": kind, "url": url, "timeout": 60, **SUBJECTS[kind].settings, **more})


@asynccontextmanager
async def connected(kind: str, url: str, **more: Any) -> AsyncIterator[Sink]:
    """A sink of a type that talks to this address."""
    sink = sink_of(settings_of(kind, url, **more), Surroundings(lambda: NOW, {"openai": "api.openai.com"}))
    try:
        yield sink
    finally:
        await sink.close()


class Naps:
    """Pauses that take no time."""

    def __init__(self) -> None:
        """None yet."""
        self.taken: list[float] = []
        self.then: dict[int, Callable[[], object]] = {}
        """What happens in the pause of a number; the first is 1."""

    async def __call__(self, seconds: float) -> None:
        """Note it, and let others run."""
        self.taken.append(seconds)
        if len(self.taken) in self.then:
            self.then[len(self.taken)]()
        await asyncio.sleep(0)
