"""Organisations, as system E's clients know them."""

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import Request, Response
from pydantic import AfterValidator, Field, WithJsonSchema

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Body, Metadata, Name, Shown, moment
from sluicegate.control.routes.consumption import DayShown, ModelShown, days_shown, models_shown
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.money import Usd, shown_dollars
from sluicegate.control.routes.paging import Listing, Paged, Search, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import organizations, usage
from sluicegate.control.tenants.organizations import OrganizationFields
from sluicegate.domain import windows
from sluicegate.domain.limits import Calendar
from sluicegate.domain.tenants import Organization

Status = Literal["active", "suspended"]
FailureMode = Literal["closed", "open"]


def _zone(name: str) -> str:
    windows.check(Calendar("month", name))
    return name


TimeZone = Annotated[
    str,
    Field(min_length=1, max_length=64),
    AfterValidator(_zone),
    WithJsonSchema({"enum": ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]}),
]
"""An IANA name; the document lists some."""


class OrganizationUpdate(Body):
    """What shall change of an organisation; what is not there stays, null takes a bound away."""

    name: Name = ""
    status: Status = "active"
    monthly_budget_usd: Usd | None = None
    """What may be spent in a calendar month."""
    failure_mode: FailureMode = "closed"
    """What happens while budgets cannot be checked: no requests, or up to the fallback limit."""
    fallback_daily_limit: Usd | None = None
    """Dollars that may be spent in a day (UTC) meanwhile."""
    time_zone: TimeZone = "UTC"
    """Of its calendar months and days. With another one, the month's spending begins anew."""
    metadata: Metadata = {}


class OrganizationCreate(OrganizationUpdate):
    """A new organisation."""

    name: Name


class OrganizationShown(Shown):
    """An organisation."""

    org_id: str
    name: str
    status: Status
    monthly_budget_usd: float | None
    failure_mode: FailureMode
    fallback_daily_limit: float | None
    time_zone: str
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class OrganizationUsage(Shown):
    """What an organisation has used."""

    org_id: str
    usage_usd: float | None
    """Spent in the current calendar month; null where nothing bounds it, as it is not measured then."""
    limit_usd: float | None
    """The monthly budget; null where there is none."""
    remaining_usd: float | None
    """What is left of it; null where there is none."""
    request_count: int
    """Requests that the organisation's keys were used for, since they were made or their count was reset."""
    api_key_count: int
    last_used_at: datetime | None
    by_day: list[DayShown]
    """What all its requests came to in the last 30 days (UTC), bounded or not, oldest first; days without any are left
    out."""
    by_model: list[ModelShown]
    """The same by model, those with most requests first."""


def shown(organization: Organization) -> OrganizationShown:
    """The form in which it is sent."""
    return OrganizationShown(
        org_id=organization.id,
        name=organization.name,
        status=organization.status,
        monthly_budget_usd=shown_dollars(organization.monthly_budget),
        failure_mode=organization.failure_mode,
        fallback_daily_limit=shown_dollars(organization.fallback_daily_limit),
        time_zone=organization.time_zone,
        metadata=organization.metadata,
        created_at=moment(organization.created_at),
        updated_at=moment(organization.updated_at),
    )


def fields_of(body: OrganizationUpdate) -> OrganizationFields:
    """What a body sets, in the domain's units."""
    fields: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    if "monthly_budget_usd" in fields:
        fields["monthly_budget"] = fields.pop("monthly_budget_usd")
    return cast("OrganizationFields", fields)


async def create_organization(request: Request, body: OrganizationCreate, actor: Acting, context: Reached) -> Response:
    """Make one."""
    organization = await organizations.create(context.tenancy, actor, fields_of(body))
    location = f"{request.url.path}/{organization.id}"
    return tagged(request, shown(organization), organization.version, status=201, location=location)


async def list_organizations(
    actor: Acting, context: Reached, page: Paged, search: Search = None
) -> Listing[OrganizationShown]:
    """The organisations, oldest first."""
    records = await organizations.search(
        context.tenancy, actor, after=page.after, limit=page.wanted, text=search or None
    )
    return cursor_page(records, page, shown)


async def show_organization(request: Request, org_id: str, actor: Acting, context: Reached) -> Response:
    """One organisation."""
    organization = await organizations.find(context.tenancy, actor, org_id)
    return tagged(request, shown(organization), organization.version)


async def update_organization(
    request: Request, org_id: str, body: OrganizationUpdate, actor: Acting, context: Reached
) -> Response:
    """Change what the body names. While it is suspended, none of its keys is admitted."""
    organization = await organizations.change(context.tenancy, actor, org_id, fields_of(body), check=matching(request))
    return tagged(request, shown(organization), organization.version)


async def delete_organization(request: Request, org_id: str, actor: Acting, context: Reached) -> Response:
    """Delete it with everything in it; the audit log keeps what happened."""
    await organizations.delete(context.tenancy, actor, org_id, check=matching(request))
    return Response(status_code=204)


async def show_usage_of_organization(org_id: str, actor: Acting, context: Reached) -> OrganizationUsage:
    """What it has used, and of how much."""
    defaults = context.configuration.current.limit_defaults
    used = await usage.of_organization(context.tenancy, context.ledger, actor, org_id, defaults)
    return OrganizationUsage(
        org_id=org_id,
        usage_usd=shown_dollars(used.spent),
        limit_usd=shown_dollars(used.limit),
        remaining_usd=shown_dollars(used.remaining),
        request_count=used.totals.requests,
        api_key_count=used.totals.tokens,
        last_used_at=moment(used.totals.last_used_at),
        by_day=days_shown(used.lately),
        by_model=models_shown(used.lately),
    )


ROUTES = (
    Route("POST", "/admin/organizations", "admin", create_organization, 201, OrganizationShown),
    Route("GET", "/admin/organizations", "viewer", list_organizations, 200, Listing[OrganizationShown]),
    Route("GET", "/admin/organizations/{org_id}", "viewer", show_organization, 200, OrganizationShown),
    Route("PATCH", "/admin/organizations/{org_id}", "organization_admin", update_organization, 200, OrganizationShown),
    Route("DELETE", "/admin/organizations/{org_id}", "admin", delete_organization, 204),
    Route("GET", "/admin/organizations/{org_id}/usage", "viewer", show_usage_of_organization, 200, OrganizationUsage),
)
