"""What a caller is told of its limits: a refusal with all facts, and the header fields on every answer."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sluicegate.dialects.base import Resets
from sluicegate.domain.errors import BudgetSpentError, LimitError, LimitFacts, RateLimitedError
from sluicegate.domain.limits import Limit, window_text
from sluicegate.domain.money import dollars
from sluicegate.gateway.purses import USD, Account, Purse, Reservation

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

_SOON: Final = 1.0
"""Seconds after which to try again where others' requests at the same time are in the way."""
_METRICS: Final = ("requests", "tokens")


def refusal_of(exchange: "Exchange", reservation: Reservation) -> LimitError:
    """The error for a request that was refused by a limit."""
    account = reservation.refused_by
    purse = reservation.purse
    wall = exchange.services.wall()
    principal = purse.principal
    limit = next((one for one, each in zip(purse.limits, purse.accounts, strict=True) if each is account), None)
    assert account is not None, "only who was refused by an account comes here"
    if limit is None:
        # The day's allowance while the ledger is away: it belongs to no limit of the list.
        scope, scope_id, metric, window = "organization", principal.organization_id, "usd", "day"
    else:
        scope, scope_id, metric, window = limit.scope, limit.scope_id, limit.metric, window_text(limit.window)
    used, maximum = account.in_use, account.maximum
    resets = resets_of(account, wall)
    facts = LimitFacts(
        scope=scope,
        scope_id=scope_id,
        metric=metric,
        window=window,
        used=dollars(used) if metric == "usd" else used,
        maximum=dollars(maximum) if metric == "usd" else maximum,
        resets_at=resets.at if resets is not None else None,
        organization_id=principal.organization_id or None,
        project_id=principal.project_id or None,
        user_id=principal.user_id,
    )
    kind = BudgetSpentError if metric == "usd" else RateLimitedError
    retry_after = resets.seconds if resets is not None else _SOON if metric == "concurrency" else None
    return kind(_words(facts), facts=facts, retry_after=retry_after)


def _words(facts: LimitFacts) -> str:
    unit = {"usd": "US dollars", "concurrency": "requests at the same time"}.get(facts.metric, facts.metric)
    span = "" if facts.metric == "concurrency" else f" ({facts.window})"
    end = f"; enough is free again at {facts.resets_at}" if facts.resets_at else ""
    return (
        f"the {facts.scope} {facts.scope_id} has reached its limit of {facts.maximum:g} {unit}{span}:"
        f" {facts.used:g} are used or in use, and this request may need more than is left{end}"
    )


def resets_of(account: Account, wall: float) -> Resets | None:
    """When the ledger says that enough is free again; `wall` is Unix seconds."""
    if account.frees_at is None:
        return None
    return Resets(max(0.0, account.frees_at / 1000 - wall), _shown(-(-account.frees_at // 1000)))


@lru_cache(maxsize=1024)
def _shown(second: int) -> str:
    """A second as ISO 8601; most answers of a while name the same few."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def limit_fields(exchange: "Exchange", purse: Purse) -> bytes:
    """The header fields about the tightest limit of requests, of tokens and of dollars; shadows are not shown."""
    wall = exchange.services.wall()
    fields = b""
    for metric, name in enumerate(_METRICS):
        found = _tightest(purse, metric)
        if found is not None:
            limit, account = found
            resets = resets_of(account, wall)
            fields += exchange.route.dialect.limit_fields(name, limit.maximum, account.remaining, resets)
    found = _tightest(purse, USD)
    if found is not None:
        limit, account = found
        maximum, remaining = dollars(limit.maximum), dollars(account.remaining)
        fields += (
            f"x-gateway-usage-usd: {maximum - remaining:.2f}\r\nx-gateway-limit-usd: {maximum:.2f}\r\n"
            f"x-gateway-remaining-usd: {remaining:.2f}\r\n"
        ).encode()
    return fields


def _tightest(purse: Purse, metric: int) -> tuple[Limit, Account] | None:
    shown = purse.shown[metric]
    if len(shown) < 2:
        return shown[0] if shown else None
    return min(shown, key=lambda one: one[1].remaining)
