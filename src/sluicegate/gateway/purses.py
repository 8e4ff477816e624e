"""What a principal's limits are to a worker: accounts it holds units of, and what an exchange has set aside in them.

Amounts come as six figures, so that each limit finds its own by number: requests, tokens and nano-dollars in the worst
case, requests at the same time; and once more tokens and nano-dollars for limits that are not hard, which take one unit
in advance and the true amount afterwards.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from sluicegate.dialects.base import Dialect
from sluicegate.domain.bounds import Bound
from sluicegate.domain.holdings import Holding, all_remaining
from sluicegate.domain.limits import Limit
from sluicegate.domain.principal import Principal
from sluicegate.domain.underway import Owner
from sluicegate.gateway.underway import NO_PLACE

REQUESTS: Final = 0
TOKENS: Final = 1
USD: Final = 2
CONCURRENCY: Final = 3

_METRICS: Final = {"requests": REQUESTS, "tokens": TOKENS, "usd": USD, "concurrency": CONCURRENCY}
_IN_ADVANCE: Final = {TOKENS: 4, USD: 5}

Amounts = tuple[int, int, int, int, int, int]


def amounts(tokens: int, usd: int) -> Amounts:
    """The six figures for an exchange that may take so many tokens and nano-dollars."""
    return 1, tokens, usd, 1, 1 if tokens else 0, 1 if usd else 0


class Account(Holding):
    """A holding, and who waits for it."""

    __slots__ = (
        "answered_at",
        "asked_at",
        "asks_again",
        "extra",
        "failure_mode",
        "fallback",
        "is_asking",
        "is_overlent",
        "is_unheard",
        "is_yielding",
        "organization",
        "queue",
        "rate",
        "renew_at",
        "swept",
        "turns",
        "users",
    )

    def __init__(self, account: str, maximum: int, principal: Principal) -> None:
        """An account of nothing yet, among whose users is `principal`."""
        super().__init__(account, maximum)
        self.organization = principal.organization_id
        self.failure_mode = principal.failure_mode
        self.fallback = principal.fallback_daily_limit
        self.queue: deque[Reservation] = deque()
        self.is_asking = False
        self.is_unheard = False
        """Whether the last question was not heard, so that what it gave back is not given back yet."""
        self.asks_again = False
        """Whether something came up while a question was open."""
        self.is_overlent = False
        """Whether the maximum was lowered, and holders may have more than it leaves: nothing that is free, or comes
        back, is anybody's until the ledger has lent it anew."""
        self.is_yielding = False
        """Whether it is asked for only where nothing that is asked for before it is lacking; until nobody waits."""
        self.extra = 0
        """Units that exchanges under way lack, one by one; until the next answer."""
        self.asked_at = self.answered_at = float("-inf")
        self.renew_at = float("inf")
        self.rate = 0
        """Units used in the last second."""
        self.swept = 0
        """`taken` (or `turns`) at the last sweep."""
        self.turns = 0
        """Exchanges that gave back their place, where requests at the same time are counted."""
        self.users = 0
        """Compiled limits that it is among."""

    def resume(self, granted: int, taken: int) -> None:
        """Go on from what was granted and taken before, when the rest was given back."""
        self.granted, self.returned = granted, granted - taken
        self.taken = self.taken_before = self.swept = taken

    def close_gate(self) -> None:
        """Let nobody pass those in line."""
        self.open_until = 0.0

    def open_gate(self) -> None:
        """Nobody waits, unless somebody does: whoever comes may take what is free, as long as the lease is good."""
        self.open_until = 0.0 if self.queue or self.is_overlent else self.valid_until

    @property
    def pace(self) -> int:
        """Units that a second may need: as many as in the last one, or already in this one."""
        return self.rate if self.turns else max(self.rate, self.taken - self.swept)

    @property
    def activity(self) -> int:
        """What grows with use."""
        return self.taken + self.turns


Tightest = tuple[Account | None, ...]
"""Of the limits of requests, tokens and dollars that callers are told of: those of which least remains."""


class Form(Struct, frozen=True):
    """Header fields about some limits, where `%d` stands for what remains of `accounts`.

    If the last of them `has_dollars`, for four numbers instead: dollars and cents that are used, and that remain.
    They are right from `since` to `until` (Unix milliseconds), while units are free again at `ends`.
    """

    dialect: Dialect
    since: int
    until: int
    text: bytes
    accounts: tuple[Account, ...]
    ends: list[int | None]
    has_dollars: bool
    maximum: int


class Purse:
    """A principal's limits, compiled."""

    __slots__ = (
        "accounts",
        "encoded_owner",
        "forms",
        "hard",
        "has_enforced_usd",
        "has_hard_amounts",
        "has_usd",
        "indexes",
        "is_charged",
        "is_hard",
        "is_measured",
        "is_shadow",
        "limits",
        "metrics",
        "own_steps",
        "owner",
        "pair",
        "places",
        "principal",
        "shown",
        "sole",
        "steps",
    )

    def __init__(self, principal: Principal, accounts: tuple[Account, ...]) -> None:
        """`accounts` are those of the principal's limits, in their order."""
        limits = principal.limits
        self.principal = principal
        self.limits: tuple[Limit, ...] = limits
        self.accounts = accounts
        self.metrics = tuple(_METRICS[limit.metric] for limit in limits)
        self.is_hard = tuple(limit.enforcement == "hard" for limit in limits)
        self.is_shadow = tuple(limit.enforcement == "shadow" for limit in limits)
        self.indexes = tuple(
            metric if is_hard else _IN_ADVANCE.get(metric, metric)
            for metric, is_hard in zip(self.metrics, self.is_hard, strict=True)
        )
        self.places = tuple(zip(accounts, self.indexes, strict=True))
        self.steps = tuple(zip(accounts, self.indexes, self.metrics, self.is_hard, strict=True))
        """For each limit its account, which of the six figures it takes, its metric, and whether it is hard."""
        numbers = range(len(limits))
        self.own_steps = tuple(zip(accounts, numbers, self.metrics, self.is_hard, strict=True))
        """The same for what is held with a figure for each limit."""
        self.hard = tuple(
            tuple(account for account, _, kind, is_hard in self.steps if is_hard and kind == metric)
            for metric in (REQUESTS, TOKENS, USD)
        )
        """The accounts of hard limits, by metric."""
        self.pair: tuple[Account, Account] | None = None
        """Those of tokens and dollars, where there is one of each."""
        if len(self.hard[TOKENS]) == len(self.hard[USD]) == 1:
            self.pair = self.hard[TOKENS][0], self.hard[USD][0]
        self.has_usd = USD in self.metrics
        self.is_measured = self.has_usd or TOKENS in self.metrics
        self.has_hard_amounts = any(is_hard and index in (TOKENS, USD) for index, is_hard in self._hard())

        self.has_enforced_usd = any(
            metric == USD and not is_shadow for metric, is_shadow in zip(self.metrics, self.is_shadow, strict=True)
        )
        """Whether a limit in dollars is more than a shadow."""
        self.shown = tuple(
            tuple((limit, accounts[number]) for number, limit in enumerate(limits) if self._is_shown(number, metric))
            for metric in (REQUESTS, TOKENS, USD)
        )
        """The limits that callers are told of, by metric."""
        self.sole: Tightest | None = None
        """Their accounts where there is one for each metric at most."""
        if all(len(one) <= 1 for one in self.shown):
            self.sole = tuple(one[0][1] if one else None for one in self.shown)
        self.forms: dict[Tightest, Form] = {}
        """What they are told with."""
        charged = [(one, self.indexes[one]) for one in numbers if self.metrics[one] != CONCURRENCY]
        self.is_charged = bool(charged)
        """Whether an exchange takes anything that is not given back."""
        self.owner = Owner(
            principal.token_id,
            principal.project_id,
            principal.organization_id,
            principal.user_id,
            principal.tags,
            tuple((accounts[number].account, index, number) for number, index in charged),
        )
        self.encoded_owner = msgspec.json.encode(self.owner)

    def __repr__(self) -> str:
        """Tell the accounts."""
        return f"<Purse {list(self.accounts)!r}>"

    def _is_shown(self, number: int, metric: int) -> bool:
        return self.metrics[number] == metric and not self.is_shadow[number]

    def _hard(self) -> "zip[tuple[int, bool]]":
        return zip(self.metrics, self.is_hard, strict=True)

    def least(self, metric: int) -> int | None:
        """What remains of the hard limit of this metric of which least remains; None without one."""
        return min(all_remaining(self.hard[metric]), default=None)

    def left(self) -> tuple[int | None, int | None]:
        """What `least` says of tokens and of dollars."""
        pair = self.pair
        if pair is None:
            return self.least(TOKENS), self.least(USD)
        tokens, usd = all_remaining(pair)
        return tokens, usd


class Reservation:
    """What one exchange has set aside, waits for, or was refused.

    `held` is what is set aside while `is_held`, or wanted: the six figures, or, where the limits did not all get what
    is theirs, one for each limit (`has_own`). It is given up exactly once. What few ever set is the class's, so that
    most are made with a few words.
    """

    is_held = True
    has_own = False
    is_degraded = False
    """Whether it was admitted without the ledger."""
    is_open = False
    """Whether nothing but this gateway keeps the answer within what is set aside."""
    is_sent = False
    """Whether the request was sent, so that what it takes must be charged."""
    has_grown = False
    """Whether more was set aside for another attempt, so that what it may take at worst is told anew before that."""
    has_failed = False
    """Whether it ended because the ledger could not be asked."""
    place = NO_PLACE
    """Where it is noted as long as it is under way."""
    bound = Bound(0, 0, 0)
    limit: str | None = None
    """The account that refused, or, in shadow mode, would have."""
    refused_by: Account | None = None
    fallback: Account | None = None
    fallback_held = 0
    wanted: tuple[int, ...] = ()
    """What it may take of each limit, where it was admitted without the ledger."""
    future: asyncio.Future[None] | None = None
    needs: tuple[tuple[Account, int], ...] = ()
    """What it waits for."""
    blockers: tuple[Account, ...] = ()
    """Of these there was not enough when it was last looked at."""
    since = 0.0
    deadline = 0.0
    more_until = 0.0
    """Until when more is waited for than was set aside at first; 0.0 where none is."""

    def __init__(self, purse: Purse, held: Sequence[int]) -> None:
        """`held` are the six figures."""
        self.purse = purse
        self.held = held

    def __repr__(self) -> str:
        """Tell the state."""
        state = (
            "held"
            if self.is_held
            else "refused"
            if self.refused_by is not None
            else "failed"
            if self.has_failed
            else "waiting"
            if self.is_waiting
            else "over"
        )
        return f"<Reservation {state} {tuple(self.held)}>"

    @property
    def steps(self) -> tuple[tuple[Account, int, int, bool], ...]:
        """The purse's, for what is held."""
        return self.purse.own_steps if self.has_own else self.purse.steps

    @property
    def is_waiting(self) -> bool:
        """Whether it is in line."""
        return self.future is not None and not self.future.done()
