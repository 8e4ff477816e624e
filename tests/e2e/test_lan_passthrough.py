"""The LAN proxy - two providers, one token, no file - sentence by sentence, on the running program."""

import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.e2e.documents import commands, fenced
from tests.e2e.lan import (
    ANTHROPIC_KEY,
    EVENTS,
    EVERY_BYTE,
    EXPLAINED,
    OPENAI_KEY,
    SECONDS,
    TOKEN,
    Lan,
    Provider,
    from_command,
    from_image,
    variables,
)
from tests.e2e.program import SLUICEGATE, Gateway, environment
from tests.e2e.scripted import field

REQUIRED = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "PROXY_TOKEN")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ONLY_VERSION = "2023-06-01"
PASSED_ON = ("/openai", "/openai/models", "/anthropic/v1/messages", "/v1/models")
OF_THE_GATEWAY = (
    "/admin/config",
    "/manage/projects",
    "/metrics",
    "/stats",
    "/docs",
    "/openapi.json",
    "/favicon.ico",
)
"""Paths that are not a provider's, whether or not there is anything."""
PROBES = {"/healthz", "/health", "/livez", "/readyz", "/"}
"""What is answered without a token; only `/` and the probes are, as the recipe says."""


@pytest.fixture(scope="module", params=[from_command, from_image], ids=["variables", "image"])
def lan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """A LAN proxy, started in each of the recipe's two ways."""
    with (
        Provider() as first,
        Provider() as second,
        request.param(tmp_path_factory.mktemp("lan"), variables(first.port, second.port)) as gateway,
    ):
        yield Lan(gateway, first, second)


def names_of(request: bytes) -> list[str]:
    """The names of a request's fields in the order and spelling in which they came, less those of its framing."""
    names = [line.partition(b":")[0].decode() for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    return [name for name in names if name.lower() not in {"host", "content-length"}]


@pytest.mark.parametrize("missing", REQUIRED)
def test_start_refuses_and_names_what_is_missing(missing: str, tmp_path: Path) -> None:
    """Without any one of the five variables there is no start: status 2, and the variable by its name."""
    given = variables(1, 2)
    del given[missing]
    done = subprocess.run(
        [*SLUICEGATE, "serve"],
        env={**environment(), **given},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    complaints = [line for line in done.stderr.splitlines() if " is required beside " in line]
    assert "; for one provider, set no base URL\n" in done.stderr
    assert {line.partition(" is required")[0].split()[-1] for line in complaints} == {f"{missing}:"}
    assert "ready" not in done.stdout
    assert not [value for value in given.values() if len(value) > 10 and value in done.stderr + done.stdout]


def test_port_is_33000_unless_set(tmp_path: Path) -> None:
    """Without PORT it wants 33000 on every interface, which somebody holds: it says so by number."""
    given = variables(1, 2)
    del given["PORT"]
    holder = socket.socket()
    with holder:
        # Another run of this test may hold it as well.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            # Nobody connects from there. From 127.0.0.1 clients do, whose port it may be: taken now, free in a moment.
            holder.bind(("127.0.0.2", 33_000))
            holder.listen()
        except OSError:
            # Then somebody listens on every interface already, which is all that is wanted.
            holder.close()
        gateway = Gateway(tmp_path, command=[*SLUICEGATE, "serve"], variables=given)
        try:
            assert gateway.wait() == 2
        finally:
            gateway.end()
    assert "address already in use: 0.0.0.0:33000" in repr(gateway)


def test_it_listens_for_the_network(lan: Lan) -> None:
    """On every interface, not only for its own machine."""
    assert "on every interface" in lan.gateway.announced("address")
    assert lan.gateway.logged("node is ready", host="0.0.0.0")


@pytest.mark.parametrize("method", METHODS)
def test_any_method_passes_to_openai(lan: Lan, method: str) -> None:
    """`/openai/<rest>?<query>` is asked of OPENAI_BASE_URL/<rest>?<query>, with its key in place of the token."""
    body = EVERY_BYTE if method in {"POST", "PUT", "PATCH"} else b""
    fields = ("X-Of-Client: kept", "x-of-CLIENT: twice", "OpenAI-Beta: a=b", "User-Agent: mine/1", "Accept: */*")
    query = "a=b&c=%20+%2f&&=;?x&key=1&%zz"
    answer = lan.say(f"/openai/files/a%2Fb%20C/~x;y=1?{query}", *fields, method=method, body=body)
    sent = lan.openai.requests[-1]
    assert sent.startswith(f"{method} /v1/files/a%2Fb%20C/~x;y=1?{query} HTTP/1.1\r\n".encode())
    assert field(sent, b"host") == f"127.0.0.1:{lan.openai.port}".encode()
    assert field(sent, b"authorization") == f"Bearer {OPENAI_KEY}".encode()
    assert sorted(names_of(sent)) == sorted([one.partition(":")[0] for one in fields] + ["authorization"])
    assert all(one.encode() in sent.split(b"\r\n") for one in fields)
    assert sent.partition(b"\r\n\r\n")[2] == body
    assert TOKEN.encode() not in sent
    assert answer.fields["x-of-provider"] == "kept"
    assert (answer.status, answer.body) == ((200, b"") if method == "HEAD" else (203, EVERY_BYTE))


@pytest.mark.parametrize("method", METHODS)
def test_any_method_passes_to_anthropic(lan: Lan, method: str) -> None:
    """`/anthropic/<rest>` is asked of ANTHROPIC_BASE_URL/<rest>, with its key as `x-api-key`."""
    body = EVERY_BYTE if method in {"POST", "PUT", "PATCH"} else b""
    fields = ("anthropic-version: 2023-06-01", "anthropic-beta: a,b", "X-Of-Client: kept")
    answer = lan.say("/anthropic/v1/any/thing?a=%2F", *fields, f"x-api-key: {TOKEN}", method=method, body=body)
    sent = lan.anthropic.requests[-1]
    assert sent.startswith(f"{method} /v1/any/thing?a=%2F HTTP/1.1\r\n".encode())
    assert field(sent, b"x-api-key") == ANTHROPIC_KEY.encode()
    assert sorted(names_of(sent)) == sorted([one.partition(":")[0] for one in fields] + ["x-api-key"])
    assert all(one.encode() in sent.split(b"\r\n") for one in fields)
    assert sent.partition(b"\r\n\r\n")[2] == body
    assert TOKEN.encode() not in sent
    assert (answer.status, answer.body) == ((200, b"") if method == "HEAD" else (203, EVERY_BYTE))


@pytest.mark.parametrize(
    ("prefix", "body"),
    [
        ("openai/chat/completions", b'{ "model":"m",\n "stream": true,"messages":[],"n":1e0,"\\u0061":"\\/"}'),
        ("openai/chat/completions", b'{"model":"m","stream":true,"stream_options":{"include_usage":false}}'),
        ("openai/chat/completions", b'{"model":"other/m","messages":[] ,}'),
        ("openai/completions", b'{"stream":true}'),
        ("openai/responses", b'{"stream":true,"model":"m"}'),
        ("anthropic/v1/messages", b'{"stream":true,"model":"m", "max_tokens":1}'),
        ("openai/embeddings", b"\x00\xff no JSON at all"),
    ],
)
def test_bodies_arrive_to_the_byte(lan: Lan, prefix: str, body: bytes) -> None:
    """Nothing is added to, taken from or rearranged in a body, whatever it asks for and however it is written."""
    provider = lan.openai if prefix.startswith("openai") else lan.anthropic
    provider.may_go_on.set()
    answer = lan.say(f"/{prefix}", "Content-Type: application/json", method="POST", body=body)
    sent = provider.requests[-1]
    assert sent.partition(b"\r\n\r\n")[2] == body
    assert field(sent, b"content-type") == b"application/json"
    assert answer.status in {200, 203}


def test_what_does_not_travel(lan: Lan) -> None:
    """What the recipe says of it: the caller's cookies and its way here, codings nobody can look into, odd paths."""
    own = ("Cookie: a=b", "Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "Accept-Encoding: br, gzip, zstd")
    lan.say("/openai//models///a", "X-Of-Client: kept", *own)
    sent = lan.openai.requests[-1]
    assert sent.startswith(b"GET /v1/models/a HTTP/1.1\r\n")
    assert sorted(names_of(sent)) == ["Accept-Encoding", "X-Of-Client", "authorization"]
    assert field(sent, b"accept-encoding") == b"gzip, deflate"
    lan.say("/openai/v1/models")
    assert lan.openai.requests[-1].startswith(b"GET /v1/models HTTP/1.1\r\n")
    before = len(lan.openai.requests)
    assert lan.say("/openai/files/../models").status == 400
    assert lan.say("/openai/models", method="TRACE").status == 400
    assert len(lan.openai.requests) == before


@pytest.mark.parametrize("variable", [None, "2031-01-02"])
@pytest.mark.parametrize("own", [None, "2023-06-01"])
def test_version_is_added_where_the_client_sends_none(variable: str | None, own: str | None, tmp_path: Path) -> None:
    """What the client says stands; else it is ANTHROPIC_VERSION, else the one version there is."""
    with Provider() as provider:
        given = variables(provider.port, provider.port) | ({"ANTHROPIC_VERSION": variable} if variable else {})
        lan = Lan(from_command(tmp_path, given), provider, provider)
        with lan.gateway:
            lan.say("/anthropic/v1/models", *([f"Anthropic-Version: {own}"] if own else []))
            sent = provider.requests[-1]
            assert field(sent, b"anthropic-version") == (own or variable or ONLY_VERSION).encode()
            assert sent.lower().count(b"anthropic-version") == 1
            lan.say("/openai/models")
            assert b"anthropic-version" not in provider.requests[-1].lower()


@pytest.mark.parametrize("prefix", ["openai/chat/completions", "openai/any/path", "anthropic/v1/any/path"])
def test_first_event_arrives_while_the_provider_is_still_sending(lan: Lan, prefix: str) -> None:
    """The first event is read, whole, before the provider is allowed to send the second; then that one comes too."""
    provider = lan.openai if prefix.startswith("openai") else lan.anthropic
    provider.may_go_on.clear()
    connection = lan.gateway.connection(SECONDS)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    connection.request("POST", f"/{prefix}", b'{"stream":true,"model":"m","messages":[]}', headers)
    response = connection.getresponse()
    assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert response.read1() == EVENTS[0]
    assert not provider.may_go_on.is_set()
    provider.may_go_on.set()
    assert response.read() == EVENTS[1]
    response.close()


def test_healthz_answers_ok_without_a_token(lan: Lan) -> None:
    """`ok`, and nothing else, to the byte; no provider is asked for it."""
    before = len(lan.openai.requests), len(lan.anthropic.requests)
    answer = lan.say("/healthz", "No-Token: at-all")
    assert (answer.status, answer.body) == (200, b"ok")
    assert (len(lan.openai.requests), len(lan.anthropic.requests)) == before


@pytest.mark.parametrize("path", [*PASSED_ON, "/nowhere", "/openai-too/models", "/healthz/more", *OF_THE_GATEWAY])
def test_anything_else_without_the_token_is_refused(lan: Lan, path: str) -> None:
    """401, for what exists as for what does not, and nothing reaches a provider."""
    before = len(lan.openai.requests), len(lan.anthropic.requests)
    assert lan.say(path, "No-Token: at-all").status == 401
    assert (len(lan.openai.requests), len(lan.anthropic.requests)) == before


@pytest.mark.parametrize(
    "credential",
    [
        f"Authorization: Bearer {TOKEN}x",
        f"Authorization: Bearer {OPENAI_KEY}",
        "Authorization: Bearer ",
        f"x-api-key: {TOKEN[:-1]}",
        f"x-api-key: {ANTHROPIC_KEY}",
        "x-api-key: ",
    ],
)
def test_a_wrong_token_is_refused(lan: Lan, credential: str) -> None:
    """401: almost right is wrong, and so are a provider's own key and nothing where a token should be."""
    before = len(lan.openai.requests), len(lan.anthropic.requests)
    for path in (*PASSED_ON, "/nowhere"):
        assert lan.say(path, credential).status == 401
    assert (len(lan.openai.requests), len(lan.anthropic.requests)) == before


@pytest.mark.parametrize("path", sorted(PROBES))
def test_what_is_open_tells_nothing(lan: Lan, path: str) -> None:
    """What is answered without a token names no provider, no address and no secret."""
    answer = lan.say(path, "No-Token: at-all")
    assert answer.status == 200
    hidden = (OPENAI_KEY, ANTHROPIC_KEY, TOKEN, str(lan.openai.port), str(lan.anthropic.port), "anthropic", "openai")
    assert not [secret for secret in hidden if secret in answer.body.decode()]


@pytest.mark.parametrize("path", ["/nowhere", "/openai-too/models", "/OPENAI/models", "/gemini/models", "/statistics"])
def test_unknown_prefix_is_not_found(lan: Lan, path: str) -> None:
    """404 for whoever has the token."""
    assert lan.say(path).status == 404


def test_errors_of_a_provider_pass(lan: Lan) -> None:
    """A provider's own refusal arrives as it said it, asked for once, with its advice when to come again."""
    before = len(lan.openai.requests)
    answer = lan.say("/openai/refused")
    assert (answer.status, answer.body) == (429, b'{"error": "of the provider"}')
    assert answer.fields["retry-after"] == "17"
    assert len(lan.openai.requests) == before + 1


def test_provider_that_is_down(tmp_path: Path) -> None:
    """502 for its prefix, while the other one is still served."""
    with Provider() as up, socket.socket() as down:
        # Bound and not listening: nobody else gets the port, and whoever connects is refused.
        down.bind(("127.0.0.1", 0))
        lan = Lan(from_command(tmp_path, variables(up.port, down.getsockname()[1])), up, up)
        with lan.gateway:
            for body in (b"", b'{"stream":true}'):
                assert lan.say("/anthropic/v1/messages", method="POST", body=body).status == 502
            assert lan.say("/openai/models").status == 200
            assert lan.say("/healthz", "No-Token: at-all").body == b"ok"


def in_shell(command: str, gateway: Gateway) -> subprocess.CompletedProcess[str]:
    """Run a command of the recipe's explanation, with this gateway's address in place of the one written there."""
    here = re.sub(r"http://(?:127\.0\.0\.1|gateway\.lan):33000", f"http://127.0.0.1:{gateway.port}", command)
    assert here != command
    return subprocess.run(
        ["sh", "-euc", here],
        env={**environment(), "PROXY_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_curl_commands_of_the_recipe(lan: Lan) -> None:
    """Pasted in a shell, each does what the recipe says of it."""
    lan.openai.may_go_on.set()
    health, models, stream = [one for one in commands(EXPLAINED) if one.startswith("curl ")]
    assert in_shell(health, lan.gateway).stdout == "ok"
    assert in_shell(models, lan.gateway).stdout == '{"object":"list","data":[]}'
    assert in_shell(stream, lan.gateway).stdout == b"".join(EVENTS).decode()


def test_client_settings_of_the_recipe(lan: Lan) -> None:
    """With the variables that the recipe exports, both SDKs reach their providers."""
    lines = [one for one in commands(EXPLAINED) if one.startswith("export ")]
    assert len(lines) == 2
    exported = dict(
        line.split("=", 1)
        for line in in_shell("\n".join([*lines, "env"]), lan.gateway).stdout.splitlines()
        if line.startswith(("OPENAI_", "ANTHROPIC_"))
    )
    with openai.OpenAI(base_url=exported["OPENAI_BASE_URL"], api_key=exported["OPENAI_API_KEY"]) as client:
        assert list(client.models.list()) == []
    with anthropic.Anthropic(base_url=exported["ANTHROPIC_BASE_URL"], api_key=exported["ANTHROPIC_API_KEY"]) as claude:
        assert list(claude.models.list()) == []
    assert lan.openai.requests[-1].startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert field(lan.openai.requests[-1], b"authorization") == f"Bearer {OPENAI_KEY}".encode()
    assert lan.anthropic.requests[-1].startswith(b"GET /v1/models")
    assert field(lan.anthropic.requests[-1], b"x-api-key") == ANTHROPIC_KEY.encode()


def test_token_of_the_recipe_will_do(tmp_path: Path) -> None:
    """What the recipe makes a token with is a token."""
    [command] = [one for one in commands(EXPLAINED) if one.startswith("openssl ")]
    made = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    with (
        Provider() as provider,
        from_command(tmp_path, variables(provider.port, provider.port) | {"PROXY_TOKEN": made}) as gateway,
    ):
        assert gateway.status("/openai/models", made) == 200


def test_recipe_shows_no_other_command() -> None:
    """Each command is run by a test above, but for Docker's, whose files `tests/examples` holds to each other."""
    programs = [one.split()[0] for one in commands(EXPLAINED)]
    assert sorted(programs) == ["curl"] * 3 + ["docker"] * 2 + ["export"] * 2 + ["openssl", "sluicegate"]
    assert all(one.startswith("docker compose up --detach --wait") for one in commands(EXPLAINED) if "docker" in one)
    assert fenced(EXPLAINED, "yaml") == []


def test_it_ends_in_order(lan: Lan) -> None:
    """Nothing of all this was an error to the gateway, nothing died, and Ctrl-C ends it with status 0."""
    assert lan.gateway.errors() == []
    assert lan.gateway.logged("process died") == []
    lan.gateway.interrupt()
    assert lan.gateway.wait() == 0
    assert not (lan.gateway.data / "run" / "sluicegate.pid").exists()
