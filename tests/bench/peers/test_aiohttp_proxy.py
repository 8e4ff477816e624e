"""The proxy in aiohttp forwards requests and streams."""

import asyncio
import contextlib
import sys
from pathlib import Path

from sluicegate.bench.mock import MockServer
from sluicegate.bench.peers import aiohttp_proxy
from sluicegate.bench.peers.base import Launch
from sluicegate.bench.program import Probe, free_port, running
from sluicegate.bench.request import Target
from tests.bench.conversation import LONGEST, request, until, with_mock


async def asked(port: int, said: bytes) -> bytes:
    """All that the proxy answers; it may not listen yet."""
    async with asyncio.timeout(LONGEST):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0)
            else:
                writer.write(said)
                answer = await reader.read()
                writer.close()
                return answer


def test_proxy_forwards() -> None:
    """Path, headers and body go one way, status, headers and stream the other; nothing is left open at the end."""

    async def converse(mock: MockServer) -> None:
        port = free_port()
        proxy = asyncio.ensure_future(aiohttp_proxy.serve(port, f"http://127.0.0.1:{mock.port}", None))
        body = b'{"model":"m","messages":[],"stream":true}'
        answer = await asked(port, request("/v1/chat/completions?a=b", body, "x-mock-tokens: 3"))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"text/event-stream" in answer
        assert b"data: [DONE]" in answer
        refused = await asked(port, request("/v1/chat/completions", b"{}", "x-mock-fault: status=429"))
        assert refused.startswith(b"HTTP/1.1 429 ")
        proxy.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await proxy
        await until(lambda: mock.open_connections == 0)

    with_mock(converse)


def test_proxy_is_a_program(tmp_path: Path) -> None:
    """It runs as a module, with its port and provider as arguments."""

    async def converse(mock: MockServer) -> None:
        port = free_port()
        command = (sys.executable, "-m", aiohttp_proxy.__name__, str(port), f"http://127.0.0.1:{mock.port}")
        probe = Probe(Target("127.0.0.1", port), request("/v1/models", method="GET"))
        async with running(Launch(command), tmp_path, probe, environment={}):
            assert mock.requests.paths.get("/v1/models", 0) >= 1

    with_mock(converse)
