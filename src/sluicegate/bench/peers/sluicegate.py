"""Sluicegate itself, a whole node with everything on that is on by default."""

import json
import sys

from sluicegate import __version__
from sluicegate.bench.peers.base import Launch, Site

_CALLER = "benchmark-0123456789abcdef"


LIMITS = (
    {"metric": "requests", "window": "1h", "maximum": 10**12},
    {"metric": "tokens", "window": "day", "maximum": 10**15},
    {"metric": "usd", "window": "month", "maximum": 10**9},
    {"metric": "concurrency", "window": "lifetime", "maximum": 10**6},
)
"""One of each kind, none of which is ever reached."""


class Sluicegate:
    """See the module."""

    def __init__(self, *, is_limited: bool = False) -> None:
        """`is_limited`: each request is held against four limits."""
        self._limits = LIMITS if is_limited else ()
        self.name = "sluicegate-limits" if is_limited else "sluicegate"

    async def version(self) -> str:
        """Our own."""
        return __version__

    def launch(self, site: Site) -> Launch:
        """One worker, one declared token."""
        provider: dict[str, str | int] = {
            "dialect": "openai",
            "base_url": f"{site.upstream}/v1",
            "api_key": "sk-benchmark",
            # Above what any run opens, as for Envoy: each stream holds a connection.
            "max_connections": 20_000,
        }
        if site.certificates is not None:
            provider["ca_file"] = str(site.certificates.authority)
        configuration = {
            "server": {"host": "127.0.0.1", "port": site.port, "workers": 1},
            "data_dir": str(site.directory / "data"),
            "providers": {"mock": provider},
            # Under a limit in dollars a model must have a price.
            "prices": [{"model": "*", "input": "0.15", "output": "0.60"}],
            "tokens": [{"name": "bench", "token": _CALLER, "limits": list(self._limits)}],
        }
        # JSON is YAML, and needs no library to be written.
        files = {"sluicegate.yaml": json.dumps(configuration, indent=1)}
        command = (sys.executable, "-m", "sluicegate", "serve", "--config", str(site.directory / "sluicegate.yaml"))
        return Launch(command, files, ready_path="/readyz", credential=_CALLER)
