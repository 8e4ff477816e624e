"""aiohttp on both sides: what a proxy in Python costs when it is written in the obvious way."""

import sys
from importlib.metadata import PackageNotFoundError, version

from sluicegate.bench.peers.base import Launch, PeerMissingError, Site


class Aiohttp:
    """See the module; the proxy itself is `aiohttp_proxy`."""

    name = "aiohttp"

    def __init__(self, distribution: str = "aiohttp") -> None:
        self._distribution = distribution

    async def version(self) -> str:
        """The library's."""
        try:
            return version(self._distribution)
        except PackageNotFoundError:
            raise PeerMissingError("aiohttp is not installed: pip install aiohttp") from None

    def launch(self, site: Site) -> Launch:
        """With our own interpreter."""
        authority = () if site.certificates is None else (str(site.certificates.authority),)
        module = "sluicegate.bench.peers.aiohttp_proxy"
        return Launch((sys.executable, "-m", module, str(site.port), site.upstream, *authority))
