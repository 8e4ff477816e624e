"""Limits of organisations, projects, users and tokens, and what is used of them. Amounts of usd are dollars."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Request, Response
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.problems import invalid
from sluicegate.control.routes.body import Body, Identifier, Shown, moment
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.money import DOLLARS
from sluicegate.control.routes.paging import IdentifierFilter, Listing, Paged, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import limits
from sluicegate.control.tenants.limits import LimitFields, Measured, amount_of
from sluicegate.domain.limits import window_text
from sluicegate.domain.money import AmountError, nano_dollars
from sluicegate.domain.tenants import LimitRecord

Scope = Literal["project", "user", "token", "organization"]
Metric = Literal["requests", "tokens", "usd", "concurrency"]
Enforcement = Literal["hard", "soft", "shadow"]

MOST = 2**53 - 1

_NUMBER = {"type": "integer", "minimum": 0, "maximum": MOST}
_ROLLING = r"^([1-9][0-9]{0,6}s|[1-9][0-9]{0,4}m|[1-9][0-9]{0,2}h|[1-9][0-9]?d)$"
_WINDOWS = {
    "anyOf": [
        {"type": "string", "pattern": _ROLLING},
        {"enum": ["day", "month", "day@UTC", "month@Europe/Berlin", "lifetime"]},
    ]
}


def _read_amount(value: Any) -> int | float | str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a number, or dollars as a text")
    return value


Amount = Annotated[
    int | float | str,
    BeforeValidator(_read_amount),
    WithJsonSchema({"anyOf": [_NUMBER, *DOLLARS["anyOf"]], "examples": [1000, "12.50"]}),
]
"""A whole number; of usd, dollars."""
WindowText = Annotated[
    str,
    Field(min_length=1, max_length=96),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 96, "examples": ["5h", "month@Europe/Berlin"]}),
]
"""`90s`, `15m`, `5h` or `30d` roll, up to 366 days; `day` and `month` are of the calendar, in the organisation's time
zone or the one behind `@`; `lifetime` never ends."""


def _form(metrics: list[str], window: dict[str, Any], maximum: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"metric": {"enum": metrics}, "window": window, "maximum": maximum}}


class LimitCreate(Body):
    """A new limit. One of concurrency has the window `lifetime`."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                _form(["requests", "tokens"], _WINDOWS, _NUMBER),
                _form(["usd"], _WINDOWS, DOLLARS),
                _form(["concurrency"], {"const": "lifetime"}, _NUMBER),
            ]
        }
    )

    scope: Scope
    scope_id: Identifier
    """Of the organisation, project, user or token."""
    metric: Metric
    window: WindowText
    maximum: Amount
    enforcement: Enforcement = "hard"
    """`hard` is never exceeded; `soft` admits while anything is left; `shadow` is only reported."""


class LimitUpdate(Body):
    """What shall change of a limit; what is not there stays, and so does what was used."""

    maximum: Amount = 0
    enforcement: Enforcement = "hard"


class LimitShown(Shown):
    """A limit."""

    limit_id: str
    organization_id: str
    scope: Scope
    scope_id: str
    metric: Metric
    window: str
    maximum: int | float
    enforcement: Enforcement
    created_at: datetime
    updated_at: datetime


class LimitUsage(Shown):
    """What is used of a limit now."""

    scope: Scope
    scope_id: str
    """Of a token that was rotated, the first of its line."""
    metric: Metric
    window: str
    maximum: int | float
    enforcement: Enforcement
    used: int | float
    reserved: int | float
    """Set aside for requests under way, and by workers for the next ones."""
    remaining: int | float
    began_at: datetime | None
    """When the window began; of a rolling one, when the oldest part of it that counts did."""
    resets_at: datetime | None
    """When the window ends; of a rolling one, when its oldest part ceases to count. Null for what never does."""


def shown(limit: LimitRecord) -> LimitShown:
    """The form in which it is sent."""
    return LimitShown(
        limit_id=limit.id,
        organization_id=limit.organization_id,
        scope=limit.scope,
        scope_id=limit.scope_id,
        metric=limit.metric,
        window=limit.window,
        maximum=amount_of(limit.metric, limit.maximum),
        enforcement=limit.enforcement,
        created_at=moment(limit.created_at),
        updated_at=moment(limit.updated_at),
    )


def shown_usage(measured: Measured) -> LimitUsage:
    """The form in which it is sent."""
    limit, balance = measured.limit, measured.balance
    return LimitUsage(
        scope=limit.scope,
        scope_id=limit.scope_id,
        metric=limit.metric,
        window=window_text(limit.window),
        maximum=amount_of(limit.metric, limit.maximum),
        enforcement=limit.enforcement,
        used=amount_of(limit.metric, balance.used),
        reserved=amount_of(limit.metric, balance.leased),
        remaining=amount_of(limit.metric, max(limit.maximum - balance.used, 0)),
        began_at=moment(balance.began_at),
        resets_at=moment(balance.ends_at),
    )


def maximum_of(metric: Metric, amount: float | str) -> int:
    """What a maximum means in the domain's units. Raises ProblemError 422."""
    if metric == "usd":
        try:
            return nano_dollars(amount)
        except AmountError as error:
            raise invalid("maximum", str(error)) from None
    if isinstance(amount, float) and amount.is_integer():
        amount = int(amount)
    if not isinstance(amount, int) or not 0 <= amount <= MOST:
        raise invalid("maximum", f"must be a whole number from 0 to {MOST}")
    return amount


async def create_limit(request: Request, body: LimitCreate, actor: Acting, context: Reached) -> Response:
    """Set one."""
    limit = await limits.create(
        context.tenancy,
        actor,
        scope=body.scope,
        scope_id=body.scope_id,
        metric=body.metric,
        window=body.window,
        maximum=maximum_of(body.metric, body.maximum),
        enforcement=body.enforcement,
    )
    return tagged(request, shown(limit), limit.version, status=201, location=f"{request.url.path}/{limit.id}")


async def list_limits(
    actor: Acting,
    context: Reached,
    page: Paged,
    organization_id: IdentifierFilter = None,
    scope: Scope | None = None,
    scope_id: IdentifierFilter = None,
    metric: Metric | None = None,
) -> Listing[LimitShown]:
    """The limits that were set, oldest first."""
    records = await limits.search(
        context.tenancy,
        actor,
        after=page.after,
        limit=page.wanted,
        organization_id=organization_id,
        scope=scope,
        scope_id=scope_id,
        metric=metric,
    )
    return cursor_page(records, page, shown)


async def show_limit(request: Request, limit_id: str, actor: Acting, context: Reached) -> Response:
    """One limit."""
    limit = await limits.find(context.tenancy, actor, limit_id)
    return tagged(request, shown(limit), limit.version)


async def update_limit(request: Request, limit_id: str, body: LimitUpdate, actor: Acting, context: Reached) -> Response:
    """Change maximum or enforcement; what was used stays."""

    def fields(limit: LimitRecord) -> LimitFields:
        changed = LimitFields()
        if "maximum" in body.model_fields_set:
            changed["maximum"] = maximum_of(limit.metric, body.maximum)
        if "enforcement" in body.model_fields_set:
            changed["enforcement"] = body.enforcement
        return changed

    limit = await limits.change(context.tenancy, actor, limit_id, fields, check=matching(request))
    return tagged(request, shown(limit), limit.version)


async def delete_limit(request: Request, limit_id: str, actor: Acting, context: Reached) -> Response:
    """Take one away."""
    await limits.delete(context.tenancy, actor, limit_id, check=matching(request))
    return Response(status_code=204)


async def show_usage_of_limit(limit_id: str, actor: Acting, context: Reached) -> LimitUsage:
    """What is used of one now."""
    return shown_usage(await limits.usage(context.tenancy, context.ledger, actor, limit_id))


async def reset_limit(limit_id: str, actor: Acting, context: Reached) -> LimitUsage:
    """Forget what was used of one in its present window."""
    return shown_usage(await limits.reset(context.tenancy, context.ledger, actor, limit_id))


ROUTES = (
    Route("POST", "/manage/limits", "organization_admin", create_limit, 201, LimitShown),
    Route("GET", "/manage/limits", "viewer", list_limits, 200, Listing[LimitShown]),
    Route("GET", "/manage/limits/{limit_id}", "viewer", show_limit, 200, LimitShown),
    Route("PATCH", "/manage/limits/{limit_id}", "organization_admin", update_limit, 200, LimitShown),
    Route("DELETE", "/manage/limits/{limit_id}", "organization_admin", delete_limit, 204),
    Route("GET", "/manage/limits/{limit_id}/usage", "viewer", show_usage_of_limit, 200, LimitUsage),
    Route("POST", "/manage/limits/{limit_id}/reset", "organization_admin", reset_limit, 200, LimitUsage),
)
