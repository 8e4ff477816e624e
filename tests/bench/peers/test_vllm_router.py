"""How vllm-router is started."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from sluicegate.bench.peers.base import PeerMissingError
from sluicegate.bench.peers.vllm_router import VllmRouter
from tests.bench.peers.packaged import site


def options(command: tuple[str, ...]) -> dict[str, str]:
    """Values by option."""
    return {name: value for name, value in pairwise(command) if name.startswith("--")}


def test_launch(tmp_path: Path) -> None:
    """Its options say where it listens and who the worker is; its metrics do not listen on the same port."""
    version = asyncio.run(VllmRouter().version())
    launch = VllmRouter().launch(site(tmp_path, f"vllm-router=={version}", "vllm-router"))
    assert Path(launch.command[0]).name == "vllm-router"
    given = options(launch.command)
    assert (given["--host"], given["--port"]) == ("127.0.0.1", "4001")
    assert given["--worker-urls"] == "http://127.0.0.1:4002"
    assert given["--prometheus-port"] != "4001"
    assert int(given["--max-concurrent-requests"]) >= 100_000
    assert launch.environment == {"TOKIO_WORKER_THREADS": "1"}


def test_no_tls(tmp_path: Path) -> None:
    """It cannot verify our certificate, so it is left out rather than measured without."""
    with pytest.raises(PeerMissingError, match="trust"):
        VllmRouter().launch(site(tmp_path, "vllm-router", "vllm-router", is_tls=True))
