"""A running mock: where it listens, what it counts, how its behaviour is changed."""

import asyncio
import json
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from sluicegate.bench.mock import MockServer, MockSettings, parse_fault, start_mock
from tests.bench.conversation import answer_to, heard, request, until, with_mock

CHAT = "/v1/chat/completions"


def status(answer: bytes) -> int:
    """The status of an answer."""
    return int(answer[9:12])


def test_counters_are_served() -> None:
    """Totals, requests by path, tokens, bytes; asking for them counts for nothing."""

    async def conversation(mock: MockServer) -> None:
        for body in (b"{}", b'{"stream":true}'):
            await heard(mock, request(CHAT + "?a=b", body))
        answer = await heard(mock, request("/__stats", method="GET"))
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {
            "total": 2,
            "paths": {CHAT: 2},
            "tokens": 8,
            "cancelled": 0,
            "connections": 3,
            "body_bytes": 17,
            "requests": 2,
            "streams_cut": 0,
            "open_connections": 1,
        }
        await until(lambda: not mock.open_connections)
        assert repr(mock) == f"<MockServer port={mock.port} requests=2 open=0>"
        assert mock.stats is mock.requests

    with_mock(conversation, MockSettings(tokens=4))


def test_request_asks_for_its_own_behaviour() -> None:
    """Headers count for one request only, and a wrong one is an error."""

    async def conversation(mock: MockServer) -> None:
        short = await heard(mock, request(CHAT, b"{}", "X-Mock-Tokens: 1", "x-mock-usage: off"))
        assert b'" river"' in short
        assert b"usage" not in short
        assert b'"usage"' in await heard(mock, request(CHAT, b"{}"))
        assert status(await heard(mock, request(CHAT, b"{}", "x-mock-speed: 1"))) == 400

    with_mock(conversation)


def test_only_the_first_requests_fail() -> None:
    """With `fault_first`, a client that tries again succeeds in the end; what the request asks for does not count."""

    async def conversation(mock: MockServer) -> list[int]:
        asked = await heard(mock, request(CHAT, b"{}", "x-mock-fault: status=529"))
        assert status(await heard(mock, request("/health", method="GET"))) == 200
        return [status(asked)] + [status(await heard(mock, request(CHAT, b"{}"))) for _ in range(3)]

    settings = MockSettings(fault=parse_fault("status=500"), fault_first=2)
    assert with_mock(conversation, settings) == [529, 500, 500, 200]


def test_defaults_change_while_it_runs() -> None:
    """What a gateway would not let through as a header is set at the mock itself."""

    async def conversation(mock: MockServer) -> None:
        change = await heard(mock, request("/__settings", b'{"fault": "status=503", "tokens": "3"}'))
        assert status(change) == 200
        assert (mock.settings.tokens, mock.settings.fault) == (3, parse_fault("status=503"))
        assert status(await heard(mock, request(CHAT, b"{}"))) == 503
        for wrong in (b"[]", b"{", b'{"speed": "1"}'):
            assert status(await heard(mock, request("/__settings", wrong))) == 400
        assert mock.settings.tokens == 3

    with_mock(conversation)


def test_the_next_requests_fail_while_it_runs() -> None:
    """How many are to fail is set at the mock itself as well, and counted from then on; a fault alone is for all."""

    async def conversation(mock: MockServer) -> list[int]:
        answers = []
        for change in (b'{"fault": "status=503", "fault-first": "1"}', b'{"fault": "status=502"}'):
            assert status(await heard(mock, request("/__settings", change))) == 200
            answers += [status(await heard(mock, request(CHAT, b"{}"))) for _ in range(2)]
        return answers

    assert with_mock(conversation) == [503, 200, 502, 502]


def test_wrong_key_is_refused() -> None:
    """A mock that asks for a key takes no other."""
    settings = MockSettings(require_key="good")
    assert status(answer_to(request(CHAT, b"{}", "authorization: Bearer bad"), settings)) == 401
    assert status(answer_to(request(CHAT, b"{}", "authorization: Bearer good"), settings)) == 200


def test_unknown_path_does_not_keep_its_body() -> None:
    """A body that nobody asked for is counted and dropped."""

    async def conversation(mock: MockServer) -> int:
        assert status(await heard(mock, request("/v1/nothing", b"x" * 1000))) == 404
        return mock.requests.body_bytes

    assert with_mock(conversation) == 1000


def test_tls() -> None:
    """The same mock behind a certificate that the client verifies."""
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)

    async def conversation() -> bytes:
        async with await start_mock(MockSettings(), ssl_context=server_side) as mock:
            reader, writer = await asyncio.open_connection("127.0.0.1", mock.port, ssl=client_side)
            writer.write(request("/health", method="GET"))
            answer = await reader.read()
            writer.close()
            return answer

    assert status(asyncio.run(conversation())) == 200


def test_unix_socket_and_inherited_socket(tmp_path: Path) -> None:
    """A mock listens where it is told to; a Unix socket has no port."""

    async def conversation() -> None:
        async with await start_mock(MockSettings(), uds=tmp_path / "mock.sock") as mock:
            assert mock.port == 0
            reader, writer = await asyncio.open_unix_connection(tmp_path / "mock.sock")
            writer.write(request("/health", method="GET"))
            assert status(await reader.read()) == 200
            writer.close()
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        async with await start_mock(MockSettings(), sock=listener) as mock:
            assert mock.port == port
            assert status(await heard(mock, request("/health", method="GET"))) == 200

    asyncio.run(conversation())


def test_closing_drops_everybody() -> None:
    """Closing waits for nobody: a stalled client sees the end."""

    async def conversation(mock: MockServer) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        writer.write(request(CHAT, b"{}"))
        await until(lambda: mock.requests.total > 0)
        await mock.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", mock.port)
        answer = await reader.read()
        writer.close()
        return answer

    assert with_mock(conversation, MockSettings(fault=parse_fault("stall-before"))) == b""
