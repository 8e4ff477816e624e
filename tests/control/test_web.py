"""Serving the management API on a Unix socket."""

import asyncio
import signal
import socket
from pathlib import Path

from starlette.types import Receive, Scope, Send

from sluicegate.control.web import WebServer


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer every request alike."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def test_serves_until_told_to_end(tmp_path: Path) -> None:
    """It tells when it accepts connections, answers, and returns when told to; the process's signals stay its own."""
    before = signal.getsignal(signal.SIGTERM)

    async def scenario() -> bytes:
        started = asyncio.Event()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        server = WebServer(hello, started=started.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await asyncio.wait_for(started.wait(), 60)
            assert signal.getsignal(signal.SIGTERM) == before
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            server.end()
        return answer

    answer = asyncio.run(scenario())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nhello")
    assert b"server:" not in answer
    assert answer.count(b"\r\ndate: ") == 1
