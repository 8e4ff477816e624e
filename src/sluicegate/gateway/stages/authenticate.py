"""Authenticate: whose token is this, and may it be used?"""

import asyncio
from typing import TYPE_CHECKING

from sluicegate.dialects.allow import allowed_methods
from sluicegate.domain.errors import (
    ControlUnavailableError,
    CredentialMissingError,
    CredentialUnknownError,
    PathForbiddenError,
    RequestsSpentError,
    TokenExpiredError,
    TokenInactiveError,
)
from sluicegate.domain.issuing import has_valid_checksum
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import AllowRule
from sluicegate.domain.tokens import digest
from sluicegate.gateway.principals import ASK_SECONDS
from sluicegate.gateway.strangers import network

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.routes import Route

_LONGEST_ISSUED = 128
"""Characters; none of our tokens is longer, so the checksum of what is need not be looked at."""


def authenticate(exchange: "Exchange") -> "asyncio.Future[Principal | None] | None":
    """Set the principal, or wait for control's answer.

    Raises CredentialMissingError, CredentialUnknownError, TooManyUnknownError, TokenExpiredError, TokenInactiveError,
    RequestsSpentError, PathForbiddenError; and the route's own refusal, which only a known caller may learn. The
    control process checks its own callers.
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
        found = _ask(exchange, key)
        if not isinstance(found, Principal):
            return found
        principal = found
    if not principal.is_active:
        raise _inactive(principal)
    if principal.expires_at is not None and services.wall() >= principal.expires_at:
        if not principal.withers:
            raise TokenExpiredError(f"the token {_called(principal)} has expired; ask for a new one")
        return services.principals.ask_again(key, _patient(exchange))
    exchange.principal = principal
    if principal.paths:
        _check_path(principal, route)
    if route.refusal is not None:
        raise route.refusal
    return None


def _ask(exchange: "Exchange", key: bytes) -> "Principal | asyncio.Future[Principal | None]":
    """Whose token it is, or who will tell.

    A future's result is not looked at: a stage that waited runs again, and finds the entry or its refusal.
    """
    found = exchange.services.principals.find(
        key,
        _patient(exchange),
        network(exchange.client.address),
        is_damaged=_is_damaged(exchange.head.credential()),
    )
    if found is None:
        raise CredentialUnknownError("the API key is not known here; check it, or ask for a new one")
    return found


def _patient(exchange: "Exchange") -> float:
    """The time now, as long as it makes sense to ask once more: answers may come, but each too late to be believed."""
    now = exchange.services.clock()
    if now - exchange.started > ASK_SECONDS:
        raise ControlUnavailableError("the token could not be looked up in time; try again in a moment")
    return now


def _is_damaged(credential: bytes) -> bool:
    """Whether it looks like a token of ours that was mistyped: then only a declared one can be meant."""
    return len(credential) <= _LONGEST_ISSUED and has_valid_checksum(credential.decode("latin-1")) is False


def _inactive(principal: Principal) -> RequestsSpentError | TokenInactiveError:
    if principal.is_spent:
        return RequestsSpentError(
            f"the token {_called(principal)} has made all requests it was issued for; ask for a new one"
        )
    return TokenInactiveError(f"the token {_called(principal)} was revoked or suspended")


def _check_path(principal: Principal, route: "Route") -> None:
    for pattern in principal.paths:
        path = route.endpoint if pattern.startswith("/") else route.rest
        if allowed_methods((AllowRule(("any",), pattern),), path):
            return
    raise PathForbiddenError(
        f"the token {_called(principal)} may not use the path {route.endpoint}; it may use {', '.join(principal.paths)}"
    )


def _called(principal: Principal) -> str:
    return repr(principal.name or principal.token_id)
