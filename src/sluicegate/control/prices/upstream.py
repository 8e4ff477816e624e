"""Which provider of the bundled table one of ours is: by its address, else its name, else its dialect.

The openai dialect names nobody: everyone speaks it, a model server next door as well.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sluicegate.domain import snapshot
from sluicegate.domain.pricing import Price, with_hourly_cache

if TYPE_CHECKING:
    from genai_prices.types import Provider

_BY_DIALECT = {"anthropic": "anthropic", "gemini": "google"}
_CLOUDFLARE_GATEWAY = re.compile(r"https://gateway\.ai\.cloudflare\.com/v1/[^/]+/[^/]+/([a-z0-9-]+)")
"""Its last part is the provider behind it, or `compat`: then models are called `provider/model`."""


class Upstream(Struct, frozen=True):
    """One of our providers: its name, the dialect it speaks, and its base URL."""

    name: str
    dialect: str = ""
    base_url: str = ""


def upstream_at(provider: snapshot.Provider) -> Upstream:
    """A provider of a snapshot, as the bundled table is searched for it."""
    origin = provider.origin
    where = f"unix:{origin.host}" if origin.scheme == "unix" else f"{origin.scheme}://{provider.authority}"
    return Upstream(provider.name, provider.dialect, where + provider.base_path)


def candidates(upstream: Upstream, model: str, table: "Sequence[Provider]") -> "Iterator[tuple[Provider, str]]":
    """Providers of the table that may serve the model, the surest first, each with its own name for the model."""
    model = model.removeprefix("models/")
    found = provider_of(upstream, table)
    if found is not None:
        yield found, model
    prefix, slash, rest = model.partition("/")
    # What is reached without TLS is a server of one's own: it charges nobody's prices, whatever its models are called.
    if slash and not upstream.base_url.startswith(("http:", "unix:")):
        named = next((provider for provider in table if provider.id == prefix.lower()), None)
        if named is not None and named is not found:
            yield named, rest


def reported(price: Price, upstream: Upstream) -> Price:
    """The price with rates for whatever kinds of tokens the provider's API tells apart."""
    return with_hourly_cache(price) if upstream.dialect == "anthropic" else price


def provider_of(upstream: Upstream, table: "Sequence[Provider]") -> "Provider | None":
    """The provider of the table that this is; None where it is none of them."""
    behind = _CLOUDFLARE_GATEWAY.match(upstream.base_url)
    if behind is not None:
        return _by_name(behind[1], table)
    for provider in table:
        if re.match(provider.api_pattern, upstream.base_url):
            return provider
    return _by_name(upstream.name, table) or _by_name(_BY_DIALECT.get(upstream.dialect, ""), table)


def _by_name(name: str, table: "Sequence[Provider]") -> "Provider | None":
    if not name:
        return None
    name = name.lower()
    exact = next((provider for provider in table if provider.id == name), None)
    return exact or next(
        (provider for provider in table if provider.provider_match and provider.provider_match.is_match(name)), None
    )
