"""Paths of Azure's dated API, in OpenAI's own words."""

import pytest

from sluicegate.dialects.azure_paths import azure_path, azure_query
from sluicegate.domain.snapshot import AllowRule, Origin, Provider

ALONE = Provider("openai", "openai", Origin("http", "p", 80), "p", allow=(AllowRule(("POST",), "chat/completions"),))
ALL = Provider("openai", "openai", Origin("http", "p", 80), "p", allow=None)
OWN = Provider("openai", "openai", Origin("http", "p", 80), "p", allow=(AllowRule(("POST",), "deployments/**"),))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/openai/deployments/gpt-4o/chat/completions", ("/chat/completions", "gpt-4o")),
        ("/openai/deployments/gpt-4o/completions", ("/completions", "gpt-4o")),
        ("/openai/deployments/openai/gpt-4o/embeddings", ("/embeddings", "openai/gpt-4o")),
        ("/openai/deployments/w/audio/transcriptions", ("/audio/transcriptions", "w")),
        ("/openai/deployments/chat/completions", ("/completions", "chat")),
        ("/openai/deployments/embeddings", None),
        ("/openai/deployments//embeddings", None),
        ("/openai/deployments/gpt-4o/unknown", None),
        ("/openai/responses", ("/responses", "")),
        ("/openai/v1/responses", ("/v1/responses", "")),
        ("/openai", None),
        ("/v1/chat/completions", None),
    ],
)
def test_what_a_path_is(path: str, expected: tuple[str, str] | None) -> None:
    """OpenAI's own, and the deployment that it names."""
    assert azure_path(path, None) == expected


@pytest.mark.parametrize(("named", "is_azures"), [(ALONE, True), (ALL, False), (OWN, False)])
def test_a_provider_of_this_name_has_its_own_paths(named: Provider, *, is_azures: bool) -> None:
    """Those that it may be asked are its own; deployments are not, unless it is allowed to have them."""
    assert azure_path("/openai/responses", named) is None
    assert (azure_path("/openai/deployments/m/chat/completions", named) is not None) is is_azures


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("api-version=2024-10-21", ""),
        ("a=b&api-version=preview&c=%20", "a=b&c=%20"),
        ("api-version=x&deployment=gpt%2Frealtime", "model=gpt%2Frealtime"),
        ("", ""),
    ],
)
def test_what_a_query_is(query: str, expected: str) -> None:
    """Without the version, and with a model where a deployment is named; the rest to the byte as it was."""
    assert azure_query(query) == expected
