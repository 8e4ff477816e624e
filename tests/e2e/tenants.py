"""Managers and callers of a running gateway: what they ask, and which worker answers."""

import json
import os
from collections.abc import Mapping
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.e2e.polling import eventually
from tests.e2e.program import Gateway
from tests.e2e.stalls import seconds_until

MANAGEMENT_TOKEN = "management-0123456789abcdef"
SECONDS = 1.0
"""Within which a revocation, suspension or change is in force everywhere, on a machine that does not stall itself."""
_MOST_CONNECTIONS = 64
"""Tried until each worker holds one: that none of so many comes to a worker has a chance of 2^-64."""


class Management:
    """The management API, asked on one connection after another."""

    def __init__(self, gateway: Gateway, credential: str = MANAGEMENT_TOKEN) -> None:
        """Every request presents the credential."""
        self._gateway = gateway
        self._credential = credential

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
        """Status and body of the answer. Raises OSError or HTTPException where there is none."""
        connection = self._gateway.connection()
        content = None if body is None else json.dumps(body)
        fields = {"Authorization": f"Bearer {self._credential}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, content, fields | {n.replace("_", "-"): v for n, v in headers.items()})
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        return response.status, json.loads(data) if data else None

    def made(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What a POST has made."""
        status, made = self.ask("POST", path, body)
        assert status in (200, 201), made
        assert isinstance(made, dict)
        return made


class Callers:
    """A connection to every worker, kept open."""

    def __init__(self, gateway: Gateway, workers: int = 2) -> None:
        """Open connections until each worker holds one."""
        self._gateway = gateway
        self._connections: dict[int, HTTPConnection] = {}
        for _ in range(_MOST_CONNECTIONS):
            connection = gateway.connection()
            connection.connect()
            port = connection.sock.getsockname()[1]
            process = owner_of(gateway, port, workers)
            self._connections.setdefault(process, connection)
            if len(self._connections) == workers:
                return
        raise AssertionError(f"of {workers} workers only {len(self._connections)} take connections")

    def close(self) -> None:
        """Close them."""
        for connection in self._connections.values():
            connection.close()

    def statuses(self, token: str) -> set[int]:
        """What each worker answers to a chat completion with this token."""
        found = set()
        for connection in self._connections.values():
            response = self._gateway.ask(connection, token)
            response.read()
            found.add(response.status)
        return found

    def settle(self, token: str, status: int) -> None:
        """Wait until every worker answers so; before, it may say that it cannot tell yet, and nothing else."""

        def is_so() -> bool:
            found = self.statuses(token)
            assert found <= {status, 503}
            return found == {status}

        eventually(is_so)

    def seconds_until(self, token: str, status: int) -> float:
        """How long it takes until every worker answers so; each is asked again and again."""
        return seconds_until(lambda: self.statuses(token) == {status})


def owner_of(gateway: Gateway, client_port: int, workers: int) -> int:
    """Wait until a worker has taken the connection from this port of this machine; which one, by the kernel's tables.

    They change while they are read: whoever has its files listed closes one and opens another.
    """
    process = eventually(partial(_holder, gateway, client_port, workers))
    assert process is not None
    return process


def _holder(gateway: Gateway, client_port: int, workers: int) -> int | None:
    ours = f"{gateway.port:04X}", f"{client_port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = [row[9] for row in rows if (row[1].split(":")[1], row[2].split(":")[1]) == ours]
    for number in range(workers):
        process = gateway.process(f"worker-{number}")
        links = [os.readlink(path) for path in Path(f"/proc/{process}/fd").iterdir() if path.is_symlink()]
        if any(f"socket:[{inode}]" in links for inode in inodes):
            return process
    return None


def is_answered(management: Management, path: str) -> bool:
    """Whether the management API answers again, after one of its processes ended."""
    try:
        return management.ask("GET", path)[0] == 200
    except HTTPException:
        return False
