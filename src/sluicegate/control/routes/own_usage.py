"""What a caller may know of its own use: `GET /v1/key/usage`, and `GET /stats` as system A's clients know it.

`/stats` is answered for an expired token too, and says so; it has the token's limit on tokens in five hours, null where
it has none, and of tokens that are not in the key file no total of all time.
"""

from datetime import UTC, datetime

from sluicegate.control.access import Calling, Holding
from sluicegate.control.context import Context, Reached
from sluicegate.control.key_file.declared import DeclaredKeys
from sluicegate.control.key_file.entries import FIVE_HOURS, seconds
from sluicegate.control.routes.body import Shown, moment
from sluicegate.control.routes.limits import LimitUsage, shown_usage
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants.limits import measured
from sluicegate.control.tenants.own_key import OwnKey
from sluicegate.domain.limits import Limit


class OwnUsage(Shown):
    """Every limit of a caller, the widest first, and what is used of it."""

    token_id: str
    data: list[LimitUsage]


class CurrentUsage(Shown):
    """Of the rolling five hours; null where nothing is bounded, as it is not measured then."""

    tokens_used_in_current_window: int | None
    window_started_at: datetime | None
    """When the oldest part of it that counts began; null where nothing was used."""
    window_ends_at: datetime | None
    """When that part ceases to count."""
    remaining_tokens: int | None


class Stats(Shown):
    """A caller's own token."""

    key: str
    """Masked."""
    name: str
    model: str | None
    """What every request is answered by, whatever model it names."""
    token_limit_per_5h: int | None
    expiry_date: datetime | None
    created_at: datetime | None
    last_used: datetime | None
    is_expired: bool
    current_usage: CurrentUsage
    total_lifetime_tokens: int | None


async def show_own_usage(key: Calling, context: Reached) -> OwnUsage:
    """What is used of every limit of the token that asks, of its user, project and organisation."""
    found = await measured(context.ledger, list(key.limits))
    return OwnUsage(token_id=_identifier(key), data=[shown_usage(one) for one in found])


async def show_stats(key: Holding, context: Reached) -> Stats:
    """The token that asks, and what it has used in the last five hours."""
    limit = next(filter(_is_of_five_hours, key.limits), None)
    current = await _current(context, limit)
    if key.token is None:
        return _declared(key, context, limit, current)
    token = key.token
    return Stats(
        key=key.shown,
        name=token.name,
        model=key.model,
        token_limit_per_5h=None if limit is None else limit.maximum,
        expiry_date=moment(token.expires_at),
        created_at=moment(token.created_at),
        last_used=moment(token.last_used_at),
        is_expired=key.is_expired,
        current_usage=current,
        total_lifetime_tokens=None,
    )


def _identifier(key: OwnKey) -> str:
    if key.token is not None:
        return key.token.id
    assert key.declared is not None
    return key.declared.token_id


def _is_of_five_hours(limit: Limit) -> bool:
    return (limit.scope, limit.metric, limit.window) == ("token", "tokens", FIVE_HOURS)


async def _current(context: Context, limit: Limit | None) -> CurrentUsage:
    if limit is None:
        return CurrentUsage(
            tokens_used_in_current_window=None, window_started_at=None, window_ends_at=None, remaining_tokens=None
        )
    (found,) = await measured(context.ledger, [limit])
    balance = found.balance
    return CurrentUsage(
        tokens_used_in_current_window=balance.used,
        window_started_at=moment(balance.began_at),
        window_ends_at=moment(balance.ends_at),
        remaining_tokens=max(limit.maximum - balance.used, 0),
    )


def _declared(key: OwnKey, context: Context, limit: Limit | None, current: CurrentUsage) -> Stats:
    principal = key.declared
    assert principal is not None
    keys = next((one for one in context.declared if isinstance(one, DeclaredKeys)), None)
    entry = None if keys is None else keys.find(principal.token_id)
    usage = None if keys is None else keys.usage(principal.token_id)
    created = None if entry is None else entry.raw.get("created_at")
    return Stats(
        key=key.shown,
        name=principal.name,
        model=principal.model,
        token_limit_per_5h=None if limit is None else limit.maximum,
        expiry_date=_moment(principal.expires_at),
        created_at=None if created is None else _moment(seconds(created)),
        last_used=None if usage is None else _moment(usage.last_used),
        is_expired=key.is_expired,
        current_usage=current,
        total_lifetime_tokens=None if usage is None else usage.lifetime,
    )


def _moment(unix: float | None) -> datetime | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC)


ROUTES = (
    Route("GET", "/v1/key/usage", "caller", show_own_usage),
    Route("GET", "/stats", "caller", show_stats),
)
