"""How ferrogw is started."""

import asyncio
from pathlib import Path

import pytest

from sluicegate.bench.peers.ferrogw import Ferrogw
from tests.bench.peers.packaged import site


@pytest.mark.parametrize("is_tls", [False, True])
def test_launch(tmp_path: Path, is_tls: bool) -> None:
    """Its environment says where it listens, who the provider is, whom to trust and which key callers have."""
    version = asyncio.run(Ferrogw().version())
    launch = Ferrogw().launch(site(tmp_path, f"ferrogw=={version}", "ferrogw", is_tls=is_tls))
    assert [Path(launch.command[0]).name, *launch.command[1:]] == ["ferrogw", "serve"]
    assert launch.environment["PORT"] == "4001"
    assert launch.environment["OPENAI_BASE_URL"] == f"{'https' if is_tls else 'http'}://127.0.0.1:4002/v1"
    assert launch.environment["MASTER_KEY"] == launch.credential
    assert launch.environment.get("SSL_CERT_FILE") == ("/authority.pem" if is_tls else None)
    assert int(launch.environment["RATE_LIMIT_RPS"]) >= 100_000
