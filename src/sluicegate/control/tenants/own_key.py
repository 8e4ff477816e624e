"""A caller's own token, as far as its caller may know it."""

from collections.abc import Sequence
from http import HTTPStatus

from msgspec import Struct

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.tenants.tokens import withered
from sluicegate.control.token_directory import Declared
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Token
from sluicegate.domain.tokens import masked


class OwnKey(Struct, frozen=True):
    """A token whose caller has just shown it: one of the database, or one that a file declares."""

    shown: str
    """Masked."""
    token: Token | None
    declared: Principal | None


async def own_key(tenancy: Tenancy, declared: Sequence[Declared], digest: bytes, credential: str) -> OwnKey | None:
    """The token of a digest, None where it is not known. Raises ProblemError 403 where it may not be used any more."""
    principal = next(filter(None, (tokens.get(digest) for tokens in declared)), None)
    if principal is not None:
        is_over = principal.expires_at is not None and principal.expires_at * 1000 <= tenancy.now()
        if is_over or not principal.is_active:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "This token has expired." if is_over else "This token is suspended."
            )
        return OwnKey(masked(credential), None, principal)
    async with tenancy.database.reading() as session:
        resolved = (await session.tokens.by_digests([digest])).get(digest)
    if resolved is None:
        return None
    token = resolved.token
    reason = withered(token, tenancy.now())
    owners = (resolved.organization_status, resolved.project_status, resolved.user_status)
    if reason is None and "suspended" in owners:
        reason = "what it belongs to is suspended"
    if reason is not None:
        raise ProblemError(HTTPStatus.FORBIDDEN, f"This token may not be used: {reason}.")
    return OwnKey(f"{token.prefix}…{token.last_four}", token, None)
