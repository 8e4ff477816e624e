"""LiteLLM's proxy, in Python: one worker, a master key, no database."""

import json

from sluicegate.bench.peers.base import Launch, Site
from sluicegate.bench.peers.environments import installed

_VERSION = "1.106.2"
_KEY = "sk-benchmark-0123456789abcdef0123456789abcdef"
_PATIENCE = 120.0
"""Seconds. It imports for half a minute on a small machine."""


class Litellm:
    """See the module."""

    name = "litellm"

    async def version(self) -> str:
        """The one that is installed."""
        return _VERSION

    def launch(self, site: Site) -> Launch:
        """One model that leads to the provider."""
        provider = {"model": "openai/mock-model", "api_base": f"{site.upstream}/v1", "api_key": "sk-benchmark"}
        configuration = {
            "model_list": [{"model_name": "mock-model", "litellm_params": provider}],
            "general_settings": {"master_key": _KEY},
        }
        environment = {"LITELLM_LOG": "ERROR"}
        if site.certificates is not None:
            environment["SSL_CERT_FILE"] = str(site.certificates.authority)
        program = installed(site.environments, f"litellm[proxy]=={_VERSION}", "litellm")
        options = ("--config", "config.yaml", "--host", "127.0.0.1", "--port", str(site.port), "--num_workers", "1")
        return Launch(
            (str(program), *options),
            # JSON is YAML, and needs no library to be written.
            {"config.yaml": json.dumps(configuration, indent=1)},
            environment,
            patience=_PATIENCE,
            credential=_KEY,
        )
