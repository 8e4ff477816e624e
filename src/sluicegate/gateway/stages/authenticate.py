"""Authenticate: whose token is this, and may it be used?"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from sluicegate.domain.errors import (
    CredentialMissingError,
    CredentialUnknownError,
    TokenExpiredError,
    TokenInactiveError,
)
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange


def authenticate(exchange: "Exchange") -> "asyncio.Future[Principal | None] | None":
    """Set the principal, or wait for control's answer.

    Raises CredentialMissingError, CredentialUnknownError, TokenExpiredError, TokenInactiveError; and the route's own
    refusal, which only a known caller may learn. The control process checks its own callers.
    """
    route = exchange.route
    if route.kind == "control":
        return None
    head = exchange.head
    key = head.credential_digest
    if not key:
        credential = head.credential()
        if not credential:
            raise CredentialMissingError(
                "no API key was sent: use the header 'Authorization: Bearer <token>', or x-api-key"
            )
        key = head.credential_digest = digest(credential)
    services = exchange.services
    principal = services.principals.get(key, exchange.started)
    if principal is None:
        # The future's result is not looked at: a stage that waited runs again, and finds the entry or its refusal.
        waits = services.principals.find(key, services.clock())
        if waits is not None:
            return waits
        raise CredentialUnknownError("the API key is not known here; check it, or ask for a new one")
    _check_usable(principal, services.wall)
    exchange.principal = principal
    if route.refusal is not None:
        raise route.refusal
    return None


def _check_usable(principal: Principal, wall: Callable[[], float]) -> None:
    if not principal.is_active:
        raise TokenInactiveError(f"the token {principal.name or principal.token_id!r} was revoked or suspended")
    if principal.expires_at is not None and wall() >= principal.expires_at:
        raise TokenExpiredError(f"the token {principal.name or principal.token_id!r} has expired; ask for a new one")
