"""Who gets a request, of the deployments that may: by how they fare at the moment, and by the strategy of the model."""

from collections.abc import Collection, Mapping
from typing import Final

from sluicegate.domain.latency import PeakEwma
from sluicegate.domain.picking import Option, pick
from sluicegate.domain.routing import ANYWHERE, Choice, Index, Narrowing, Plan, fits
from sluicegate.domain.snapshot import Retries, Snapshot, Sticky, Strategy, Timeouts
from sluicegate.domain.stickiness import preferred
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.routes import Route

LARGEST_MEMO: Final = 4_096
"""Names of models whose selectors are remembered: names come from clients, who may invent them."""
LONGEST_REMEMBERED: Final = 256
"""Characters of such a name; no model of any provider has more."""


class Candidate:
    """One deployment, and the model it is to answer as; empty where the request's own stays."""

    __slots__ = ("model", "rate", "runtime", "weight")

    def __init__(self, choice: Choice, runtime: ProviderRuntime) -> None:
        """Of a plan's choice."""
        self.runtime = runtime
        self.model = choice.model
        self.weight = choice.weight
        self.rate = choice.rate

    def __repr__(self) -> str:
        """Tell both."""
        return f"<Candidate {self.runtime.id} {self.model} {self.weight:g}>"

    def is_usable(self, now: float, narrowing: Narrowing) -> bool:
        """Whether it may be asked now."""
        return self.runtime.breaker.is_usable(now) and fits(self.runtime.provider, *narrowing)


class Selector:
    """What one model's name stands for, and how its requests are spread."""

    __slots__ = (
        "_turn",
        "alias",
        "candidates",
        "groups",
        "hedge",
        "is_mixed",
        "only",
        "opens_last",
        "plan",
        "retries",
        "sticky",
        "sticky_header",
        "strategy",
        "timeouts",
    )

    def __init__(self, plan: Plan, by_id: Mapping[str, ProviderRuntime], retries: Retries) -> None:
        """`retries` are those of the snapshot."""
        alias = plan.alias
        self.plan = plan
        self.alias = alias.name if alias is not None else ""
        """The name of ours that it was found by; empty for none."""
        self.groups = tuple(
            tuple(Candidate(choice, by_id[choice.provider.id]) for choice in group) for group in plan.groups
        )
        self.candidates = tuple(candidate for group in self.groups for candidate in group)
        self.strategy: Strategy = alias.strategy if alias is not None else "weighted"
        self.sticky: Sticky = alias.sticky if alias is not None else ""
        self.sticky_header = alias.sticky_header.encode() if alias is not None else b""
        self.timeouts: Timeouts | None = alias.timeouts if alias is not None else None
        self.retries = (alias.retries if alias is not None else None) or retries
        self.hedge = alias.hedge if alias is not None and len(self.candidates) > 1 else None
        self.opens_last = bool(self.candidates) and all(
            one.runtime.provider.circuit.opens_last for one in self.candidates
        )
        is_alone = len(self.candidates) == 1 and not self.opens_last
        self.only = self.candidates[0] if is_alone else None
        """The one candidate, where there is no choice: asked however it fares."""
        self.is_mixed = len({one.runtime.provider.allow for one in self.candidates}) > 1
        """Whether some may be asked by paths that others may not."""
        self._turn = 0
        if self.strategy == "lowest_latency":
            for candidate in self.candidates:
                candidate.runtime.latency = candidate.runtime.latency or PeakEwma()

    def __repr__(self) -> str:
        """Tell the rule and the groups."""
        return f"<Selector {self.plan.rule} {self.strategy} {self.groups!r}>"

    def choose(
        self,
        now: float,
        point: float,
        *,
        key: bytes = b"",
        narrowing: Narrowing = ANYWHERE,
        tried: Collection[Candidate] = (),
    ) -> Candidate | None:
        """A candidate that may be asked now and was not tried yet; None where there is none.

        Its breaker is told by who asks it (`admit`): not all that are chosen are asked.

        `point` is uniform in [0, 1); requests with the same `key` get the same one, as far as that is fair.
        """
        is_plain = narrowing is ANYWHERE and not tried
        for group in self.groups:
            if is_plain:
                # The usual request: a look at two numbers of each breaker, without a call.
                usable = [
                    one
                    for one in group
                    if now >= one.runtime.breaker.reopens_at and now >= one.runtime.breaker.rests_until
                ]
            else:
                usable = [one for one in group if one not in tried and one.is_usable(now, narrowing)]
            if not usable:
                continue
            if len(usable) > 1:
                usable = [one for one in usable if not one.runtime.pool.is_full] or usable
            return usable[0] if len(usable) == 1 else self._of_several(usable, now, point, key)
        return None

    def _of_several(self, usable: list[Candidate], now: float, point: float, key: bytes) -> Candidate:
        if key:
            return usable[preferred(key, [(one.runtime.id, one.weight, one.runtime.pool.busy) for one in usable])]
        self._turn += 1
        return usable[pick(self.strategy, [_option(one, now) for one in usable], point, self._turn)]

    def barred(self, route: Route) -> list[Candidate]:
        """Those whose allowlists do not have what is asked; nobody where none has it: then the first refuses."""
        if not self.is_mixed:
            return []
        barred = [one for one in self.candidates if not route.is_allowed(one.runtime, one.model)]
        return barred if len(barred) < len(self.candidates) else []

    def soonest(
        self, now: float, narrowing: Narrowing = ANYWHERE, barred: Collection[Candidate] = ()
    ) -> tuple[Candidate, float] | None:
        """The candidate that may be asked soonest, and in how many seconds; None where none fits at all."""
        fitting = [one for one in self.candidates if one not in barred and fits(one.runtime.provider, *narrowing)]
        if not fitting:
            return None
        first = min(fitting, key=lambda one: one.runtime.breaker.usable_at())
        return first, max(0.0, first.runtime.breaker.usable_at() - now)

    def has_another(self, runtime: ProviderRuntime, now: float) -> bool:
        """Whether somebody else may be asked now."""
        return any(one.runtime is not runtime and one.runtime.breaker.is_usable(now) for one in self.candidates)


def _option(candidate: Candidate, now: float) -> Option:
    runtime = candidate.runtime
    latency = runtime.latency.value(now) if runtime.latency is not None else 0.0
    return Option(candidate.weight, runtime.pool.busy, latency, candidate.rate)


class Selectors:
    """The selectors of one snapshot, by the names that were asked for."""

    __slots__ = ("_at", "_by_id", "_by_model", "_index", "_retries", "_within")

    def __init__(self, snapshot: Snapshot, by_id: Mapping[str, ProviderRuntime]) -> None:
        """`by_id` are the snapshot's deployments."""
        self._index = Index(snapshot)
        self._by_id = by_id
        self._retries = snapshot.retries
        self._by_model: dict[tuple[str, str | None], Selector | None] = {}
        self._at: dict[tuple[str, str], Selector] = {}
        self._within: dict[tuple[str, str], Selector | None] = {}

    def __repr__(self) -> str:
        """Tell how much is remembered."""
        return f"<Selectors {self._index!r} models={len(self._by_model)} providers={len(self._at)}>"

    def of_model(self, wanted: str, default: str | None) -> Selector | None:
        """Who may answer as the model `wanted`; `default` is the provider of what no other has. None for nobody."""
        key = (wanted, default)
        found = self._by_model.get(key)
        if found is None and key not in self._by_model:
            plan = self._index.plan_of(wanted, default)
            found = Selector(plan, self._by_id, self._retries) if plan is not None else None
            if len(wanted) <= LONGEST_REMEMBERED:
                if len(self._by_model) >= LARGEST_MEMO:
                    self._by_model.clear()
                self._by_model[key] = found
        return found

    def at(self, provider: str, model: str) -> Selector:
        """Who may answer a request that names its provider by its path."""
        key = (provider, model)
        found = self._at.get(key)
        if found is None:
            found = Selector(self._index.plan_at(provider, model), self._by_id, self._retries)
            if len(model) <= LONGEST_REMEMBERED:
                if len(self._at) >= LARGEST_MEMO:
                    self._at.clear()
                self._at[key] = found
        return found

    def within(self, provider: str, model: str) -> Selector | None:
        """Who of the provider that a path names may answer as a caller's own model. None where it is only others'."""
        key = (provider, model)
        found = self._within.get(key)
        if found is None and key not in self._within:
            plan = self._index.plan_within(provider, model)
            found = Selector(plan, self._by_id, self._retries) if plan is not None else None
            if len(self._within) >= LARGEST_MEMO:
                self._within.clear()
            self._within[key] = found
        return found
