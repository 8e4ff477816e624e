"""How LiteLLM is started."""

import asyncio
import json
from pathlib import Path

import pytest

from sluicegate.bench.peers.litellm import Litellm
from tests.bench.peers.packaged import site


@pytest.mark.parametrize("is_tls", [False, True])
def test_launch(tmp_path: Path, is_tls: bool) -> None:
    """Its configuration leads the model to the provider and asks for the key that callers have."""
    version = asyncio.run(Litellm().version())
    launch = Litellm().launch(site(tmp_path, f"litellm-proxy=={version}", "litellm", is_tls=is_tls))
    assert launch.command[1:] == (
        *("--config", "config.yaml", "--host", "127.0.0.1", "--port", "4001", "--num_workers", "1"),
    )
    told = json.loads(launch.files["config.yaml"])
    (model,) = told["model_list"]
    assert model["model_name"] == launch.model
    assert model["litellm_params"]["api_base"] == f"{'https' if is_tls else 'http'}://127.0.0.1:4002/v1"
    assert told["general_settings"]["master_key"] == launch.credential
    assert launch.environment.get("SSL_CERT_FILE") == ("/authority.pem" if is_tls else None)
    assert launch.patience > 60
