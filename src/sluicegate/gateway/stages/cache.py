"""Cache: may the answer come from the response cache? There is none yet, so every request goes to its provider."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange


def cache(_exchange: "Exchange") -> None:
    """Go on."""
    return
