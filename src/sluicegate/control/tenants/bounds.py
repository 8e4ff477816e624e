"""What bounds a token: limits that managers set, what fields of its owners mean, and the configuration's defaults.

Rule. Of several on the same metric and window of one scope the first counts: one that was set as such, then a field
      (a budget, a number of requests), then a default.
"""

from collections.abc import Iterable, Mapping, Sequence

from sluicegate.domain.default_limits import Defaults, first_of_each, is_monthly_budget
from sluicegate.domain.limits import Calendar, Lifetime, Limit, Scope, window_of
from sluicegate.domain.tenants import LimitRecord, Token
from sluicegate.store.database import Session
from sluicegate.store.tokens import ResolvedToken

Explicit = Mapping[str, Sequence[LimitRecord]]
"""Limits that were set, by the id of whose they are."""


async def explicit_of(session: Session, tokens: Iterable[ResolvedToken]) -> Explicit:
    """The limits that were set for these tokens and all their owners; one query."""
    scopes = {scope_id for resolved in tokens for scope_id in _scopes(resolved.token) if scope_id is not None}
    return await explicit_of_scopes(session, scopes)


async def explicit_of_scopes(session: Session, scope_ids: Iterable[str]) -> Explicit:
    """The limits that were set for these."""
    found: dict[str, list[LimitRecord]] = {}
    for record in await session.limits.of_scopes(set(scope_ids)):
        found.setdefault(record.scope_id, []).append(record)
    return found


def limits_of(resolved: ResolvedToken, explicit: Explicit, defaults: Defaults) -> tuple[Limit, ...]:
    """Every limit of a token, its user, project and organisation, the widest first."""
    token = resolved.token
    limits = organization_limits(
        token.organization_id, resolved.monthly_budget, resolved.time_zone, explicit=explicit, defaults=defaults
    )
    if token.project_id is not None:
        limits += _together("project", token.project_id, (), explicit, defaults)
    if token.user_id is not None:
        limits += user_limits(
            token.user_id, resolved.monthly_limit, resolved.time_zone, explicit=explicit, defaults=defaults
        )
    return limits + token_limits(token, explicit=explicit, defaults=defaults)


def organization_limits(
    organization_id: str, monthly_budget: int | None, time_zone: str, *, explicit: Explicit, defaults: Defaults
) -> tuple[Limit, ...]:
    """What bounds an organisation. The budget is nano-dollars of a calendar month."""
    budget = _monthly("organization", organization_id, monthly_budget, time_zone)
    return _together("organization", organization_id, budget, explicit, defaults)


def user_limits(
    user_id: str, monthly_limit: int | None, time_zone: str, *, explicit: Explicit, defaults: Defaults
) -> tuple[Limit, ...]:
    """What bounds a user, in the organisation's time zone."""
    return _together("user", user_id, _monthly("user", user_id, monthly_limit, time_zone), explicit, defaults)


def token_limits(token: Token, *, explicit: Explicit, defaults: Defaults) -> tuple[Limit, ...]:
    """What bounds a token itself. Those that it was rotated from have the same accounts."""
    account_id = token.account_id
    own = requests_limit(token)
    return first_of_each(
        (limit_of(record, account_id) for record in explicit.get(token.id, ())),
        () if own is None else (own,),
        defaults.of("token", account_id),
    )


def requests_limit(token: Token) -> Limit | None:
    """What its `max_requests` means: so many that are counted, as were not made before they were."""
    if token.max_requests is None:
        return None
    left = max(token.max_requests - token.requests_before, 0)
    return Limit("token", token.account_id, "requests", Lifetime(), left)


def limit_of(record: LimitRecord, account_id: str | None = None) -> Limit:
    """A limit that was set; `account_id` is whose use it counts, if not that of whose it is."""
    return Limit(
        record.scope,
        account_id or record.scope_id,
        record.metric,
        window_of(record.window),
        record.maximum,
        record.enforcement,
    )


def monthly_budget_of(limits: Iterable[Limit]) -> Limit | None:
    """The one that bounds what is spent in a calendar month, if any does."""
    return next(filter(is_monthly_budget, limits), None)


def _together(
    scope: Scope, scope_id: str, derived: Iterable[Limit], explicit: Explicit, defaults: Defaults
) -> tuple[Limit, ...]:
    own = (limit_of(record) for record in explicit.get(scope_id, ()))
    return first_of_each(own, derived, defaults.of(scope, scope_id))


def _monthly(scope: Scope, scope_id: str, amount: int | None, time_zone: str) -> tuple[Limit, ...]:
    return () if amount is None else (Limit(scope, scope_id, "usd", Calendar("month", time_zone), amount),)


def _scopes(token: Token) -> tuple[str | None, ...]:
    return token.organization_id, token.project_id, token.user_id, token.id
