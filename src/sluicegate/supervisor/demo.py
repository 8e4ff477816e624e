"""What a demo needs besides the node: a place for the mock provider, and a token for whoever tries it."""

import os
import socket

from sluicegate.control.channel import DEMO_VARIABLE


class Demo:
    """One demo. The mock's listening socket is held here, so that it outlives the mock's process."""

    def __init__(self) -> None:
        """Listen on a free port of this machine and invent a token."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.token = f"sk-sg-demo-{os.urandom(16).hex()}"

    def __repr__(self) -> str:
        """Tell where the mock is."""
        return f"<Demo {self.url}>"

    @property
    def url(self) -> str:
        """The mock's base URL."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What control's environment holds beyond ours."""
        return {DEMO_VARIABLE: self.token}

    def close(self) -> None:
        """Stop listening."""
        self.listener.close()
