"""The management API on a socket, for programs that want a server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sluicegate.control.web import WebServer
from tests.control.api import Api


@contextmanager
def served(api: Api) -> Iterator[str]:
    """Serve on this machine, on the loop that the database is used on; give the base URL."""
    is_started = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    server = WebServer(api.application, started=is_started.set)
    thread = threading.Thread(target=lambda: api.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        assert is_started.wait(60)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        api.runner.get_loop().call_soon_threadsafe(server.end)
        thread.join()
        listener.close()
