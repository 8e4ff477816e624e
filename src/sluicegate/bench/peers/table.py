"""All proxies that can be compared, by name."""

from sluicegate.bench.peers.aiohttp import Aiohttp
from sluicegate.bench.peers.base import Peer
from sluicegate.bench.peers.envoy import Envoy
from sluicegate.bench.peers.ferrogw import Ferrogw
from sluicegate.bench.peers.litellm import Litellm
from sluicegate.bench.peers.nginx import Nginx
from sluicegate.bench.peers.sluicegate import Sluicegate
from sluicegate.bench.peers.smg import Smg
from sluicegate.bench.peers.vllm_router import VllmRouter

PEERS: tuple[Peer, ...] = (
    Sluicegate(),
    Sluicegate(is_logged=False),
    Sluicegate(is_limited=True),
    Sluicegate(is_routed=True),
    Envoy(),
    Nginx(),
    Aiohttp(),
    Ferrogw(),
    Smg(),
    VllmRouter(),
    Litellm(),
)
"""In the order of reports."""


def named(names: str) -> list[Peer]:
    """The proxies of a list of names with commas between them. Raises ValueError for a name that is none."""
    by_name = {peer.name: peer for peer in PEERS}
    asked = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in asked if name not in by_name]:
        raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(by_name)}")
    return [by_name[name] for name in dict.fromkeys(asked)]
