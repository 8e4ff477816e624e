"""vLLM's router, in Rust: a load balancer for inference servers, here with one of them and without tokens."""

from sluicegate.bench.peers.base import Launch, PeerMissingError, Site
from sluicegate.bench.peers.environments import installed
from sluicegate.bench.program import free_port

_VERSION = "0.1.17"
_NO_LIMIT = "1000000"


class VllmRouter:
    """See the module."""

    name = "vllm-router"

    async def version(self) -> str:
        """The one that is installed."""
        return _VERSION

    def launch(self, site: Site) -> Launch:
        """One worker behind it; its metrics listen on a port of their own."""
        if site.certificates is not None:
            raise PeerMissingError("vllm-router cannot be told to trust the authority of a worker")
        program = installed(site.environments, f"vllm-router=={_VERSION}", "vllm-router")
        options = ("--host", "127.0.0.1", "--port", str(site.port), "--worker-urls", site.upstream)
        limits = ("--max-concurrent-requests", _NO_LIMIT, "--rate-limit-tokens-per-second", _NO_LIMIT)
        rest = ("--policy", "round_robin", "--prometheus-port", str(free_port()), "--log-level", "error")
        # Tokio takes as many threads as there are processors unless told.
        return Launch((str(program), *options, *limits, *rest), environment={"TOKIO_WORKER_THREADS": "1"})
