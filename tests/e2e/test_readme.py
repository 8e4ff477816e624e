"""The README's commands, each run as it stands there; what is added to one, and why, is said where it is run."""

import json
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import anthropic
import openai
import pytest
import trustme

from tests.e2e.documents import commands, fenced
from tests.e2e.polling import eventually
from tests.e2e.program import QUESTION, TOKEN, Gateway, environment, is_alive
from tests.e2e.scripted import ScriptedProvider, field, sized, whole_request
from tests.rules.project import ROOT

README = (ROOT / "README.md").read_text("utf-8")
SCRIPTS = sysconfig.get_path("scripts")
KEYS = {
    "OPENAI_API_KEY": "sk-openai-0123456789",
    "ANTHROPIC_API_KEY": "sk-ant-0123456789",
    "PROXY_TOKEN": TOKEN,
    # Any free port: 8080 may be taken where the tests run.
    "PORT": "0",
}


class Checkout:
    """A directory in which everything that `make` sets up is there already, so that it need not be built anew.

    That it can be built from nothing is what CI begins with.
    """

    def __init__(self, directory: Path) -> None:
        """Link what belongs to the repository, and this environment as the one that was set up."""
        self.directory = directory
        for name in ("Makefile", "pyproject.toml", "requirements", "src", "README.md"):
            (directory / name).symlink_to(ROOT / name)
        (directory / ".venv").mkdir()
        for name in ("bin", "lib", "lib64", "pyvenv.cfg"):
            (directory / ".venv" / name).symlink_to(SCRIPTS if name == "bin" else Path(sys.prefix, name))
        for stamp in ("run", "project", "test", "bench"):
            (directory / ".venv" / f"{stamp}.stamp").touch()
        self.variables = {"PATH": f"{SCRIPTS}:{environment()['PATH']}"}

    def run(self, command: str, more: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """Paste a command into a shell here, and wait for its end."""
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.directory,
            env={**environment(), **self.variables, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextmanager
    def gateway(self, command: str, more: Mapping[str, str]) -> Iterator[Gateway]:
        """Start a gateway by a command that stays in the foreground, until it is ready; end it with Ctrl-C."""
        gateway = Gateway(self.directory, command=shlex.split(command), variables={**self.variables, **more})
        try:
            yield gateway.until_ready()
            assert gateway.errors() == []
            gateway.interrupt()
            # `make` tells of the interruption by its status.
            assert gateway.wait() == 0 or command.startswith("make ")
            eventually(lambda: not any(is_alive(process) for process in gateway.processes()))
            eventually(lambda: not (gateway.data / "run" / "sluicegate.pid").exists())
        finally:
            gateway.end()


class Internet(ScriptedProvider):
    """Stands for every host of the internet: a proxy whose tunnels all end here, at the certificate's names."""

    def __init__(self, directory: Path, *hosts: str) -> None:
        """`variables` make a gateway go through it and trust it."""
        self.asked: list[tuple[str, bytes]] = []
        authority = trustme.CA()
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*hosts).configure_cert(self._server)
        trusted = directory / "authority.pem"
        authority.cert_pem.write_to_path(str(trusted))
        super().__init__(self._answer)
        self.variables = {"HTTPS_PROXY": f"http://127.0.0.1:{self.port}", "SSL_CERT_FILE": str(trusted)}

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        method, target, _ = request.split(b" ", 2)
        assert method == b"CONNECT", request
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self._server.wrap_socket(connection, server_side=True) as tunnel:
            while asked := whole_request(tunnel):
                self.asked.append((target.decode(), asked))
                tunnel.sendall(sized(b'{"object":"list","data":[]}'))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout that has been set up."""
    return Checkout(tmp_path)


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    """The providers that README names, as far as a gateway can tell."""
    hosts = ("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com")
    with Internet(tmp_path, *hosts) as made:
        yield made


def demo(checkout: Checkout, internet: Internet, make_run: str, events_tail: str) -> None:
    """The printed `curl` line is answered when pasted, so is the printed token, and what was accounted is shown."""
    with checkout.gateway(make_run, {"PORT": "0"}) as gateway:
        with following(events_tail, checkout) as (output, messages):
            assert messages.readline().startswith("waiting for events")
            line = next(line for line in gateway.output.splitlines() if line.startswith("curl "))
            answer = checkout.run(f"{line} --silent --write-out ' %{{http_code}}'").stdout
            body, _, status = answer.rpartition(" ")
            assert (status, json.loads(body)["object"]) == ("200", "chat.completion")
            assert json.loads(output.readline())["status_code"] == 200
        assert gateway.answers(gateway.announced("token")) == 200
        assert gateway.answers("another-token") == 401
    assert internet.requests == []


def plan_of_tests(checkout: Checkout, internet: Internet, make_test: str) -> None:
    """What it would do is asked for (`--just-print`): done here, it would run this test, which would do it again."""
    planned = checkout.run(f"{make_test} --just-print")
    assert planned.returncode == 0, planned.stderr
    programs = [word for word in planned.stdout.split() if word.startswith(".venv/bin/")]
    assert [Path(program).name for program in programs] == ["ruff", "ruff", "mypy", "lint-imports", "pytest"]
    assert all((checkout.directory / program).exists() for program in programs)
    assert "--cov-fail-under" in planned.stdout


def comparison(checkout: Checkout, internet: Internet, make_bench: str) -> None:
    """What it would do is asked for, as it takes minutes; the program it names knows each option that it is given."""
    planned = checkout.run(f"{make_bench} --just-print")
    assert planned.returncode == 0, planned.stderr
    [command] = planned.stdout.splitlines()
    explained = checkout.run(f"{command} --help")
    assert explained.returncode == 0, explained.stderr
    assert [option for option in re.findall(r"--[a-z-]+", command) if option not in explained.stdout] == []
    assert "sluicegate" in command


def path(checkout: Checkout, internet: Internet, export: str) -> None:
    """The program that was set up is found by its name."""
    found = checkout.run(f"{export}; command -v sluicegate", {"PATH": environment()["PATH"]})
    assert found.stdout == f"{checkout.directory}/.venv/bin/sluicegate\n"


def keys_alone(checkout: Checkout, internet: Internet, serve: str) -> None:
    """With keys in the environment and no file, both providers are known."""
    gemini = {"GEMINI_API_KEY": "sk-gemini-0123456789"}
    with checkout.gateway(serve, {**KEYS, **gemini, **internet.variables}) as gateway:
        assert gateway.announced("configuration") == "environment only, no file"
        assert (gateway.status("/v1/files", TOKEN), gateway.status("/v1/files")) == (200, 401)
        assert gateway.status("/anthropic/v1/models", TOKEN) == 200
        # What Google's SDK asks for, at the address that README has it use.
        assert "`GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080`" in README
        assert posted(gateway, "/v1/models/m:generateContent", "m") == 200
    google = "generativelanguage.googleapis.com:443"
    assert [host for host, _ in internet.asked] == ["api.openai.com:443", "api.anthropic.com:443", google]
    assert internet.asked[2][1].startswith(b"POST /v1beta/models/m:generateContent HTTP/1.1\r\n")
    assert field(internet.asked[0][1], b"authorization") == b"Bearer sk-openai-0123456789"
    assert field(internet.asked[1][1], b"x-api-key") == b"sk-ant-0123456789"


def configuration(checkout: Checkout, internet: Internet, check: str, serve: str) -> None:
    """The file shown is found right; served, all that is said of it is so."""
    written(checkout)
    checked = checkout.run(check, KEYS)
    assert checked.returncode == 0, checked.stderr
    assert checkout.run(check).returncode != 0, "without the keys that it names it cannot be right"
    with checkout.gateway(serve, {**KEYS, **internet.variables}) as gateway:
        assert "sluicegate.yaml" in gateway.announced("configuration")
        paths = re.findall(r"`(/(?:openai|anthropic)/[^`]+)`", README)
        assert [posted(gateway, path, "m") for path in paths] == [405, 200]
        assert gateway.status(paths[0], TOKEN) == 200
        expected = [("api.anthropic.com:443", b"POST /v1/messages"), ("api.openai.com:443", b"GET /v1/models")]
        assert [(host, head.partition(b" HTTP")[0]) for host, head in internet.asked] == expected
        sdks(gateway.port)
        asked = [("api.openai.com:443", b"GET /v1/files"), ("api.anthropic.com:443", b"POST /v1/messages")]
        assert [(host, head.partition(b" HTTP")[0]) for host, head in internet.asked[2:]] == asked
        assert {posted(gateway, "/v1/chat/completions", "smart") for _ in range(8)} == {200}
    chosen = [(host, json.loads(head.partition(b"\r\n\r\n")[2])["model"]) for host, head in internet.asked[4:]]
    assert set(chosen) <= {("api.openai.com:443", "gpt-4.1"), ("api.openai.com:443", "gpt-4.1-mini")}
    assert not [head for _, head in internet.asked if TOKEN.encode() in head]


def issuing(checkout: Checkout, internet: Internet, create: str, show: str, limit: str, explain: str) -> None:
    """A token that was issued is served, listed without its secret, and told of its project's limit."""
    manager = {"MANAGEMENT_TOKEN": "a-management-token"}
    with checkout.gateway("sluicegate serve", {**KEYS, **internet.variables, **manager}) as gateway:
        manager["MANAGE_API_BASE_URL"] = f"http://127.0.0.1:{gateway.port}"
        created = checkout.run(create, manager)
        assert created.returncode == 0, created.stderr
        [token] = re.findall(r"sk-sg-\w{43}", created.stdout)
        assert gateway.status("/v1/models", token) == 200
        listed = checkout.run(show, manager)
        assert "laptop" in listed.stdout
        assert token not in listed.stdout
        limited = checkout.run(limit, manager)
        assert limited.returncode == 0, limited.stderr
        address = f"http://127.0.0.1:{gateway.port}/v1/key/usage"
        usage = checkout.run(f"curl -sS {address} -H 'Authorization: Bearer {token}'")
        [told] = json.loads(usage.stdout)["data"]
        assert (told["scope"], told["metric"], told["window"], told["maximum"]) == ("project", "usd", "month", 100)
        explained = checkout.run(explain, manager)
        assert (explained.returncode, "openai" in explained.stdout) == (0, True), explained.stderr
        assert checkout.run(show).returncode == 2


def posted(gateway: Gateway, path: str, model: str) -> int:
    """Status of a question for a model."""
    connection = gateway.connection()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps({**QUESTION, "model": model}), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def sdks(port: int) -> None:
    """With README's settings for them, but for the port, both SDKs reach their provider."""
    settings = dict(re.findall(r"`(\w+_BASE_URL)=(http://\S+)`", README))
    first, second = (
        settings[f"{name}_BASE_URL"].replace("127.0.0.1:8080", f"127.0.0.1:{port}") for name in ("OPENAI", "ANTHROPIC")
    )
    with openai.OpenAI(base_url=first, api_key=TOKEN) as client:
        assert next(iter(client.models.list())).id == "smart"
        assert list(client.files.list()) == []
    with anthropic.Anthropic(base_url=second, api_key=TOKEN) as claude:
        claude.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hello"}])


def background(checkout: Checkout, internet: Internet, daemon: str, stop: str, health: str) -> None:
    """It is there when the command returns, and gone when it was stopped; whatever its port."""
    written(checkout)
    started = checkout.run(daemon, {**KEYS, **internet.variables})
    assert started.returncode == 0, started.stderr
    try:
        address = next(line.split()[1] for line in started.stdout.splitlines() if line.startswith("  address"))
        assert checkout.run(health).stdout == "ready\n"
    finally:
        stopped = checkout.run(stop)
    assert stopped.returncode == 0, stopped.stderr
    assert checkout.run(f"{health} --url {address}").returncode == 1
    assert checkout.run(stop).returncode == 1


def load(checkout: Checkout, internet: Internet, mock: str, benchmark: str) -> None:
    """The one measures the other; at any free port, as the usual one may be taken, and with few requests."""
    with following(f"{mock} --port 0", checkout) as (_, messages):
        address = messages.readline().split()[-1]
        measured = checkout.run(f"{benchmark} --base-url {address} --requests 20")
    assert measured.returncode == 0, measured.stderr
    assert re.search(r"\b20 requests\b", measured.stdout), measured.stdout


@contextmanager
def following(command: str, checkout: Checkout) -> Iterator[tuple[IO[str], IO[str]]]:
    """Start a command that goes on until it is interrupted, then in order; what it prints, to both streams."""
    process = subprocess.Popen(
        shlex.split(command),
        cwd=checkout.directory,
        env={**environment(), **checkout.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            yield process.stdout, process.stderr
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()


def written(checkout: Checkout) -> None:
    """Write README's configuration to the file that its commands name."""
    [shown] = fenced(README, "yaml")
    (checkout.directory / "sluicegate.yaml").write_text(shown)


SCENES: dict[Callable[..., None], tuple[str, ...]] = {
    demo: ("make run", "sluicegate events tail"),
    plan_of_tests: ("make test",),
    path: ('export PATH="$PWD/.venv/bin:$PATH"',),
    comparison: ("make bench",),
    keys_alone: ("sluicegate serve",),
    configuration: (
        "sluicegate config check --config sluicegate.yaml",
        "sluicegate serve --config sluicegate.yaml",
    ),
    issuing: (
        "sluicegate manage token create --project prj_default --name laptop",
        "sluicegate manage token list",
        "sluicegate manage limit create --scope project --scope-id prj_default --metric usd --window month"
        " --maximum 100",
        "sluicegate route explain smart",
    ),
    background: ("sluicegate serve --daemon", "sluicegate stop", "sluicegate health"),
    load: ("sluicegate mock", "sluicegate benchmark"),
}
"""What runs which of README's commands."""


def test_commands_are_found() -> None:
    """In shell, in indented blocks and in backquotes, over line ends; not in other blocks, nor single words."""
    text = (
        "Say `make run`, or\n`sluicegate\nserve`; `curl` is a word.\n\n    make indented\n\n"
        "```sh\n# why\ncurl a \\\n  -d b\n\ndocker c\n```\n```yaml\nmake: no\n```\n- an item\n  `make test` in it\n"
    )
    assert commands(text) == ["curl a -d b", "docker c", "make indented", "make run", "sluicegate serve", "make test"]
    assert fenced(text, "yaml") == ["make: no\n"]


def test_every_command_is_run() -> None:
    """README shows exactly the commands that are run here: none is left out, none is run that it no longer shows."""
    assert sorted(commands(README)) == sorted(command for shown in SCENES.values() for command in shown)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_commands(scene: Callable[..., None], checkout: Checkout, internet: Internet) -> None:
    """Each does what README says of it."""
    scene(checkout, internet, *SCENES[scene])
