"""What was used in some time: `GET /admin/usage`, by hour, by day, or by whom or what."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Moment, Shown, milliseconds, moment
from sluicegate.control.routes.money import shown_dollars
from sluicegate.control.routes.paging import IdentifierFilter
from sluicegate.control.routes.requests import Word
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import consumption
from sluicegate.control.tenants.consumption import GroupBy, Question, Recent
from sluicegate.domain.usage_rows import Sums
from sluicegate.store.usage.rollups import Group

MOST_GROUPS = 1000


class SumsShown(Shown):
    """What some requests come to."""

    requests: int
    failed: int
    """Of these: answered with 400 or more, or cut short."""
    input_tokens: int
    output_tokens: int
    total_tokens: int
    """Of input and output together."""
    cache_read_tokens: int
    """Part of the input."""
    cost_usd: float
    unpriced: int
    """Requests that no price is known of: they are not in the cost."""
    average_duration_ms: float | None
    """Null where there were no requests."""


class GroupShown(SumsShown):
    """One group. `key` is an id, a name, or the beginning of an hour or day; empty where requests have none of it."""

    key: str


class UsageShown(Shown):
    """What was used from `since` up to `until`, which are those of whole hours or days in UTC."""

    since: datetime
    until: datetime
    group_by: GroupBy
    data: list[GroupShown]
    """Hours and days in their order, without empty ones; others with most requests first."""
    has_more: bool
    """There are more groups than were asked for; the total is of all."""
    next_cursor: str | None
    """What `after` is to be for these; null where there are none."""
    total: SumsShown


class DayShown(SumsShown):
    """A day of UTC."""

    date: date


class ModelShown(SumsShown):
    """A model, in its provider's words; empty for requests that no model answered."""

    model: str


def sums_shown(sums: Sums) -> SumsShown:
    """The form in which they are sent."""
    return SumsShown(**_sums(sums))


def days_shown(recent: Recent) -> list[DayShown]:
    """Use by day, oldest first."""
    return [DayShown(date=moment(int(group.value)).date(), **_sums(group.sums)) for group in recent.by_day]


def models_shown(recent: Recent) -> list[ModelShown]:
    """Use by model, those with most requests first."""
    return [ModelShown(model=str(group.value), **_sums(group.sums)) for group in recent.by_model]


async def show_usage(
    actor: Acting,
    context: Reached,
    group_by: GroupBy = "day",
    since: Annotated[Moment | None, Query(description="Not before that; not set: 30 days, of hours one.")] = None,
    until: Annotated[Moment | None, Query(description="Before that; not set: now.")] = None,
    org_id: IdentifierFilter = None,
    project_id: IdentifierFilter = None,
    user_id: IdentifierFilter = None,
    token_id: IdentifierFilter = None,
    tag: Word = None,
    provider: Word = None,
    model: Word = None,
    limit: Annotated[int, Query(ge=1, le=MOST_GROUPS, description="Most groups of the answer.")] = MOST_GROUPS,
    after: Annotated[
        str | None, Query(pattern=r"^[0-9]{1,9}$", description="`next_cursor` of the answer before.")
    ] = None,
) -> UsageShown:
    """What requests come to, by hour, day, organisation, project, user, token, provider, model or tag.

    Of one project, user, token or tag it can be told by hour, day, provider and model. Who reads page after page names
    `until`, in the past: what is used meanwhile changes the order.
    """
    skip = int(after or 0)
    question = Question(
        group_by=group_by,
        since=milliseconds(since),
        until=milliseconds(until),
        organization_id=org_id,
        project_id=project_id,
        user_id=user_id,
        token_id=token_id,
        tag=tag or None,
        provider=provider or None,
        model=model or None,
    )
    tenancy = context.tenancy
    told = await consumption.told(tenancy.database, actor, question, now=tenancy.now(), limit=limit, skip=skip)
    return UsageShown(
        since=moment(told.since),
        until=moment(told.until),
        group_by=group_by,
        data=[_group(group) for group in told.groups],
        has_more=told.has_more,
        next_cursor=str(skip + limit) if told.has_more else None,
        total=sums_shown(told.total),
    )


def _group(group: Group) -> GroupShown:
    value = group.value
    key = value if isinstance(value, str) else moment(value).isoformat().replace("+00:00", "Z")
    return GroupShown(key=key, **_sums(group.sums))


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "requests": sums.requests,
        "failed": sums.failed,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "total_tokens": sums.input_tokens + sums.output_tokens,
        "cache_read_tokens": sums.cache_read_tokens,
        "cost_usd": shown_dollars(sums.cost),
        "unpriced": sums.unpriced,
        "average_duration_ms": round(sums.duration_us / sums.requests / 1000, 3) if sums.requests else None,
    }


ROUTES = (Route("GET", "/admin/usage", "viewer", show_usage, 200, UsageShown),)
