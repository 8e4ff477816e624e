"""Budget: every limit of the token, user, project and organisation. None can be declared yet, so all are admitted."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange


def budget(_exchange: "Exchange") -> None:
    """Admit."""
    return
