"""Tokens: `/manage/tokens` as system D's clients know it, `/admin/create-key` as system C's, `/admin/tokens` in full.

The secret is in the answer that issues a token; everywhere else it is masked.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import Body as FromBody
from fastapi import Request, Response
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import (
    Body,
    Count,
    Identifier,
    Metadata,
    Moment,
    Name,
    Names,
    Seconds,
    Shown,
    Text,
    Whole,
    Words,
    milliseconds,
    moment,
)
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.paging import IdentifierFilter, Listing, Paged, Search, bare_page, cursor_page
from sluicegate.control.routes.projects import Revoked
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import tokens
from sluicegate.control.tenants.tokens import Issued, TokenFields, is_usable
from sluicegate.domain.tenants import Token

Status = Literal["active", "suspended", "revoked"]
Minutes = Annotated[int, Field(ge=1, le=5_256_000), Whole]
"""Up to ten years."""
Paths = Annotated[list[Annotated[str, Field(max_length=256, pattern=r"^[!-~]+$")]], Field(max_length=256)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[ -~]+$")]


class TokenUpdate(Body):
    """What shall change of a token; what is not there stays, null takes a bound away."""

    name: Text = ""
    tier: Text = ""
    status: Literal["active", "suspended"] = "active"
    expires_at: Moment | None = None
    idle_seconds: Seconds | None = None
    max_requests: Count | None = None
    model: Name | None = None
    models: Words = []
    paths: Paths = []
    request_headers: Names = []
    tags: Words = []
    metadata: Metadata = {}


class TokenCreate(TokenUpdate):
    """A new token, of a project, a user, or both; of the default project, if of neither."""

    project_id: Identifier | None = None
    user_id: Identifier | None = None
    expires_in: Seconds | None = None
    """From now; of `expires_at` and this, the earlier counts."""


class ProjectTokenCreate(Body):
    """A new token of a project."""

    project_id: Identifier
    duration_minutes: Minutes
    max_requests: Count | None = None
    request_headers: Names = []
    """Only these of a request's header fields go to the provider; not set: all."""


class KeyCreate(Body):
    """A new key, of the default project."""

    name: Name
    tier: Text | None = None
    expires_in: Seconds | None = None


class TokenSecret(Body):
    """A token itself, to be revoked."""

    token: Secret


class Rotation(Body):
    """How long the old token works on."""

    overlap_seconds: Annotated[int, Field(ge=0, le=31_536_000), Whole] = 0


class RevokeOf(Body):
    """Whose tokens shall be revoked: exactly one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    project_id: Identifier = ""
    user_id: Identifier = ""
    organization_id: Identifier = ""

    @model_validator(mode="after")
    def _one_owner(self) -> "RevokeOf":
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of project_id, user_id and organization_id")
        return self


class TokenShown(Shown):
    """A token. `token` is masked, but in the answer that issues it."""

    token_id: str
    token: str
    name: str
    tier: str
    organization_id: str
    project_id: str | None
    user_id: str | None
    status: Status
    is_active: bool
    """Whether it may be used now: neither suspended nor revoked, expired or used up."""
    expires_at: datetime | None
    idle_seconds: int | None
    retires_at: datetime | None
    replaced_by: str | None
    max_requests: int | None
    request_count: int
    model: str | None
    models: list[str]
    paths: list[str]
    request_headers: list[str]
    tags: list[str]
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None


class KeyShown(Shown):
    """A new key as system C's clients know it."""

    api_key: str
    name: str
    tier: str
    created_at: datetime
    expires_at: datetime | None


def shown(token: Token, now: int, *, secret: str | None = None) -> TokenShown:
    """The form in which it is sent. `now` is in Unix milliseconds."""
    return TokenShown(
        token_id=token.id,
        token=secret or tokens.shown(token),
        name=token.name,
        tier=token.tier,
        organization_id=token.organization_id,
        project_id=token.project_id,
        user_id=token.user_id,
        status=token.status,
        is_active=is_usable(token, now),
        expires_at=moment(token.expires_at),
        idle_seconds=token.idle_seconds,
        retires_at=moment(token.retires_at),
        replaced_by=token.replaced_by,
        max_requests=token.max_requests,
        request_count=token.request_count,
        model=token.model,
        models=list(token.models),
        paths=list(token.paths),
        request_headers=list(token.request_headers),
        tags=list(token.tags),
        metadata=token.metadata,
        created_at=moment(token.created_at),
        updated_at=moment(token.updated_at),
        last_used_at=moment(token.last_used_at),
    )


def fields_of(body: TokenUpdate) -> TokenFields:
    """What a body sets, in the domain's units."""
    fields: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set & _SET}
    if "expires_at" in fields:
        fields["expires_at"] = milliseconds(fields["expires_at"])
    for name in ("models", "paths", "tags"):
        if name in fields:
            fields[name] = tuple(fields[name])
    if "request_headers" in fields:
        fields["request_headers"] = _names(fields["request_headers"])
    return cast("TokenFields", fields)


async def create_project_token(request: Request, body: ProjectTokenCreate, actor: Acting, context: Reached) -> Response:
    """Issue a token for a project."""
    issued = await tokens.create(
        context.tenancy,
        actor,
        TokenFields(max_requests=body.max_requests, request_headers=_names(body.request_headers)),
        project_id=body.project_id,
        lifetime=body.duration_minutes * 60,
    )
    return _issued(request, issued, context)


async def create_token(request: Request, body: TokenCreate, actor: Acting, context: Reached) -> Response:
    """Issue a token."""
    issued = await tokens.create(
        context.tenancy,
        actor,
        fields_of(body),
        project_id=body.project_id,
        user_id=body.user_id,
        lifetime=body.expires_in,
    )
    return _issued(request, issued, context)


async def create_key(body: KeyCreate, actor: Acting, context: Reached) -> KeyShown:
    """Issue a token as system C's clients ask for it."""
    fields = TokenFields(name=body.name, tier=body.tier or "")
    issued = await tokens.create(context.tenancy, actor, fields, lifetime=body.expires_in)
    token = issued.token
    return KeyShown(
        api_key=issued.secret,
        name=token.name,
        tier=token.tier,
        created_at=moment(token.created_at),
        expires_at=moment(token.expires_at),
    )


async def list_tokens(
    request: Request,
    actor: Acting,
    context: Reached,
    page: Paged,
    search: Search = None,
    project_id: IdentifierFilter = None,
    user_id: IdentifierFilter = None,
    organization_id: IdentifierFilter = None,
    status: Status | None = None,
) -> Response:
    """The tokens, oldest first; the next page's cursor is in `x-next-cursor` and `Link`."""
    records = await tokens.search(
        context.tenancy,
        actor,
        after=page.after,
        limit=page.wanted,
        organization_id=organization_id,
        project_id=project_id,
        user_id=user_id,
        status=status,
        text=search,
    )
    now = context.tenancy.now()
    return bare_page(request, records, page, lambda token: shown(token, now))


async def page_tokens(
    actor: Acting,
    context: Reached,
    page: Paged,
    search: Search = None,
    project_id: IdentifierFilter = None,
    user_id: IdentifierFilter = None,
    organization_id: IdentifierFilter = None,
    status: Status | None = None,
) -> Listing[TokenShown]:
    """The tokens, oldest first."""
    records = await tokens.search(
        context.tenancy,
        actor,
        after=page.after,
        limit=page.wanted,
        organization_id=organization_id,
        project_id=project_id,
        user_id=user_id,
        status=status,
        text=search,
    )
    now = context.tenancy.now()
    return cursor_page(records, page, lambda token: shown(token, now))


async def show_token(request: Request, token_id: str, actor: Acting, context: Reached) -> Response:
    """One token."""
    return _shown(request, await tokens.find(context.tenancy, actor, token_id), context)


async def update_token(request: Request, token_id: str, body: TokenUpdate, actor: Acting, context: Reached) -> Response:
    """Change what the body names."""
    token = await tokens.change(context.tenancy, actor, token_id, fields_of(body), check=matching(request))
    return _shown(request, token, context)


async def revoke_token(request: Request, token_id: str, actor: Acting, context: Reached) -> Response:
    """Revoke it, for good."""
    await tokens.set_status(context.tenancy, actor, token_id, "revoked", check=matching(request))
    return Response(status_code=204)


async def revoke_secret(body: TokenSecret, actor: Acting, context: Reached) -> Response:
    """Revoke the token that the body shows, for good."""
    await tokens.revoke_secret(context.tenancy, actor, body.token)
    return Response(status_code=204)


async def suspend_token(request: Request, token_id: str, actor: Acting, context: Reached) -> Response:
    """Refuse its requests until it is resumed."""
    token = await tokens.set_status(context.tenancy, actor, token_id, "suspended", check=matching(request))
    return _shown(request, token, context)


async def resume_token(request: Request, token_id: str, actor: Acting, context: Reached) -> Response:
    """Admit its requests again."""
    token = await tokens.set_status(context.tenancy, actor, token_id, "active", check=matching(request))
    return _shown(request, token, context)


async def rotate_token(
    request: Request,
    token_id: str,
    actor: Acting,
    context: Reached,
    body: Annotated[Rotation, FromBody(default_factory=Rotation)],
) -> Response:
    """Issue a successor; the old one works on for the overlap, which without a body is none."""
    issued = await tokens.rotate(
        context.tenancy, actor, token_id, overlap=body.overlap_seconds, check=matching(request)
    )
    return _issued(request, issued, context)


async def revoke_tokens(body: RevokeOf, actor: Acting, context: Reached) -> Revoked:
    """Revoke all tokens of a project, a user or an organisation."""
    owner = {name: str(value) for name, value in body.model_dump(exclude_unset=True).items()}
    return Revoked(revoked=await tokens.revoke_all(context.tenancy, actor, **owner))


def _names(headers: list[str]) -> tuple[str, ...]:
    """Names of header fields, which have no case (RFC 9110 section 5.1), each once."""
    return tuple(dict.fromkeys(header.lower() for header in headers))


def _issued(request: Request, issued: Issued, context: Reached) -> Response:
    token = issued.token
    location = f"/{request.url.path.split('/')[1]}/tokens/{token.id}"
    body = shown(token, context.tenancy.now(), secret=issued.secret)
    return tagged(request, body, token.version, status=201, location=location)


def _shown(request: Request, token: Token, context: Reached) -> Response:
    return tagged(request, shown(token, context.tenancy.now()), token.version, is_counting=True)


_SET = frozenset(TokenUpdate.model_fields)

ROUTES = (
    Route("POST", "/manage/tokens", "organization_admin", create_project_token, 201, TokenShown),
    Route("GET", "/manage/tokens", "viewer", list_tokens, 200, list[TokenShown]),
    Route("DELETE", "/manage/tokens", "organization_admin", revoke_secret, 204),
    Route("GET", "/manage/tokens/{token_id}", "viewer", show_token, 200, TokenShown),
    Route("DELETE", "/manage/tokens/{token_id}", "organization_admin", revoke_token, 204),
    Route("POST", "/admin/create-key", "organization_admin", create_key, 201),
    Route("POST", "/admin/tokens", "organization_admin", create_token, 201, TokenShown),
    Route("GET", "/admin/tokens", "viewer", page_tokens),
    Route("POST", "/admin/tokens/revoke", "organization_admin", revoke_tokens),
    Route("GET", "/admin/tokens/{token_id}", "viewer", show_token, 200, TokenShown),
    Route("PATCH", "/admin/tokens/{token_id}", "organization_admin", update_token, 200, TokenShown),
    Route("DELETE", "/admin/tokens/{token_id}", "organization_admin", revoke_token, 204),
    Route("POST", "/admin/tokens/{token_id}/suspend", "organization_admin", suspend_token, 200, TokenShown),
    Route("POST", "/admin/tokens/{token_id}/resume", "organization_admin", resume_token, 200, TokenShown),
    Route("POST", "/admin/tokens/{token_id}/rotate", "organization_admin", rotate_token, 201, TokenShown),
)
