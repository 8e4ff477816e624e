"""One table of what providers do wrong, met by the running program in each dialect: answer, event, connection.

Rules that a scripted peer without sockets can show are in `tests/flows/test_provider_faults.py`; here are real resets,
real deadlines and real TLS.
"""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.scripted import TLS_HELLO, ScriptedProvider, chunked, field, reset, sized, until_left

FIRST_EVENTS: Mapping[str, bytes] = {
    "openai": b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n',
    "anthropic": b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n',
    "gemini": b'data: {"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}\n\n',
}
PATHS = {
    "openai": "/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
}
PATIENT = {"connect": 10, "first_byte": 10, "between_bytes": 10}
"""Seconds: long enough for a machine with much to do."""
HASTY = {"-mute": {"connect": 0.3}, "-stalling": {"first_byte": 0.3}, "-pausing": {"between_bytes": 0.3}}
"""Little is waited for where nothing is to come."""
BODY = b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"contents":[]}'


class Fault(NamedTuple):
    """A row: what the client and the event say. `where` names the provider, if it is not the one that answers."""

    status: int
    code: str
    where: str = ""
    is_cut: bool = False
    can_go_on: bool = True
    """Whether the client's connection carries the next request."""
    words: str = ""
    """What the message must say."""
    attempts: int = 1


FAULTS = {
    "refused": Fault(502, "upstream_unreachable", where="-refused", words="Connection refused"),
    "untrusted certificate": Fault(502, "upstream_unreachable", where="-untrusted", words="not trusted"),
    "certificate of another name": Fault(502, "upstream_unreachable", where="-misnamed", words="not trusted"),
    "plain text where TLS is expected": Fault(502, "upstream_unreachable", where="-plain", words="cannot be reached"),
    "TLS handshake that stalls": Fault(504, "upstream_timeout", where="-mute", words="no connection within"),
    "reset before the first byte": Fault(502, "upstream_error", words="without an answer", attempts=2),
    "stall before the first byte": Fault(504, "upstream_timeout", where="-stalling", words="did not begin its answer"),
    "malformed head": Fault(502, "upstream_error", words="cannot be read"),
    "reset within the head": Fault(502, "upstream_error", words="before its answer was complete"),
    "reset within a stream": Fault(200, "upstream_error", is_cut=True),
    "end within a chunk": Fault(200, "upstream_error", is_cut=True),
    "malformed chunk": Fault(200, "upstream_error", is_cut=True),
    "stall within a stream": Fault(200, "upstream_timeout", where="-pausing", is_cut=True),
    "too short for its length": Fault(200, "upstream_error", is_cut=True, can_go_on=False),
    "end within a chunk of JSON": Fault(200, "upstream_error", is_cut=True, can_go_on=False),
}


def misbehave(connection: socket.socket, request: bytes) -> None:
    """Do what the request's fields `x-fault` and `x-dialect` ask for."""
    if request.startswith(TLS_HELLO):
        connection.sendall(sized(b"plain HTTP here", status="400 Bad Request"))
        return
    first = FIRST_EVENTS[field(request, b"x-dialect").decode()]
    match field(request, b"x-fault").decode():
        case "reset before the first byte":
            reset(connection)
        case "stall before the first byte":
            until_left(connection)
        case "malformed head":
            connection.sendall(b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n")
        case "reset within the head":
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Half")
            until_taken(connection)
            reset(connection)
        case "reset within a stream":
            connection.sendall(chunked(first, is_ended=False))
            until_taken(connection)
            reset(connection)
        case "end within a chunk":
            connection.sendall(chunked(first, is_ended=False) + b"ff\r\ndata: ha")
            connection.close()
        case "malformed chunk":
            connection.sendall(chunked(first, is_ended=False) + b"zz\r\n")
        case "stall within a stream":
            connection.sendall(chunked(first, is_ended=False))
            until_left(connection)
        case "too short for its length":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
            connection.close()
        case "end within a chunk of JSON":
            connection.sendall(chunked(b"{", kind="application/json", is_ended=False) + b"ff\r\n{")
            connection.close()
        case _:
            connection.sendall(sized(b'{"ok":true}'))


def until_taken(connection: socket.socket) -> None:
    """Wait until the gateway's kernel has every byte: a reset would overtake what is still on its way."""
    eventually(lambda: unsent(connection) == 0)


def unsent(connection: socket.socket) -> int:
    """Bytes of a connection that the other side has not read, by the kernel's tables."""
    ours, theirs = (f"{end[1]:04X}" for end in (connection.getsockname(), connection.getpeername()))
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = {(row[1].split(":")[1], row[2].split(":")[1]): row[4].split(":") for row in rows}
    return int(ends[ours, theirs][0], 16) + int(ends[theirs, ours][1], 16)


class Site(NamedTuple):
    """The program and the providers it has."""

    gateway: Gateway
    plain: ScriptedProvider


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One gateway; every provider in three dialects and in each way of not being reached."""
    directory = tmp_path_factory.mktemp("faults")
    trusted, stranger = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(str(directory / "ca.pem"))
    with (
        ScriptedProvider(misbehave) as plain,
        ScriptedProvider(misbehave, tls_of(stranger, "127.0.0.1")) as untrusted,
        ScriptedProvider(misbehave, tls_of(trusted, "other.test")) as misnamed,
        socket.create_server(("127.0.0.1", 0)) as mute,
        socket.socket() as nobody,
    ):
        nobody.bind(("127.0.0.1", 0))
        places = {
            "": f"http://127.0.0.1:{plain.port}",
            "-stalling": f"http://127.0.0.1:{plain.port}",
            "-pausing": f"http://127.0.0.1:{plain.port}",
            "-refused": f"http://127.0.0.1:{nobody.getsockname()[1]}",
            "-untrusted": f"https://127.0.0.1:{untrusted.port}",
            "-misnamed": f"https://127.0.0.1:{misnamed.port}",
            "-plain": f"https://127.0.0.1:{plain.port}",
            "-mute": f"https://127.0.0.1:{mute.getsockname()[1]}",
        }
        rows = [
            f"  {dialect}{name}: {{dialect: {dialect}, base_url: '{url}', api_key: key, proxy: none, allow: all,"
            f" ca_file: '{directory / 'ca.pem'}',"
            f" timeouts: {json.dumps(PATIENT | HASTY.get(name, {}))}}}\n"
            for dialect in PATHS
            for name, url in places.items()
        ]
        (directory / "gateway.yaml").write_text(
            "server: {port: 0, drain_seconds: 1}\n"
            f"tokens: [{{name: test, token: {TOKEN}}}]\nproviders:\n{''.join(rows)}"
        )
        gateway = Gateway(directory, f"--config={directory / 'gateway.yaml'}", variables={}).until_ready()
        yield Site(gateway, plain)
        gateway.end()


def tls_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """A provider's side of TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def ask(connection: HTTPConnection, dialect: str, where: str, fault: str) -> tuple[int, HTTPMessage, bytes, bool]:
    """Status, fields, body and whether it came whole."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    headers |= {"x-fault": fault, "x-dialect": dialect}
    connection.request("POST", f"/{dialect}{where}{PATHS[dialect]}", BODY, headers)
    response = connection.getresponse()
    try:
        return response.status, response.headers, response.read(), True
    except HTTPException:
        return response.status, response.headers, b"", False


def of_openai(error: Any) -> tuple[str, str]:
    """Code and message of OpenAI's error body."""
    assert set(error["error"]) == {"message", "type", "param", "code"}
    return error["error"]["code"], error["error"]["message"]


def of_anthropic(error: Any) -> tuple[str, str]:
    """The type of Anthropic's error body stands for a code; and its message."""
    assert error["type"] == "error"
    assert error["request_id"]
    kinds = {"upstream_timeout": "timeout_error"}
    return kinds.get(error["error"]["type"], error["error"]["type"]), error["error"]["message"]


def of_gemini(error: Any) -> tuple[str, str]:
    """The status of Gemini's error body stands for a code; and its message."""
    assert error["error"]["code"] in {502, 504}
    return error["error"]["status"], error["error"]["message"]


READERS: Mapping[str, Callable[[Any], tuple[str, str]]] = {
    "openai": of_openai,
    "anthropic": of_anthropic,
    "gemini": of_gemini,
}
WORDS = {
    ("anthropic", "upstream_timeout"): "timeout_error",
    ("anthropic", "upstream_unreachable"): "api_error",
    ("anthropic", "upstream_error"): "api_error",
    ("gemini", "upstream_timeout"): "DEADLINE_EXCEEDED",
    ("gemini", "upstream_unreachable"): "UNAVAILABLE",
    ("gemini", "upstream_error"): "UNAVAILABLE",
}
"""What a dialect says in place of our code."""


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("name", FAULTS)
def test_fault(site: Site, dialect: str, name: str) -> None:
    """The client is told in its API's words, the event says who failed, and the connection goes on where it can."""
    fault = FAULTS[name]
    connection = site.gateway.connection()
    connection.connect()
    port = connection.sock.getsockname()[1]
    # So that a pooled connection is there, whichever rows ran before.
    assert ask(connection, dialect, "", "none")[0] == 200
    status, fields, body, is_whole = ask(connection, dialect, fault.where, name)
    assert (status, is_whole) == (fault.status, fault.can_go_on)
    if status != 200:
        assert fields["x-gateway-error-source"] == "upstream"
        assert fields["content-type"].startswith("application/json")
        code, message = READERS[dialect](json.loads(body))
        assert code == WORDS.get((dialect, fault.code), fault.code)
        assert fault.words in message
        assert "127.0.0.1" not in message
    elif is_whole:
        assert body.startswith(FIRST_EVENTS[dialect])
        last = body.rstrip().rpartition(b"data: ")[2]
        code, _ = READERS[dialect](json.loads(last))
        assert code == WORDS.get((dialect, fault.code), fault.code)
    event = site.gateway.event(fields["x-request-id"])
    assert (event["status_code"], event["error_source"], event["error"]) == (status, "upstream", fault.code)
    assert (event["attempts"], event.get("is_cut", False)) == (fault.attempts, fault.is_cut)
    assert (event["provider"], event["dialect"]) == (f"{dialect}{fault.where}", dialect)
    if not fault.can_go_on:
        assert connection.sock is None or connection.sock.recv(1) == b""
        connection.close()
    assert ask(connection, dialect, "", "none")[::2] == (200, b'{"ok":true}')
    assert (connection.sock.getsockname()[1] == port) is fault.can_go_on
    connection.close()


def test_only_an_unread_request_is_repeated(site: Site) -> None:
    """A pooled connection that is reset costs a second attempt; whatever else goes wrong, nothing is asked twice."""
    connection = site.gateway.connection()
    ask(connection, "openai", "", "none")
    before = len(site.plain.requests)
    faults = ("malformed head", "reset before the first byte", "reset within a stream", "end within a chunk")
    for name in faults:
        ask(connection, "openai", "", "none")
        ask(connection, "openai", "", name)
    connection.close()
    asked = [field(request, b"x-fault").decode() for request in site.plain.requests[before:]]
    assert sorted(asked) == sorted([*faults, "reset before the first byte", *("none",) * 4])
