"""How smg is started."""

import asyncio
from itertools import pairwise
from pathlib import Path

from sluicegate.bench.peers.smg import Smg
from tests.bench.peers.packaged import site


def options(command: tuple[str, ...]) -> dict[str, str]:
    """Values by option."""
    return {name: value for name, value in pairwise(command) if name.startswith("--")}


def test_launch(tmp_path: Path) -> None:
    """Its options say where it listens and who the worker is; its metrics do not listen on the same port."""
    version = asyncio.run(Smg().version())
    launch = Smg().launch(site(tmp_path, f"smg=={version}", "smg"))
    assert Path(launch.command[0]).name == "smg"
    given = options(launch.command)
    assert (given["--host"], given["--port"]) == ("127.0.0.1", "4001")
    assert given["--worker-urls"] == "http://127.0.0.1:4002"
    assert given["--prometheus-port"] != "4001"
    assert int(given["--max-concurrent-requests"]) >= 100_000
    assert launch.environment == {"TOKIO_WORKER_THREADS": "1"}


def test_tls(tmp_path: Path) -> None:
    """The authority of the worker's certificate is named."""
    version = asyncio.run(Smg().version())
    launch = Smg().launch(site(tmp_path, f"smg=={version}", "smg", is_tls=True))
    given = options(launch.command)
    assert (given["--worker-urls"], given["--ca-cert-paths"]) == ("https://127.0.0.1:4002", "/authority.pem")
