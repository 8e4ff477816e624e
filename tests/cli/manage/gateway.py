"""A gateway's management API of which a test writes every answer, and the command line that asks it."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from typer.testing import CliRunner, Result

from sluicegate.cli.manage import app

CREDENTIAL = "root-credential-0123"


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def line(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Scripted:
    """One answer to give. A body of bytes is sent as it is."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class ScriptedApi:
    """Gives its answers one after the other, and keeps what was asked."""

    def __init__(self) -> None:
        """Start to listen."""
        self.asked: list[Asked] = []
        self._answers: list[Scripted] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                api.handle(self)

            def log_message(self, *_: object) -> None:
                pass

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.answer)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def will_answer(self, body: Any = None, *, status: int = 200, **headers: str) -> None:
        """Give this answer behind those that are to be given already."""
        self._answers.append(Scripted(body, status, {name.replace("_", "-"): text for name, text in headers.items()}))

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request; hang up where there is no answer left."""
        data = request.rfile.read(int(request.headers.get("content-length", 0)))
        parts = urlsplit(request.path)
        self.asked.append(
            Asked(
                request.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                {name.lower(): value for name, value in request.headers.items()},
                json.loads(data) if data else None,
            )
        )
        if not self._answers:
            request.close_connection = True
            return
        answer = self._answers.pop(0)
        if answer.body is None:
            content = b""
        else:
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def manage(self, *arguments: str, given: str | None = None, **variables: str) -> Result:
        """Run `sluicegate manage` against it; `given` comes from standard input."""
        return manage(*arguments, given=given, MANAGE_API_BASE_URL=self.url, **variables)


def manage(*arguments: str, given: str | None = None, **variables: str) -> Result:
    """Run `sluicegate manage` with the usual credential, and these variables."""
    return CliRunner().invoke(
        app, arguments, input=given, env={"MANAGEMENT_TOKEN": CREDENTIAL, "MANAGE_API_BASE_URL": None} | variables
    )
