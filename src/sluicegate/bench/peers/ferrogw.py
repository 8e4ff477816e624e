"""Ferro Labs' AI gateway, in Go: a token is checked, requests are decoded and encoded again."""

from sluicegate.bench.peers.base import Launch, Site
from sluicegate.bench.peers.environments import installed

_VERSION = "1.5.10"
_KEY = "fgw_0123456789abcdef0123456789abcdef"
_NO_LIMIT = "1000000"
"""Requests per second. Its own default would be the thing that is measured."""


class Ferrogw:
    """See the module."""

    name = "ferrogw"

    async def version(self) -> str:
        """The one that is installed."""
        return _VERSION

    def launch(self, site: Site) -> Launch:
        """Configured by its environment alone."""
        environment = {
            "HOST": "127.0.0.1",
            "PORT": str(site.port),
            "OPENAI_API_KEY": "sk-benchmark",
            "OPENAI_BASE_URL": f"{site.upstream}/v1",
            "MASTER_KEY": _KEY,
            "RATE_LIMIT_RPS": _NO_LIMIT,
            "RATE_LIMIT_BURST": _NO_LIMIT,
            "LOG_LEVEL": "error",
            # As for the others: one processor's worth of workers.
            "GOMAXPROCS": "1",
        }
        if site.certificates is not None:
            environment["SSL_CERT_FILE"] = str(site.certificates.authority)
        program = installed(site.environments, f"ferrogw=={_VERSION}", "ferrogw")
        # It serves only models of its own catalogue.
        return Launch((str(program), "serve"), environment=environment, credential=_KEY, model="gpt-4o-mini")
