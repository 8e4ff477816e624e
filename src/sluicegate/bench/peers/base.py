"""What the comparison must know of a proxy to start it, and nothing else."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sluicegate.bench.certificates import Certificates


class PeerMissingError(Exception):
    """A proxy that is not installed here; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a proxy is to run: its port on 127.0.0.1, a directory of its own, and the provider behind it."""

    port: int
    directory: Path
    upstream_port: int
    certificates: Certificates | None = None
    """Given when the provider speaks TLS, which the proxy must then verify."""
    environments: Path | None = None
    """Where virtual environments for proxies that bring many packages are kept."""

    @property
    def upstream(self) -> str:
        """The provider's address."""
        return f"{'https' if self.certificates else 'http'}://127.0.0.1:{self.upstream_port}"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a proxy: files to write (path within its directory to text), command line, environment to add."""

    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_path: str | None = None
    """Answers 200 once the proxy is ready; without it the first answer of the provider through the proxy counts."""
    patience: float = 30.0
    """Seconds until it counts as failed."""
    credential: str = "sk-benchmark"
    """What callers must send."""
    model: str = "mock-model"


class Peer(Protocol):
    """One proxy."""

    @property
    def name(self) -> str:
        """Its name on the command line and in reports."""

    async def version(self) -> str:
        """What exactly is measured. Raises PeerMissingError."""

    def launch(self, site: Site) -> Launch:
        """Say how to start it. Raises PeerMissingError."""


async def output_of(*command: str) -> str:
    """What a program prints on both its outputs, without space around it; it must end by itself."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    return told.decode("utf-8", "replace").strip()
