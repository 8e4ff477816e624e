"""Shepherd Model Gateway, in Rust: a router for inference servers, here with one of them and without tokens."""

from sluicegate.bench.peers.base import Launch, Site
from sluicegate.bench.peers.environments import installed
from sluicegate.bench.program import free_port

_VERSION = "1.13.0"
_NO_LIMIT = "1000000"


class Smg:
    """See the module."""

    name = "smg"

    async def version(self) -> str:
        """The one that is installed."""
        return _VERSION

    def launch(self, site: Site) -> Launch:
        """One worker behind it; its metrics listen on a port of their own."""
        program = installed(site.environments, f"smg=={_VERSION}", "smg")
        options = ("--host", "127.0.0.1", "--port", str(site.port), "--worker-urls", site.upstream)
        limits = ("--max-concurrent-requests", _NO_LIMIT, "--rate-limit-tokens-per-second", _NO_LIMIT)
        rest = ("--policy", "round_robin", "--prometheus-port", str(free_port()), "--log-level", "error")
        tls = () if site.certificates is None else ("--ca-cert-paths", str(site.certificates.authority))
        command = (str(program), "launch", *options, *limits, *rest, *tls)
        # Tokio takes as many threads as there are processors unless told.
        return Launch(command, environment={"TOKIO_WORKER_THREADS": "1"})
