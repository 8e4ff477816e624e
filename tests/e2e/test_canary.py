"""Secrets that can be recognised, in every place that takes one: after all that can happen, none is found anywhere."""

import json
import os
import signal
import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.polling import eventually
from tests.e2e.program import QUESTION, SLUICEGATE, Gateway, environment
from tests.e2e.scripted import ScriptedProvider, chunked, field, reset, sized
from tests.e2e.written import contents

SECRETS = {
    "token": "sk-canary-token-0001",
    "token in the environment": "sk-canary-proxytoken-0002",
    "management token": "canary-management-0003",
    "OpenAI key": "canary-openai-key-0004",
    "Anthropic key": "canary-anthropic-key-0005",
    "Gemini key": "canary-gemini-key-0006",
    "key that configures itself": "canary-groq-key-0007",
    "provider's header": "canary-header-0008",
    "password of a proxy": "canary-proxy-0009",
    "password in HTTPS_PROXY": "canary-variable-0010",
    "unknown bearer": "canary-stranger-0011",
    "unknown x-api-key": "canary-stranger-0012",
    "unknown x-goog-api-key": "canary-stranger-0013",
    "unknown api-key": "canary-stranger-0014",
    "key in the query": "canary-query-0015",
    "cookie": "canary-cookie-0016",
    "broken token": "canary broken 0017 ",
    "broken key": "canary-broken-0018",
    "broken address": "canary-broken-0019",
    "broken variable": "canary-broken-0020",
}
BODIES_ARE_KEPT = "this is kept"
FAULTS = ("none", "stream", "reset", "status", "cut", "garbage", "cut stream")
BODY = json.dumps(QUESTION)
STREAM = json.dumps({**QUESTION, "stream": True})
GEMINI = "/gemini/v1beta/models/m:generateContent"


class Journey:
    """What was said, by where it was said, and what the providers and the proxies heard."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.said: dict[str, bytes] = {}
        self.heard: bytes = b""
        self.key: str = ""

    def note(self, where: str, what: bytes) -> None:
        """Keep what was said."""
        self.said[f"{len(self.said)}: {where}"] = what


def misbehave(connection: socket.socket, request: bytes) -> None:
    """Do what the field `x-fault` says."""
    event = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
    match field(request, b"x-fault"):
        case b"stream":
            connection.sendall(chunked(event, b"data: [DONE]\n\n"))
        case b"reset":
            reset(connection)
        case b"status":
            connection.sendall(sized(b'{"error":{"message":"no"}}', status="401 Unauthorized"))
        case b"cut":
            connection.sendall(sized(b'{"ok":true}')[:-3])
            connection.close()
        case b"garbage":
            connection.sendall(b"220 smtp.test ESMTP\r\n")
        case b"cut stream":
            connection.sendall(chunked(event, is_ended=False))
            connection.close()
        case _:
            connection.sendall(sized(b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'))


def refuse(connection: socket.socket, _request: bytes) -> None:
    """A proxy that likes nobody's password."""
    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Everything that can be done to a gateway, and what came of it."""
    directory = tmp_path_factory.mktemp("canary")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(directory / "k.pem"))
    issued.cert_chain_pems[0].write_to_path(str(directory / "c.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    journey = Journey()
    journey.key = (directory / "k.pem").read_text().splitlines()[1]
    file = directory / "gateway.yaml"
    with ScriptedProvider(misbehave) as provider, ScriptedProvider(refuse) as proxy:
        file.write_text(configuration(provider.port, proxy.port, directory))
        variables = {
            "PROXY_TOKEN": SECRETS["token in the environment"],
            "GROQ_API_KEY": SECRETS["key that configures itself"],
            "HTTPS_PROXY": f"http://user:{SECRETS['password in HTTPS_PROXY']}@127.0.0.1:{proxy.port}",
        }
        gateway = Gateway(directory, f"--config={file}", "--workers=2", variables=variables).until_ready()
        try:
            keep_bodies(gateway, trusting)
            clients(journey, gateway, trusting)
            managers(journey, gateway, trusting, file)
            commands(journey, file, variables)
            for process in gateway.processes():
                journey.note(f"command line of {process}", Path(f"/proc/{process}/cmdline").read_bytes())
            # While they are there: the files of a directory that is empty afterwards.
            keep_files(journey, gateway)
            os.kill(gateway.process("worker-0"), signal.SIGKILL)
            os.kill(gateway.process("control"), signal.SIGKILL)
            eventually(lambda: len(gateway.logged("process died")) == 2)
            eventually(lambda: len(gateway.logged("process is ready", name="worker-0")) == 2)
            gateway.signal(signal.SIGTERM)
            gateway.wait()
        finally:
            gateway.end()
        keep_files(journey, gateway)
        journey.note("stdout", (directory / "stdout").read_bytes())
        journey.note("stderr", (directory / "stderr").read_bytes())
        journey.heard = b"".join([*provider.requests, *proxy.requests])
    return journey


def configuration(provider: int, proxy: int, directory: Path) -> str:
    """A configuration with a secret wherever one may stand."""
    here = f"http://127.0.0.1:{provider}"
    own_proxy = f"http://user:{SECRETS['password of a proxy']}@127.0.0.1:{proxy}"
    document = {
        "server": {
            "port": 0,
            "drain_seconds": 1,
            "tls": {"certificate": str(directory / "c.pem"), "key": str(directory / "k.pem")},
        },
        "management_token": SECRETS["management token"],
        "request_log": {"enabled": True, "bodies": {"enabled": True}},
        "tokens": [{"name": "a", "token": SECRETS["token"]}],
        "providers": {
            "openai": {
                "dialect": "openai",
                "base_url": f"{here}/v1",
                "api_key": SECRETS["OpenAI key"],
                "headers": {"x-custom": SECRETS["provider's header"]},
            },
            "anthropic": {"dialect": "anthropic", "base_url": here, "api_key": SECRETS["Anthropic key"]},
            "gemini": {"dialect": "gemini", "base_url": here, "api_key": SECRETS["Gemini key"]},
            "tunnelled": {"dialect": "openai", "base_url": "https://api.test/v1", "proxy": own_proxy},
            "variable": {"dialect": "openai", "base_url": "https://api.test/v1"},
        },
    }
    return json.dumps(document, indent=1)  # which is YAML


def ask(
    journey: Journey,
    gateway: Gateway,
    trusting: ssl.SSLContext,
    path: str,
    fields: Mapping[str, str],
    body: str | None = BODY,
) -> int:
    """Send a request on a connection of its own; keep what is answered. The status, 0 where there is none."""
    connection = HTTPSConnection("127.0.0.1", gateway.port, timeout=60, context=trusting)
    try:
        connection.request(
            "GET" if body is None else "POST", path, body, {"Content-Type": "application/json", **fields}
        )
        response = connection.getresponse()
        journey.note(f"head of {path}", str(response.headers).encode())
        journey.note(f"body of {path}", response.read())
        return response.status
    except HTTPException as error:
        journey.note(f"error of {path}", repr(error).encode() + getattr(error, "partial", b""))
        return 0
    finally:
        connection.close()


def keep_bodies(gateway: Gateway, trusting: ssl.SSLContext) -> None:
    """Have all bodies kept, of all that clients do."""
    connection = HTTPSConnection("127.0.0.1", gateway.port, timeout=60, context=trusting)
    key = {"Authorization": f"Bearer {SECRETS['management token']}", "Content-Type": "application/json"}
    connection.request("PATCH", "/admin/projects/prj_default", '{"body_share": 1}', key)
    assert connection.getresponse().status == 200
    connection.close()


def clients(journey: Journey, gateway: Gateway, trusting: ssl.SSLContext) -> None:
    """What clients do: known ones, and strangers with each kind of credential."""

    def asks(path: str, fields: Mapping[str, str], body: str | None = BODY) -> int:
        return ask(journey, gateway, trusting, path, fields, body)

    known = {"Authorization": f"Bearer {SECRETS['token']}", "Cookie": f"a={SECRETS['cookie']}"}
    for fault in FAULTS:
        assert asks("/v1/chat/completions", {**known, "x-fault": fault}, STREAM if "stream" in fault else BODY) in {
            200,
            401,
            502,
            0,
        }
        asks("/v1/messages", {"x-api-key": SECRETS["token in the environment"], "x-fault": fault})
        asks(f"{GEMINI}?key={SECRETS['key in the query']}", {"x-goog-api-key": SECRETS["token"], "x-fault": fault})
    message = f"{BODIES_ARE_KEPT}, and I know {SECRETS['OpenAI key']}"
    assert asks("/v1/chat/completions", known, json.dumps({**QUESTION, "user": message})) == 200
    assert asks("/tunnelled/chat/completions", known) == 502
    assert asks("/variable/chat/completions", known) == 502
    for fields in (
        {"Authorization": f"Bearer {SECRETS['unknown bearer']}"},
        {"x-api-key": SECRETS["unknown x-api-key"]},
        {"x-goog-api-key": SECRETS["unknown x-goog-api-key"]},
        {"api-key": SECRETS["unknown api-key"]},
        {},
    ):
        for path in ("/v1/chat/completions", "/v1/messages", GEMINI, "/admin/config"):
            assert asks(f"{path}?key={SECRETS['key in the query']}", fields) in {401, 403, 405}
    for path, fields, body in (
        ("/v1/nothing", known, BODY),
        ("/nothing", known, BODY),
        ("/v1/chat/completions", known, "{"),
        ("/v1/chat/completions", {**known, "Expect": "nothing"}, BODY),
        ("/v1/chat/completions", {**known, "Transfer-Encoding": "gzip"}, BODY),
        ("/v1/chat/completions", {**known, "x-large": "y" * 70_000}, BODY),
    ):
        assert asks(f"{path}?key={SECRETS['key in the query']}", fields, body) >= 400


def managers(journey: Journey, gateway: Gateway, trusting: ssl.SSLContext, file: Path) -> None:
    """What operators do while it runs: look, reload, reload what is broken."""
    key = {"Authorization": f"Bearer {SECRETS['management token']}"}

    def asks(path: str, body: str | None = None) -> int:
        return ask(journey, gateway, trusting, path, key, body)

    for path in ("/", "/admin/config", "/admin/workers"):
        assert asks(path) == 200
    assert asks("/admin/nothing") == 404
    assert asks("/admin/config/reload", "{}") == 200
    good = file.read_text()
    for broken in broken_configurations(good):
        file.write_text(broken)
        assert asks("/admin/config/reload", "{}") == 422
        assert asks("/admin/config") == 200
        reload_is_refused(gateway)
    file.write_text(good)
    assert asks("/admin/config/reload", "{}") == 200


def reload_is_refused(gateway: Gateway) -> None:
    """Ask for a reload by signal, and wait until it was refused."""
    before = len(gateway.errors())
    gateway.signal(signal.SIGHUP)
    eventually(lambda: len(gateway.errors()) > before)


def broken_configurations(good: str) -> Iterator[str]:
    """Configurations that are wrong just where their secret is, and one that is no YAML."""
    token, key, address = (SECRETS[f"broken {name}"] for name in ("token", "key", "address"))
    changes: tuple[dict[str, Any], ...] = (
        {"tokens": [{"name": "a", "token": token}]},
        {"tokens": [{"name": "a", "token": SECRETS["token"]}, {"name": "b", "token": SECRETS["token"]}]},
        {"tokens": [{"name": "a", "token": [key]}]},
        {"management_token": {"value": key}},
        {"management_token": f"{key}\n"},
        {"providers": {"openai": {"dialect": "openai", "base_url": f"https://user:{address}@api.test"}}},
        {"providers": {"openai": {"dialect": "openai", "base_url": "https://api.test", "apikey": key}}},
        {
            "providers": {
                "openai": {"dialect": "openai", "base_url": "https://api.test", "proxy": f"socks5://u:{address}@h:1"}
            }
        },
        {
            "providers": {
                "openai": {"dialect": "openai", "base_url": "https://api.test", "headers": {"x-a": f"{key}\n"}}
            }
        },
    )
    for change in changes:
        yield json.dumps(json.loads(good) | change)
    yield good[:-2] + f"\n  {key}: ]"


def commands(journey: Journey, file: Path, variables: Mapping[str, str]) -> None:
    """What the command line says of good and bad configurations."""
    good = file.read_text()

    def runs(status: int, *arguments: str, **more: str) -> None:
        done = subprocess.run(
            [*SLUICEGATE, *arguments],
            capture_output=True,
            timeout=60,
            check=False,
            env={**environment(), **variables, **more},
        )
        assert done.returncode == status, done
        journey.note(" ".join(arguments), done.stdout + done.stderr)

    runs(0, "config", "show", "--redacted", f"--config={file}")
    runs(0, "config", "check", f"--config={file}")
    proxy = f"socks5://u:{SECRETS['broken variable']}@h:1"
    runs(2, "config", "check", f"--config={file}", HTTPS_PROXY=proxy)
    bad = file.with_name("bad.yaml")
    for broken in broken_configurations(good):
        bad.write_text(broken)
        runs(2, "config", "check", f"--config={bad}")
    runs(2, "serve", f"--config={bad}", f"--data-dir={file.with_name('never')}")


def keep_files(journey: Journey, gateway: Gateway) -> None:
    """Names and contents of all files below the data directory."""
    files = contents(gateway.data)
    journey.note("names of files", " ".join(map(str, files)).encode())
    for path, content in files.items():
        journey.note(str(path), content)


def forms(secret: str) -> list[bytes]:
    """A secret as it is, and as credentials of a proxy."""
    pair = b64encode(f"user:{secret}".encode()).decode()
    return [secret.strip().encode(), pair.encode(), b64encode(secret.encode()).rstrip(b"=")]


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_nowhere(journey: Journey, name: str) -> None:
    """Not in a log, an answer's head or body, an event, a file, a command line, or what commands print."""
    found = [
        (where, said) for where, said in journey.said.items() if any(form in said for form in forms(SECRETS[name]))
    ]
    assert found == []


def test_bodies_were_kept(journey: Journey) -> None:
    """So that the silence about secrets in them means something."""
    assert any(BODIES_ARE_KEPT.encode() in said for said in journey.said.values())


def test_private_key_is_nowhere(journey: Journey) -> None:
    """Nor is the key of the gateway's certificate."""
    assert [where for where, said in journey.said.items() if journey.key.encode() in said] == []


@pytest.mark.parametrize("name", ["OpenAI key", "Anthropic key", "Gemini key", "provider's header"])
def test_secret_was_in_use(journey: Journey, name: str) -> None:
    """Providers got what is theirs, so that the silence elsewhere means something."""
    assert SECRETS[name].encode() in journey.heard


@pytest.mark.parametrize("name", ["password of a proxy", "password in HTTPS_PROXY"])
def test_password_was_in_use(journey: Journey, name: str) -> None:
    """Proxies got theirs."""
    assert forms(SECRETS[name])[1] in journey.heard


@pytest.mark.parametrize("name", ["token", "token in the environment", "management token", "cookie"])
def test_what_is_the_clients_reaches_no_provider(journey: Journey, name: str) -> None:
    """Tokens and cookies for the gateway are not sent on."""
    assert SECRETS[name].encode() not in journey.heard


def test_journey_went_everywhere(journey: Journey) -> None:
    """Events, the run directory, answers and logs were really looked at."""
    places = " ".join(journey.said)
    for place in (".jsonl", "/run/", "head of /v1/messages", "body of /admin/config", "stderr", "config show"):
        assert place in places, place
    assert sum(len(said) for said in journey.said.values()) > 50_000
