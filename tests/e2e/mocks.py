"""Mock providers that come to grief: told to fail, killed, stopped, started again at the same place."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self

from tests.e2e.program import SLUICEGATE, environment

SECONDS = 60.0
CHAT = "/v1/chat/completions"


class Mock:
    """A started `sluicegate mock`."""

    def __init__(self, *flags: str) -> None:
        """Listen on any free port; `flags` are those of the command."""
        self._flags = flags
        self.port = 0
        self._process = self._started()

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<Mock {self.port} process={self._process.pid}>"

    def __enter__(self) -> Self:
        """Be ended at the end of a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it, stopped or not."""
        self.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        # It listens from here on, so that nobody waits for the process; only the process keeps the socket.
        with socket.create_server(("127.0.0.1", self.port), backlog=512) as listener:
            self.port, number = int(listener.getsockname()[1]), listener.fileno()
            command = [*SLUICEGATE, "mock", "--quiet", f"--fd={number}", *self._flags]
            return subprocess.Popen(command, pass_fds=(number,), env=environment())

    def kill(self) -> None:
        """End it without a word; its connections are reset, and new ones refused."""
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        """Start it again at the same place; its counts begin at nothing."""
        self._process = self._started()

    def stop(self) -> None:
        """Have it hang: connections are taken by the kernel, and nothing is answered."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def be(self, **settings: str) -> None:
        """Change how it behaves from now on: `fault="status=503"`, `fault_first="1"`, `delay="0.5"`."""
        self._ask("POST", "/__settings", json.dumps({name.replace("_", "-"): text for name, text in settings.items()}))

    def stats(self) -> dict[str, Any]:
        """Its books."""
        return self._ask("GET", "/__stats")

    def asked(self, path: str = CHAT) -> int:
        """Requests for this path that it has received whole."""
        return int(self.stats()["paths"].get(path, 0))

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        assert response.status == 200, answer
        return answer


@contextmanager
def two(*flags: str) -> Iterator[tuple[Mock, Mock]]:
    """Two of the same kind."""
    with ExitStack() as stack:
        yield stack.enter_context(Mock(*flags)), stack.enter_context(Mock(*flags))
