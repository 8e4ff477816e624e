"""Limits that hold for everybody who has no other: what the configuration sets for each organisation, project, …"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from sluicegate.domain.limits import Calendar, Enforcement, Limit, Metric, Scope, Window


class Terms(Struct, frozen=True):
    """A limit that is nobody's yet."""

    metric: Metric
    window: Window
    maximum: int
    enforcement: Enforcement = "hard"

    def of(self, scope: Scope, scope_id: str) -> Limit:
        """The limit, as somebody's own."""
        return Limit(scope, scope_id, self.metric, self.window, self.maximum, self.enforcement)


class Defaults(Struct, frozen=True):
    """The terms for every one of a kind."""

    organizations: tuple[Terms, ...] = ()
    projects: tuple[Terms, ...] = ()
    users: tuple[Terms, ...] = ()
    tokens: tuple[Terms, ...] = ()

    def of(self, scope: Scope, scope_id: str) -> tuple[Limit, ...]:
        """The limits of one, were there no others."""
        by_scope: dict[Scope, tuple[Terms, ...]] = {
            "organization": self.organizations,
            "project": self.projects,
            "user": self.users,
            "token": self.tokens,
        }
        return tuple(terms.of(scope, scope_id) for terms in by_scope[scope])


def first_of_each(*kinds: Iterable[Limit]) -> tuple[Limit, ...]:
    """The limits of all kinds; of those on one account only the first: what is nearer stands before what is general."""
    found: dict[str, Limit] = {}
    for limits in kinds:
        for limit in limits:
            found.setdefault(limit.account, limit)
    return tuple(found.values())


def with_defaults(limits: Iterable[Limit], defaults: Defaults, scopes: Mapping[Scope, str]) -> tuple[Limit, ...]:
    """These limits, and the defaults for whatever has no limit of its own on the same metric and window."""
    general = (limit for scope, scope_id in scopes.items() for limit in defaults.of(scope, scope_id))
    return first_of_each(limits, general)


def is_monthly_budget(limit: Limit) -> bool:
    """Whether it bounds what may be spent in a calendar month."""
    return limit.metric == "usd" and isinstance(limit.window, Calendar) and limit.window.unit == "month"
