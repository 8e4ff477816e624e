"""A caller's own token, as far as its caller may know it."""

from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus

from msgspec import Struct

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import bounds
from sluicegate.control.tenants.declared import said_of
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.tenants.tokens import withered
from sluicegate.control.token_directory import Declared, declared_in
from sluicegate.domain.default_limits import Defaults
from sluicegate.domain.limits import Limit
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Token
from sluicegate.domain.tokens import masked
from sluicegate.store.errors import StoreUnavailableError
from sluicegate.store.tokens import ResolvedToken


class OwnKey(Struct, frozen=True):
    """A token whose caller has just shown it: one of the database, or one that a file declares."""

    shown: str
    """Masked."""
    token: Token | None
    declared: Principal | None
    limits: tuple[Limit, ...] = ()
    """Every limit of it and its owners."""
    is_expired: bool = False
    model: str | None = None
    """What every request of it is answered by: its own model, or its project's."""
    models: tuple[str, ...] = ()
    """Those that it may use; all if empty."""
    paths: tuple[str, ...] = ()

    def require_unexpired(self) -> None:
        """Raise ProblemError 403 where its time is over."""
        if self.is_expired:
            raise ProblemError(HTTPStatus.FORBIDDEN, "This token has expired.")


async def own_key(
    tenancy: Tenancy, declared: Sequence[Declared], defaults: Defaults, digest: bytes, credential: str
) -> OwnKey | None:
    """The token of a digest, None where it is not known.

    Raises ProblemError 403 where it may not be used any more, for another reason than that its time is over.
    """
    principal = declared_in(declared, digest)
    if principal is not None:
        if not principal.is_active:
            raise ProblemError(HTTPStatus.FORBIDDEN, "This token is suspended.")
        is_over = principal.expires_at is not None and principal.expires_at * 1000 <= tenancy.now()
        # Without the database, with what the file says alone: that is what workers are told, too.
        with suppress(StoreUnavailableError):
            async with tenancy.database.reading() as session:
                principal = (await said_of(session, [principal]))[0].of(principal)
        bounds_of_it = (principal.model, principal.models, principal.paths)
        return OwnKey(masked(credential), None, principal, principal.limits, is_over, *bounds_of_it)
    async with tenancy.database.reading() as session:
        resolved = (await session.tokens.by_digests([digest])).get(digest)
        if resolved is None:
            return None
        limits = bounds.limits_of(resolved, await bounds.explicit_of(session, [resolved]), defaults)
    token, now = resolved.token, tenancy.now()
    is_over = token.expires_at is not None and token.expires_at <= now
    reason = _refusal(resolved, now)
    if reason is not None:
        raise ProblemError(HTTPStatus.FORBIDDEN, f"This token may not be used: {reason}.")
    shown = f"{token.prefix}…{token.last_four}"
    return OwnKey(shown, token, None, limits, is_over, resolved.model, token.models, token.paths)


def refusal_of(resolved: ResolvedToken, now: int) -> str | None:
    """Why it may not be used; None where it may."""
    return withered(resolved.token, now) or _refusal_of_owners(resolved)


def _refusal(resolved: ResolvedToken, now: int) -> str | None:
    """Why it may not be used, for another reason than that its time is over."""
    token = resolved.token
    is_over = token.expires_at is not None and token.expires_at <= now
    reason = withered(token, now)
    if reason is not None and not (is_over and token.status == "active"):
        return reason
    return _refusal_of_owners(resolved)


def _refusal_of_owners(resolved: ResolvedToken) -> str | None:
    if "suspended" in (resolved.organization_status, resolved.project_status, resolved.user_status):
        return "what it belongs to is suspended"
    return None
