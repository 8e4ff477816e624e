"""What a stored token's caller may do at this moment: its record and the state of its owners, judged."""

from sluicegate.domain.limits import Limit
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Token
from sluicegate.store.tokens import ResolvedToken


def principal_of(
    resolved: ResolvedToken, credentials: tuple[tuple[str, str], ...], now: int, limits: tuple[Limit, ...] = ()
) -> Principal:
    """The principal of a token. `now` is Unix milliseconds; `credentials` are its project's own provider keys.

    A token of a user alone has an empty `project_id`. Whether a token has made all its requests is for the ledger to
    say: here it is spent only where there never was one left that the ledger could count.
    """
    token = resolved.token
    is_spent = token.max_requests is not None and token.requests_before >= token.max_requests
    expires_at, withers = _expiry(token, now)
    return Principal(
        token_id=token.id,
        name=token.name,
        project_id=token.project_id or "",
        organization_id=token.organization_id,
        user_id=token.user_id,
        prefix=token.prefix,
        expires_at=expires_at / 1000 if expires_at is not None else None,
        withers=withers,
        is_active=_is_active(resolved) and not is_spent,
        is_spent=is_spent and _is_active(resolved),
        model=resolved.model,
        models=token.models,
        paths=token.paths,
        request_headers=tuple(name.lower() for name in token.request_headers),
        tags=token.tags,
        credentials=credentials,
        limits=limits,
        failure_mode=resolved.failure_mode,
        fallback_daily_limit=resolved.fallback_daily_limit or 0,
        body_share=resolved.body_share or 0.0,
        body_bytes=resolved.body_bytes or 0,
    )


def _is_active(resolved: ResolvedToken) -> bool:
    """Whether neither it nor anyone it belongs to was suspended; an owner it does not have has no state."""
    owners = (resolved.organization_status, resolved.project_status, resolved.user_status)
    return resolved.token.status == "active" and all(status in (None, "active") for status in owners)


def _expiry(token: Token, now: int) -> tuple[int | None, bool]:
    """Its first moment of refusal, if any, and whether a use would put it off.

    Once it has withered it has expired: a use cannot come any more.
    """
    fixed = [moment for moment in (token.expires_at, token.retires_at) if moment is not None]
    first = min(fixed, default=None)
    if token.idle_seconds is None:
        return first, False
    withered = (token.last_used_at or token.created_at) + token.idle_seconds * 1000
    if first is not None and first <= withered:
        return first, False
    return withered, withered > now
