"""Proxies are asked for by name."""

import pytest

from sluicegate.bench.peers.table import PEERS, named


def test_proxies_by_name() -> None:
    """In the order that was asked for, each once."""
    assert [peer.name for peer in named("nginx, envoy,nginx,")] == ["nginx", "envoy"]
    assert len({peer.name for peer in PEERS}) == len(PEERS)
    assert [peer.name for peer in named("litellm,smg,vllm-router,ferrogw")] == [
        "litellm",
        "smg",
        "vllm-router",
        "ferrogw",
    ]


def test_unknown_proxy() -> None:
    """An unknown name is told, with those that are known."""
    with pytest.raises(ValueError, match="unknown: apache; there are sluicegate, sluicegate-unlogged, sluice"):
        named("envoy,apache")
