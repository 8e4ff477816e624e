"""Sluicegate itself, a whole node with everything on that is on by default."""

import json
import sys
from dataclasses import replace
from typing import Any

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

ROUTED = {
    "name": "smart",
    "targets": [{"model": "mock/gpt-4o-mini", "weight": 20}, {"model": "other/gpt-4o-mini", "weight": 80}],
    "fallbacks": ["last/gpt-4o-mini"],
    "sticky": "conversation",
}
"""A name of ours: two weighted targets with a breaker each, a fallback, stickiness by conversation."""


class Sluicegate:
    """See the module."""

    def __init__(self, *, is_limited: bool = False, is_routed: bool = False, is_logged: bool = True) -> None:
        """`is_limited`: each request is held against four limits; `is_routed`: it asks for a name of ours (ROUTED).

        Without `is_logged` there is the journal and its metrics, and no request log in the database.
        """
        self._limits = LIMITS if is_limited else ()
        self._is_routed = is_routed
        self._is_logged = is_logged
        self.name = "sluicegate" + "-limits" * is_limited + "-routing" * is_routed + "-unlogged" * (not is_logged)

    async def version(self) -> str:
        """Our own."""
        return __version__

    def launch(self, site: Site) -> Launch:
        """One worker, one declared token."""
        provider: dict[str, Any] = {
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
            "providers": dict.fromkeys(("mock", "other", "last") if self._is_routed else ("mock",), provider),
            "models": [ROUTED] if self._is_routed else [],
            # Under a limit in dollars a model must have a price.
            "prices": [{"model": "*", "input": "0.15", "output": "0.60"}],
            "request_log": {"enabled": self._is_logged},
            "tokens": [{"name": "bench", "token": _CALLER, "limits": list(self._limits)}],
        }
        # JSON is YAML, and needs no library to be written.
        files = {"sluicegate.yaml": json.dumps(configuration, indent=1)}
        command = (sys.executable, "-m", "sluicegate", "serve", "--config", str(site.directory / "sluicegate.yaml"))
        launch = Launch(command, files, ready_path="/readyz", credential=_CALLER)
        return replace(launch, model="smart") if self._is_routed else launch
