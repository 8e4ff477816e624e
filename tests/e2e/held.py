"""A provider that begins its streams and goes on when a test says so: however long that takes, they are under way."""

import socket
import threading
from types import TracebackType

from tests.e2e.polling import PATIENCE
from tests.e2e.scripted import ScriptedProvider, chunked, sized

_FIRST = b'data: {"choices":[{"index":0,"delta":{"content":"first"}}]}\n\n'
_LAST = b"data: [DONE]\n\n"


class Held(ScriptedProvider):
    """Answers chat completions. A stream goes on after its first event once `may_go_on` is set."""

    def __init__(self) -> None:
        """Start to listen."""
        self.may_go_on = threading.Event()
        super().__init__(self._answer)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let every stream go on, and end."""
        self.may_go_on.set()
        super().__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        if b'"stream": true' not in request:
            connection.sendall(sized(b'{"object":"chat.completion","choices":[]}'))
            return
        whole = chunked(_FIRST, _LAST)
        first = chunked(_FIRST, is_ended=False)
        connection.sendall(first)
        assert self.may_go_on.wait(PATIENCE)
        connection.sendall(whole.removeprefix(first))
