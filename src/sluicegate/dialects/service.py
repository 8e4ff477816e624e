"""The service tier that an answer says it was served by: what costs something else than the usual tier has a name."""

from typing import Final

_USUAL: Final = frozenset({"", "default", "standard", "auto", "on_demand", "standard_only", "unspecified"})
"""OpenAI, Anthropic and Groq: the tier that a model's price is of."""
_LONGEST: Final = 32


def service_of(tier: str | None) -> str | None:
    """Its name (`flex`, `priority`, `batch`, `fast` …); None where nothing or the usual tier is told."""
    if tier is None or tier in _USUAL:
        return None
    return tier[:_LONGEST]
