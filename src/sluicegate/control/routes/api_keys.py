"""A user's API keys, as system E's clients know them: the tokens that are issued for the user."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Body as FromBody
from fastapi import Request, Response

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import (
    Body,
    Count,
    Identifier,
    Metadata,
    Moment,
    Name,
    Seconds,
    Shown,
    Text,
    Words,
    milliseconds,
    moment,
)
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.paging import Listing, Paged, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import tokens, users
from sluicegate.control.tenants.actor import missing
from sluicegate.control.tenants.tokens import TokenFields, is_usable
from sluicegate.domain.tenants import Token


class ApiKeyCreate(Body):
    """A new key."""

    name: Text = ""
    project_id: Identifier | None = None
    """Of the user's organisation; not set: it belongs to the user alone."""
    expires_at: Moment | None = None
    expires_in: Seconds | None = None
    """From now; of `expires_at` and this, the earlier counts."""
    max_requests: Count | None = None
    model: Name | None = None
    """What every request is answered by, whatever model it names."""
    models: Words = []
    """Not set: all."""
    tags: Words = []
    metadata: Metadata = {}


class ApiKeyShown(Shown):
    """A key. `api_key` is masked, but in the answer that issues it."""

    key_id: str
    user_id: str
    org_id: str
    project_id: str | None
    api_key: str
    name: str
    status: Literal["active", "suspended", "revoked"]
    is_active: bool
    """Whether it may be used now: neither suspended nor revoked, expired or used up."""
    expires_at: datetime | None
    max_requests: int | None
    request_count: int
    model: str | None
    models: list[str]
    tags: list[str]
    metadata: dict[str, Any]
    created_at: datetime
    last_used_at: datetime | None


def shown(token: Token, now: int, *, secret: str | None = None) -> ApiKeyShown:
    """The form in which it is sent. `now` is in Unix milliseconds."""
    return ApiKeyShown(
        key_id=token.id,
        user_id=token.user_id or "",
        org_id=token.organization_id,
        project_id=token.project_id,
        api_key=secret or tokens.shown(token),
        name=token.name,
        status=token.status,
        is_active=is_usable(token, now),
        expires_at=moment(token.expires_at),
        max_requests=token.max_requests,
        request_count=token.request_count,
        model=token.model,
        models=list(token.models),
        tags=list(token.tags),
        metadata=token.metadata,
        created_at=moment(token.created_at),
        last_used_at=moment(token.last_used_at),
    )


async def create_api_key(
    request: Request,
    user_id: str,
    body: Annotated[ApiKeyCreate, FromBody(default_factory=ApiKeyCreate)],
    actor: Acting,
    context: Reached,
) -> Response:
    """Issue one; without a body too. Its secret is in this answer only."""
    fields = TokenFields(
        name=body.name,
        expires_at=milliseconds(body.expires_at),
        max_requests=body.max_requests,
        model=body.model,
        models=tuple(body.models),
        tags=tuple(body.tags),
        metadata=body.metadata,
    )
    issued = await tokens.create(
        context.tenancy, actor, fields, project_id=body.project_id, user_id=user_id, lifetime=body.expires_in
    )
    token = issued.token
    key = shown(token, context.tenancy.now(), secret=issued.secret)
    return tagged(request, key, token.version, status=201, location=f"{request.url.path}/{token.id}")


async def list_api_keys(user_id: str, actor: Acting, context: Reached, page: Paged) -> Listing[ApiKeyShown]:
    """A user's keys, oldest first, without their secrets."""
    await users.find(context.tenancy, actor, user_id)
    records = await tokens.search(context.tenancy, actor, after=page.after, limit=page.wanted, user_id=user_id)
    now = context.tenancy.now()
    return cursor_page(records, page, lambda token: shown(token, now))


async def revoke_api_key(request: Request, user_id: str, key_id: str, actor: Acting, context: Reached) -> Response:
    """Revoke one, for good: it is refused from now on."""
    token = await tokens.find(context.tenancy, actor, key_id)
    if token.user_id != user_id:
        raise missing("API key", key_id)
    await tokens.set_status(context.tenancy, actor, key_id, "revoked", check=matching(request))
    return Response(status_code=204)


ROUTES = (
    Route("POST", "/admin/users/{user_id}/api-keys", "organization_admin", create_api_key, 201, ApiKeyShown),
    Route("GET", "/admin/users/{user_id}/api-keys", "viewer", list_api_keys, 200, Listing[ApiKeyShown]),
    Route("DELETE", "/admin/users/{user_id}/api-keys/{key_id}", "organization_admin", revoke_api_key, 204),
)
