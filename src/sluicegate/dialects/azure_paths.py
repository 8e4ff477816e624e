"""Paths as clients of Azure OpenAI's dated API write them: what they are in OpenAI's own words.

`/openai/deployments/NAME/embeddings?api-version=2024-10-21` is `/v1/embeddings`, answered as the model NAME; what is
asked of no deployment is `/openai/files?api-version=…`. Sources: Azure OpenAI's REST API reference (data plane,
inference), and the class AzureOpenAI of OpenAI's SDK.
"""

from typing import Final, NamedTuple

from sluicegate.dialects.allow import allowed_methods
from sluicegate.domain.snapshot import Provider

FIRST_SEGMENT: Final = "openai"
_FIRST: Final = f"/{FIRST_SEGMENT}/"
_DEPLOYMENTS: Final = f"{_FIRST}deployments/"
_ENDPOINTS: Final = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/speech",
    "/images/generations",
    "/images/edits",
)
"""What deployments are asked. A longer one goes before one that it ends with."""


class AzurePath(NamedTuple):
    """OpenAI's own path without its version, and the model that is named beside it; empty where none is."""

    path: str
    deployment: str


def azure_path(path: str, named: Provider | None) -> AzurePath | None:
    """Read a decoded path without its query; None where it is no path of Azure's. A name may have slashes.

    `named` is the provider that such paths begin with the name of. Where there is one, only those of deployments are
    Azure's, unless it is allowed to have them itself.
    """
    if path.startswith(_DEPLOYMENTS):
        if named is not None and (named.allow is None or allowed_methods(named.allow, path[len(_FIRST) :])):
            return None
        for endpoint in _ENDPOINTS:
            name = path[len(_DEPLOYMENTS) : -len(endpoint)]
            if path.endswith(endpoint) and name:
                return AzurePath(endpoint, name)
        return None
    if path.startswith(_FIRST) and named is None:
        return AzurePath(path[len(_FIRST) - 1 :], "")
    return None


def azure_query(query: str) -> str:
    """A raw query without the API's version, which OpenAI's own has in the path; a `deployment` in it is a model."""
    pairs = [pair for pair in query.split("&") if pair.partition("=")[0] != "api-version"]
    return "&".join(f"model{pair[10:]}" if pair.startswith("deployment=") else pair for pair in pairs)
