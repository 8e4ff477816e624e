"""`GET /v1/key`: what a caller may know about its own token, asked for with that token."""

from datetime import UTC, datetime

from sluicegate.control.access import Calling
from sluicegate.control.routes.body import Shown, moment
from sluicegate.control.routes.route import Route
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Token


class OwnKeyShown(Shown):
    """A caller's own token. Nothing that only its managers need, such as `metadata` and `tags`, is in it."""

    token_id: str
    key: str
    """Masked."""
    name: str
    tier: str
    organization_id: str
    project_id: str | None
    user_id: str | None
    is_active: bool
    expires_at: datetime | None
    idle_seconds: int | None
    retires_at: datetime | None
    max_requests: int | None
    request_count: int | None
    """Null where requests are not counted: for tokens that a file declares."""
    remaining_requests: int | None
    model: str | None
    models: list[str]
    paths: list[str]
    created_at: datetime | None
    last_used_at: datetime | None


async def show_own_key(key: Calling) -> OwnKeyShown:
    """The token that asks."""
    if key.token is not None:
        return _issued(key.token, key.shown, key.model)
    assert key.declared is not None
    return _declared(key.declared, key.shown)


def _issued(token: Token, shown: str, model: str | None) -> OwnKeyShown:
    bound = token.max_requests
    return OwnKeyShown(
        token_id=token.id,
        key=shown,
        name=token.name,
        tier=token.tier,
        organization_id=token.organization_id,
        project_id=token.project_id,
        user_id=token.user_id,
        is_active=True,
        expires_at=moment(token.expires_at),
        idle_seconds=token.idle_seconds,
        retires_at=moment(token.retires_at),
        max_requests=bound,
        request_count=token.request_count,
        remaining_requests=None if bound is None else max(bound - token.request_count, 0),
        model=model,
        models=list(token.models),
        paths=list(token.paths),
        created_at=moment(token.created_at),
        last_used_at=moment(token.last_used_at),
    )


def _declared(principal: Principal, shown: str) -> OwnKeyShown:
    expires = principal.expires_at
    return OwnKeyShown(
        token_id=principal.token_id,
        key=shown,
        name=principal.name,
        tier="",
        organization_id=principal.organization_id,
        project_id=principal.project_id,
        user_id=principal.user_id,
        is_active=True,
        expires_at=None if expires is None else datetime.fromtimestamp(expires, UTC),
        idle_seconds=None,
        retires_at=None,
        max_requests=None,
        request_count=None,
        remaining_requests=None,
        model=principal.model,
        models=list(principal.models),
        paths=list(principal.paths),
        created_at=None,
        last_used_at=None,
    )


ROUTES = (Route("GET", "/v1/key", "caller", show_own_key),)
