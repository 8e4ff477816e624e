"""The LAN proxy of `examples/lan-passthrough` with providers of its own, started in the ways that its recipe tells."""

import re
import shlex
import socket
import sysconfig
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.e2e.documents import commands
from tests.e2e.program import SLUICEGATE, Gateway, environment
from tests.e2e.scripted import ScriptedProvider, sized
from tests.rules.project import ROOT

RECIPE = ROOT / "examples" / "lan-passthrough"
EXPLAINED = (RECIPE / "README.md").read_text("utf-8")
TOKEN = "lan-token-0123456789abcdef"
OPENAI_KEY, ANTHROPIC_KEY = "sk-openai-0123456789", "sk-ant-0123456789"
EVERY_BYTE = bytes(range(256)) * 40
SECONDS = 60
EVENTS = (b'data: {"choices":[{"index":0,"delta":{"content":"first"}}]}\n\n', b"data: [DONE]\n\n")


class Provider(ScriptedProvider):
    """Answers with every byte there is, with streams that wait until they may go on, and with a model list."""

    def __init__(self) -> None:
        """Start to listen. A stream goes on after its first event once `may_go_on` is set."""
        self.may_go_on = threading.Event()
        super().__init__(self._answer)

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        method, target, _ = request.split(b" ", 2)
        if method == b"HEAD":
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Of-Provider: kept\r\nContent-Length: 5\r\n\r\n")
        elif b'"stream"' in request:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.sendall(head + b"%x\r\n%b\r\n" % (len(EVENTS[0]), EVENTS[0]))
            assert self.may_go_on.wait(SECONDS)
            connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(EVENTS[1]), EVENTS[1]))
        elif target.endswith(b"/models"):
            connection.sendall(sized(b'{"object":"list","data":[]}'))
        elif target.endswith(b"/refused"):
            answer = sized(b'{"error": "of the provider"}', status="429 Too Many Requests")
            connection.sendall(answer.replace(b"\r\n\r\n", b"\r\nRetry-After: 17\r\n\r\n", 1))
        else:
            answer = sized(EVERY_BYTE, status="203 Non-Authoritative Information", kind="application/octet-stream")
            connection.sendall(answer.replace(b"\r\n\r\n", b"\r\nX-Of-Provider: kept\r\n\r\n", 1))


@dataclass(frozen=True)
class Lan:
    """A running LAN proxy and both of its providers."""

    gateway: Gateway
    openai: Provider
    anthropic: Provider

    def say(self, target: str, *fields: str, method: str = "GET", body: bytes = b"") -> "Answer":
        """Send a request, with the token unless `fields` hold another credential, and read the whole answer."""
        if not any(one.lower().startswith(("authorization", "x-api-key", "no-token")) for one in fields):
            fields = (*fields, f"Authorization: Bearer {TOKEN}")
        head = [f"{method} {target} HTTP/1.1", "Host: gateway.lan", "Connection: close", *fields]
        if body:
            head.append(f"Content-Length: {len(body)}")
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=SECONDS) as client:
            client.sendall("\r\n".join([*head, "", ""]).encode() + body)
            with client.makefile("rb") as file:
                return Answer.of(file.read())


@dataclass(frozen=True)
class Answer:
    """An answer; the names of its fields in lower case."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, data: bytes) -> "Answer":
        """Read one."""
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = [line.partition(": ") for line in lines]
        return cls(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body)


def variables(openai_port: int, anthropic_port: int) -> dict[str, str]:
    """The five required variables, and any free port."""
    return {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{openai_port}/v1",
        "OPENAI_API_KEY": OPENAI_KEY,
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{anthropic_port}",
        "ANTHROPIC_API_KEY": ANTHROPIC_KEY,
        "PROXY_TOKEN": TOKEN,
        "PORT": "0",
    }


def from_command(directory: Path, given: Mapping[str, str]) -> Gateway:
    """As the recipe says it is started without Docker: its command, found by a shell's PATH, and the variables."""
    [command] = [one for one in commands(EXPLAINED) if one.startswith("sluicegate ")]
    path = f"{sysconfig.get_path('scripts')}:{environment()['PATH']}"
    return Gateway(directory, command=shlex.split(command), variables={**given, "PATH": path})


def from_image(directory: Path, given: Mapping[str, str]) -> Gateway:
    """What Docker would start: the image's variables and command, the filled-in example of `.env`, the compose file's.

    Only what a container has of its own is exchanged: its port and its data directory.
    """
    image = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    of_image = dict(re.findall(r"(SLUICEGATE_\w+|PYTHON\w+)=(\S+)", re.findall(r"^ENV (.*)$", image, re.MULTILINE)[-1]))
    words = [re.findall(rf'^{name} \["(\w+)"\]$', image, re.MULTILINE)[-1] for name in ("ENTRYPOINT", "CMD")]
    assert words == ["sluicegate", "serve"]
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    of_compose: dict[str, str] = yaml.safe_load((RECIPE / "compose.yaml").read_text())["services"]["gateway"][
        "environment"
    ]
    assert of_image["SLUICEGATE_DATA_DIR"] == "/data"
    assert of_compose["PORT"] == "33000"
    whole = (
        of_image | example | dict(given) | of_compose | {"PORT": "0", "SLUICEGATE_DATA_DIR": str(directory / "data")}
    )
    return Gateway(directory, command=[*SLUICEGATE, "serve"], variables=whole)
