"""Users, their API keys and what they have used, as system E's clients know them."""

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import Query, Request, Response
from pydantic import AfterValidator, Field

from sluicegate.control.access import Acting
from sluicegate.control.context import Context, Reached
from sluicegate.control.routes.body import Body, Identifier, Metadata, Shown, Text, moment
from sluicegate.control.routes.consumption import DayShown, ModelShown, days_shown, models_shown
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.money import Usd, shown_dollars
from sluicegate.control.routes.paging import IdentifierFilter, Listing, Paged, Search, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import usage, users
from sluicegate.control.tenants.usage import Used
from sluicegate.control.tenants.users import UserFields
from sluicegate.domain.tenants import User

Status = Literal["active", "suspended"]
_LONGEST_EMAIL = 254


def _lowered(email: str) -> str:
    lowered = email.lower()
    # There are letters of which lower case has two: İ.
    if len(lowered) > _LONGEST_EMAIL:
        raise ValueError(f"must have at most {_LONGEST_EMAIL} characters in lower case")
    return lowered


Email = Annotated[
    str,
    Field(
        min_length=3,
        max_length=_LONGEST_EMAIL,
        # Only the frame of an address is checked (RFC 5321 sections 4.1.2, 4.5.3.1): nobody is sent anything.
        pattern=r"^[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+$",
    ),
    AfterValidator(_lowered),
]


class UserUpdate(Body):
    """What shall change of a user; what is not there stays, null takes a bound away."""

    email: Email = ""
    name: Text = ""
    monthly_limit_usd: Usd | None = None
    """What may be spent in a calendar month."""
    status: Status = "active"
    metadata: Metadata = {}


class UserCreate(UserUpdate):
    """A new user."""

    email: Email
    org_id: Identifier | None = None
    """Not set: the manager's own, or the default one."""


class UserShown(Shown):
    """A user."""

    user_id: str
    org_id: str
    email: str
    name: str
    monthly_limit_usd: float | None
    status: Status
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class UserUsage(Shown):
    """What a user has used."""

    user_id: str
    org_id: str
    usage_usd: float | None
    """Spent in the current calendar month; null where nothing bounds it, as it is not measured then."""
    limit_usd: float | None
    """The monthly limit; null where there is none."""
    remaining_usd: float | None
    """What is left of it; null where there is none."""
    request_count: int
    """Requests that the user's keys were used for, since they were made or their count was reset."""
    api_key_count: int
    last_used_at: datetime | None
    by_day: list[DayShown]
    """What all their requests came to in the last 30 days (UTC), bounded or not, oldest first; days without any are
    left out."""
    by_model: list[ModelShown]
    """The same by model, those with most requests first."""


def shown(user: User) -> UserShown:
    """The form in which it is sent."""
    return UserShown(
        user_id=user.id,
        org_id=user.organization_id,
        email=user.email,
        name=user.name,
        monthly_limit_usd=shown_dollars(user.monthly_limit),
        status=user.status,
        metadata=user.metadata,
        created_at=moment(user.created_at),
        updated_at=moment(user.updated_at),
    )


def fields_of(body: UserUpdate) -> UserFields:
    """What a body sets, in the domain's units."""
    fields: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set & _SET}
    if "monthly_limit_usd" in fields:
        fields["monthly_limit"] = fields.pop("monthly_limit_usd")
    return cast("UserFields", fields)


async def create_user(request: Request, body: UserCreate, actor: Acting, context: Reached) -> Response:
    """Make one."""
    user = await users.create(context.tenancy, actor, body.org_id, fields_of(body))
    return tagged(request, shown(user), user.version, status=201, location=f"{request.url.path}/{user.id}")


async def list_users(
    actor: Acting,
    context: Reached,
    page: Paged,
    org_id: IdentifierFilter = None,
    status: Status | None = None,
    email: Annotated[str | None, Query(max_length=254, pattern=r"^[^\x00-\x1f\x7f]*$")] = None,
    search: Search = None,
) -> Listing[UserShown]:
    """The users, oldest first."""
    return await _page(context, actor, page, org_id=org_id, status=status, email=email, search=search)


async def list_users_of_organization(
    org_id: str,
    actor: Acting,
    context: Reached,
    page: Paged,
    status: Status | None = None,
    search: Search = None,
) -> Listing[UserShown]:
    """An organisation's users, oldest first."""
    return await _page(context, actor, page, org_id=org_id, status=status, email=None, search=search)


async def show_user(request: Request, user_id: str, actor: Acting, context: Reached) -> Response:
    """One user."""
    user = await users.find(context.tenancy, actor, user_id)
    return tagged(request, shown(user), user.version)


async def update_user(request: Request, user_id: str, body: UserUpdate, actor: Acting, context: Reached) -> Response:
    """Change what the body names. While a user is suspended, none of their keys is admitted."""
    user = await users.change(context.tenancy, actor, user_id, fields_of(body), check=matching(request))
    return tagged(request, shown(user), user.version)


async def delete_user(request: Request, user_id: str, actor: Acting, context: Reached) -> Response:
    """Delete one with all their keys; the audit log keeps what happened."""
    await users.delete(context.tenancy, actor, user_id, check=matching(request))
    return Response(status_code=204)


async def show_usage_of_user(user_id: str, actor: Acting, context: Reached) -> UserUsage:
    """What a user has used, and of how much."""
    defaults = context.configuration.current.limit_defaults
    return _usage(await usage.of_user(context.tenancy, context.ledger, actor, user_id, defaults), user_id)


async def reset_quota(user_id: str, actor: Acting, context: Reached) -> UserUsage:
    """Forget what was used of a user's limits in their present windows; count the requests of all keys from zero."""
    defaults = context.configuration.current.limit_defaults
    return _usage(await usage.reset_of_user(context.tenancy, context.ledger, actor, user_id, defaults), user_id)


def _usage(used: Used, user_id: str) -> UserUsage:
    return UserUsage(
        user_id=user_id,
        org_id=used.organization_id,
        usage_usd=shown_dollars(used.spent),
        limit_usd=shown_dollars(used.limit),
        remaining_usd=shown_dollars(used.remaining),
        request_count=used.totals.requests,
        api_key_count=used.totals.tokens,
        last_used_at=moment(used.totals.last_used_at),
        by_day=days_shown(used.lately),
        by_model=models_shown(used.lately),
    )


async def _page(
    context: Context,
    actor: Acting,
    page: Paged,
    *,
    org_id: str | None,
    status: Status | None,
    email: str | None,
    search: str | None,
) -> Listing[UserShown]:
    records = await users.search(
        context.tenancy,
        actor,
        after=page.after,
        limit=page.wanted,
        organization_id=org_id,
        status=status,
        email=email,
        text=search or None,
    )
    return cursor_page(records, page, shown)


_SET = frozenset(UserUpdate.model_fields)

ROUTES = (
    Route("POST", "/admin/users", "organization_admin", create_user, 201, UserShown),
    Route("GET", "/admin/users", "viewer", list_users, 200, Listing[UserShown]),
    Route("GET", "/admin/users/{user_id}", "viewer", show_user, 200, UserShown),
    Route("PATCH", "/admin/users/{user_id}", "organization_admin", update_user, 200, UserShown),
    Route("DELETE", "/admin/users/{user_id}", "organization_admin", delete_user, 204),
    Route("GET", "/admin/users/{user_id}/usage", "viewer", show_usage_of_user, 200, UserUsage),
    Route("POST", "/admin/users/{user_id}/reset-quota", "organization_admin", reset_quota, 200, UserUsage),
    Route("GET", "/admin/organizations/{org_id}/users", "viewer", list_users_of_organization, 200, Listing[UserShown]),
)
