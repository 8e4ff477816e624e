"""What a caller is told of its limits: a refusal with all facts, and the header fields on every answer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sluicegate.dialects.base import Dialect, Resets
from sluicegate.domain.errors import BudgetSpentError, LimitError, LimitFacts, RateLimitedError
from sluicegate.domain.holdings import all_remaining
from sluicegate.domain.limits import Limit, window_text
from sluicegate.domain.money import dollars
from sluicegate.gateway.purses import USD, Account, Form, Purse, Reservation, Tightest

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

_SOON: Final = 1.0
"""Seconds after which to try again where others' requests at the same time are in the way."""
_METRICS: Final = ("requests", "tokens")
_CENT: Final = 10_000_000
_HALF_CENT: Final = _CENT // 2
"""Of nano-dollars."""
_ALWAYS: Final = 1 << 62
"""Unix milliseconds that no clock reaches."""


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
    """The header fields about the tightest limit of requests, of tokens and of dollars; shadows are not shown.

    But for a few numbers they stay the same for a second: `purse.forms` keeps the rest.
    """
    now = int(exchange.services.wall() * 1000)
    dialect = exchange.route.dialect
    tightest = purse.sole or tuple([_tightest(one) if one else None for one in purse.shown])
    form = purse.forms.get(tightest)
    if (
        form is None
        or not form.since <= now < form.until
        or form.dialect is not dialect
        # The ledger has said something else since.
        or [account.frees_at for account in form.accounts] != form.ends
    ):
        form = purse.forms[tightest] = _form_of(purse, tightest, dialect, now)
    numbers = all_remaining(form.accounts)
    if form.has_dollars:
        left = numbers.pop()
        used = (form.maximum - left + _HALF_CENT) // _CENT
        rest = (left + _HALF_CENT) // _CENT
        numbers += (used // 100, used % 100, rest // 100, rest % 100)
    return form.text % tuple(numbers)


def _form_of(purse: Purse, tightest: Tightest, dialect: Dialect, now: int) -> Form:
    """`now` is Unix milliseconds."""
    maxima = [
        next((limit.maximum for limit, account in shown if account is one), 0)
        for one, shown in zip(tightest, purse.shown, strict=True)
    ]
    text = b""
    until = _ALWAYS
    accounts: list[Account] = []
    for name, account, maximum in zip(_METRICS, tightest, maxima, strict=False):
        if account is not None:
            resets, changes = _resets_at(account, now)
            until = min(until, changes)
            text += dialect.limit_form(name, maximum, resets)
            accounts.append(account)
    if tightest[USD] is not None:
        accounts.append(tightest[USD])
        dollars = b"%d.%02d" % divmod((maxima[USD] + _HALF_CENT) // _CENT, 100)
        text += (
            b"x-gateway-usage-usd: %%d.%%02d\r\nx-gateway-limit-usd: %b\r\n"
            b"x-gateway-remaining-usd: %%d.%%02d\r\n" % dollars
        )
    return Form(
        dialect=dialect,
        since=now,
        until=until,
        text=text,
        accounts=tuple(accounts),
        ends=[account.frees_at for account in accounts],
        has_dollars=tightest[USD] is not None,
        maximum=maxima[USD],
    )


def _resets_at(account: Account, now: int) -> tuple[Resets | None, int]:
    """As `resets_of`, by whole seconds but in the last one; and when it will be told otherwise (Unix milliseconds)."""
    frees_at = account.frees_at
    if frees_at is None:
        return None, _ALWAYS
    seconds, second = -(-(frees_at - now) // 1000), -(-frees_at // 1000)
    if seconds > 1:
        return Resets(seconds, _shown(second)), frees_at - (seconds - 1) * 1000
    wait = max(0, frees_at - now)
    return Resets(wait / 1000, _shown(second)), now + 1 if wait else _ALWAYS


def _tightest(shown: Sequence[tuple[Limit, Account]]) -> Account:
    return min([account for _, account in shown], key=lambda account: account.remaining)
