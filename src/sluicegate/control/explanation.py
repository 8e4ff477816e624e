"""Why a request would go where it goes: the decisions that workers make, made here without sending anything.

Rule 1. What names decide is asked of `domain.routing`, as workers do; what they refuse is refused in their order.
Rule 2. What nobody can know before, such as how busy somebody will be, is not told: a share is that of the weights.
Rule 3. Who is left alone by every worker that told of it is shown so, and gets no share as long as others do.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from sluicegate.control.routes.body import Shown
from sluicegate.control.tenants.callers import Caller
from sluicegate.control.workers import Told
from sluicegate.dialects.allow import allowed_methods
from sluicegate.dialects.azure_paths import FIRST_SEGMENT, azure_path
from sluicegate.dialects.base import CONVERSING, Dialect
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.money import dollars
from sluicegate.domain.paths import CONTROL_PATHS, CONTROL_SEGMENTS, LOCAL_PATHS
from sluicegate.domain.pricing import Price
from sluicegate.domain.routing import Choice, Index, Rule
from sluicegate.domain.snapshot import AllowRule, ModelAlias, Snapshot, Sticky, Strategy
from sluicegate.wire.link import CircuitState

_ANTHROPIC: Final = frozenset({"messages", "complete"})
"""First segments of the paths below /v1 that are of this API; all others are OpenAI's."""
_WORST_FIRST: Final[tuple[CircuitState, ...]] = ("open", "half_open", "closed")


class Asked(NamedTuple):
    """A request that is not sent. `regions` and `tags` are those that it asks for itself."""

    model: str
    path: str
    regions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class CallerShown(Shown):
    """Who would ask."""

    kind: Literal["token", "user"]
    id: str
    name: str


class PriceShown(Shown):
    """Dollars for a million tokens."""

    version: str
    input: float
    output: float


class CandidateShown(Shown):
    """One deployment that could answer. `share` is in percent; null where only the moment decides it."""

    deployment: str
    provider: str
    model: str
    weight: float
    share: float | None
    state: CircuitState
    reopens_in: float
    """Seconds until it is tried again, where it is left alone."""
    rests_for: float
    """Seconds until its own limits allow more."""
    excluded: str | None
    """Why it would not be asked."""
    price: PriceShown | None
    timeouts: dict[str, float]


class GroupShown(Shown):
    """Candidates among whom one is chosen; those of `rank` 0 first, those of the next once none is left."""

    rank: int
    candidates: list[CandidateShown]


class StickyShown(Shown):
    """What keeps requests at the same deployment."""

    by: Sticky
    header: str


class Explanation(Shown):
    """What would become of a request."""

    model: str
    path: str
    operation: str
    caller: CallerShown | None
    allowed: bool
    refusal: str | None
    """Why it would be refused."""
    answered_by: str
    """The model that is looked for: the one that was asked for, unless the caller has one of its own."""
    overridden_by: Literal["token", "project"] | None
    rule: Rule | None
    """How that name leads to targets: one of ours, one of ours with an asterisk, `provider/model`, or none of these."""
    alias: str | None
    """The name of ours that it is."""
    strategy: Strategy
    sticky: StickyShown
    regions: list[str]
    tags: list[str]
    groups: list[GroupShown]
    retries: dict[str, Any]
    hedge: float | None


class Way(NamedTuple):
    """What a path alone decides. `default` is the provider of what no name leads elsewhere; `rest` the API's path."""

    dialect: Dialect | None
    default: str | None
    rest: str
    is_by_model: bool
    """Whether the model's name may lead to somebody else."""

    @property
    def operation(self) -> str:
        """What is done there; empty where nobody is asked."""
        return self.dialect.operation(self.rest) if self.dialect is not None else ""


def explain(
    asked: Asked,
    caller: Caller | None,
    snapshot: Snapshot,
    *,
    told: Callable[[str], list[Told]],
    price: Callable[[str, str], Price | None],
) -> Explanation:
    """What would become of it; without a caller, for one that is bound to nothing.

    `told` is how a deployment fares at each worker, `price` what a provider's model costs.
    """
    way = way_of(asked.path, snapshot)
    is_answered = caller is not None and caller.model is not None and way.operation in CONVERSING
    wanted = asked.model
    if caller is not None and caller.model is not None and is_answered:
        wanted = caller.model
    found = _plan(wanted, way, snapshot, is_own=is_answered)
    alias = found.alias if found is not None else None
    choices = [choice for group in found.groups for choice in group] if found is not None else []
    is_any_well = any(
        _barred(choice, asked, way, alias) is None and _away(told(choice.provider.id)) is None for choice in choices
    )
    # Those that leave nobody to be asked.
    is_any_well = is_any_well or (bool(choices) and all(choice.provider.circuit.opens_last for choice in choices))
    groups = [
        _group(rank, group, asked, way, alias, told, price, is_any_well=is_any_well)
        for rank, group in enumerate(found.groups if found is not None else ())
    ]
    refusal = _refusal(asked, caller, way, wanted) or _refusal_of_plan(wanted, way, found, groups)
    return Explanation(
        model=asked.model,
        path=asked.path,
        operation=way.operation,
        caller=None if caller is None else CallerShown(kind=caller.kind, id=caller.id, name=caller.name),
        allowed=refusal is None,
        refusal=refusal,
        answered_by=wanted,
        overridden_by=caller.model_of if caller is not None and is_answered else None,
        rule=found.rule if found is not None else None,
        alias=alias.name if alias is not None else None,
        strategy=alias.strategy if alias is not None else "weighted",
        sticky=StickyShown(by=alias.sticky if alias else "", header=alias.sticky_header if alias else ""),
        regions=list(alias.regions if alias is not None else ()),
        tags=list(alias.tags if alias is not None else ()),
        groups=groups,
        retries=_numbers((alias.retries if alias is not None else None) or snapshot.retries),
        hedge=alias.hedge if alias is not None else None,
    )


def way_of(path: str, snapshot: Snapshot) -> Way:
    """Where a path leads, as workers read it."""
    first, _, below = path.lstrip("/").partition("/")
    gemini = DIALECTS["gemini"]
    if first == "v1beta" and below.partition("/")[0] == "models" and gemini.operation(below) == "models":
        return Way(None, None, "", is_by_model=False)
    if first == "v1beta" or (below.startswith("models/") and gemini.operation(below) != "models"):
        return _way_of_gemini(below, snapshot.defaults.get("gemini"))
    is_ours = path in LOCAL_PATHS or any(path == own or path.startswith(f"{own}/") for own in CONTROL_PATHS)
    if is_ours or first in CONTROL_SEGMENTS:
        return Way(None, None, "", is_by_model=False)
    if first == "v1":
        name = "anthropic" if below.partition("/")[0] in _ANTHROPIC else "openai"
        return Way(DIALECTS[name], snapshot.defaults.get(name), below, is_by_model=True)
    named = next((one for one in snapshot.providers if one.name == first), None)
    azure = azure_path(path, named) if first == FIRST_SEGMENT else None
    if azure is not None:
        return way_of(f"/v1{azure.path}", snapshot)
    dialect = DIALECTS[named.dialect] if named is not None else None
    if dialect is None:
        return Way(None, None, "", is_by_model=False)
    return Way(dialect, first, dialect.rest_of(below), is_by_model=False)


def _way_of_gemini(rest: str, default: str | None) -> Way:
    """By the model that the path names, where it asks something of one."""
    dialect = DIALECTS["gemini"]
    model = dialect.model_in_path(rest)
    if model and dialect.operation(rest) != "models":
        return Way(dialect, default, dialect.with_model_in_path(rest, model), is_by_model=True)
    return Way(dialect if default is not None else None, default, rest, is_by_model=False)


class _Found(NamedTuple):
    rule: Rule
    alias: ModelAlias | None
    groups: tuple[tuple[Choice, ...], ...]


def _plan(wanted: str, way: Way, snapshot: Snapshot, *, is_own: bool) -> _Found | None:
    """What the name leads to, with those deployments that its constraints leave out; `is_own`: it is the caller's."""
    if way.dialect is None or (way.default is None and not way.is_by_model):
        return None
    unbounded = tuple(replace(alias, regions=(), tags=()) for alias in snapshot.models)
    index = Index(replace(snapshot, models=unbounded))
    if way.is_by_model:
        plan = index.plan_of(wanted, way.default)
    else:
        plan = (index.plan_within if is_own else index.plan_at)(way.default or "", wanted)
    if plan is None:
        return None
    name = plan.alias.name if plan.alias is not None else None
    alias = next((one for one in snapshot.models if one.name == name), None)
    return _Found(plan.rule, alias, plan.groups)


def _refusal(asked: Asked, caller: Caller | None, way: Way, wanted: str) -> str | None:
    """Why nobody would be asked, in the order in which workers look."""
    if caller is not None and caller.refusal is not None:
        return f"the {caller.kind} may not be used: {caller.refusal}"
    if caller is not None and caller.paths and not _may_use(caller.paths, asked.path, way.rest):
        return f"the token may not use the path {asked.path}; it may use {', '.join(caller.paths)}"
    if way.dialect is None:
        return f"no provider is asked on the path {asked.path}"
    if way.is_by_model and not allowed_methods(way.dialect.allow, way.rest) and way.default is None:
        return f"no API has a path /v1/{way.rest}"
    if caller is None or caller.model == wanted or not caller.models or asked.model in caller.models:
        return None
    return f"the token may not use the model {asked.model!r}; it may use {', '.join(caller.models)}"


def _refusal_of_plan(wanted: str, way: Way, found: _Found | None, groups: Sequence[GroupShown]) -> str | None:
    if found is None and not way.is_by_model:
        return f"the token is bound to the model {wanted!r}, which is not served by {way.default}, whom the path names"
    if found is None:
        return f"no provider serves the model {wanted!r}"
    if all(one.share is None and one.excluded for group in groups for one in group.candidates):
        return f"no deployment may serve the model {wanted!r}: each is left out for a reason of its own"
    return None


def _may_use(patterns: Sequence[str], path: str, rest: str) -> bool:
    """As workers read them: with a leading slash of the whole path, without one of the API's own."""
    return any(
        allowed_methods((AllowRule(("any",), pattern),), path if pattern.startswith("/") else rest)
        for pattern in patterns
    )


def _group(
    rank: int,
    choices: Sequence[Choice],
    asked: Asked,
    way: Way,
    alias: ModelAlias | None,
    told: Callable[[str], list[Told]],
    price: Callable[[str, str], Price | None],
    *,
    is_any_well: bool,
) -> GroupShown:
    barred = [_barred(choice, asked, way, alias) for choice in choices]
    health = [told(choice.provider.id) for choice in choices]
    # Where nobody is well, the last ones are asked all the same.
    excluded = [bar or (_away(one) if is_any_well else None) for bar, one in zip(barred, health, strict=True)]
    shares = _shares(choices, excluded, alias.strategy if alias is not None else "weighted")
    candidates = []
    for choice, share, why, one in zip(choices, shares, excluded, health, strict=True):
        provider = choice.provider
        timeouts = (alias.timeouts if alias is not None else None) or provider.timeouts
        candidates.append(
            CandidateShown(
                deployment=provider.id,
                provider=provider.name,
                model=choice.model,
                weight=choice.weight,
                share=share,
                state=worst(one),
                reopens_in=min((each.health.reopens_in for each in one), default=0.0),
                rests_for=min((each.health.rests_for for each in one), default=0.0),
                excluded=why,
                price=_price_shown(price(provider.name, choice.model)),
                timeouts=_numbers(timeouts),
            )
        )
    return GroupShown(rank=rank, candidates=candidates)


def _barred(choice: Choice, asked: Asked, way: Way, alias: ModelAlias | None) -> str | None:
    """What keeps a deployment from ever serving such a request."""
    provider = choice.provider
    for whose, regions, tags in (
        ("the model", alias.regions if alias is not None else (), alias.tags if alias is not None else ()),
        ("the request", asked.regions, asked.tags),
    ):
        if regions and provider.region not in regions:
            return f"its region is {provider.region or 'not set'}, and {whose} asks for {' or '.join(regions)}"
        lacking = [tag for tag in tags if tag not in provider.tags]
        if lacking:
            return f"it has not the tag {lacking[0]}, which {whose} asks for"
    rest = way.dialect.with_model_in_path(way.rest, choice.model) if way.dialect is not None else way.rest
    # A path that names its provider is held against the allowlist as it stands, too.
    for path in (rest,) if way.is_by_model else (way.rest, rest):
        if provider.allow is not None and not _may_ask(way, path, allowed_methods(provider.allow, path)):
            return f"its allowlist has no path {path}"
    return None


def _may_ask(way: Way, path: str, allowed: Sequence[str]) -> bool:
    """Whether one of these methods will do: POST, by which APIs ask something of a model, wherever they have it."""
    is_posted = way.dialect is not None and "POST" in allowed_methods(way.dialect.allow, path)
    return "POST" in allowed if is_posted else bool(allowed)


def _away(told: Sequence[Told]) -> str | None:
    """Why no worker would ask it at the moment."""
    if told and all(one.health.state == "open" for one in told):
        return "it has failed too often and is left alone"
    if told and all(one.health.rests_for > 0 for one in told):
        return "its own limits are used up"
    return None


def _shares(choices: Sequence[Choice], excluded: Sequence[str | None], strategy: Strategy) -> list[float | None]:
    """Percent of the requests, by weight; None where it is left out, or only the moment tells."""
    left = [choice for choice, why in zip(choices, excluded, strict=True) if why is None]
    if strategy == "lowest_latency" and len(left) > 1:
        return [None] * len(choices)
    if strategy == "cheapest":
        known = [choice.rate for choice in left if choice.rate is not None]
        left = [choice for choice in left if choice.rate == min(known)] if known else left
    total = sum(choice.weight for choice in left) or 1
    return [
        None if why is not None else round(100 * choice.weight / total, 2) if choice in left else 0.0
        for choice, why in zip(choices, excluded, strict=True)
    ]


def worst(told: Sequence[Told]) -> CircuitState:
    """The worst state that a worker tells of; `closed` where none tells anything."""
    states = {one.health.state for one in told}
    return next((state for state in _WORST_FIRST if state in states), "closed")


def _price_shown(price: Price | None) -> PriceShown | None:
    if price is None:
        return None
    return PriceShown(version=price.version, input=dollars(price.rates.input), output=dollars(price.rates.output))


def _numbers(terms: msgspec.Struct) -> dict[str, Any]:
    """All fields, those at their defaults too."""
    return {name: getattr(terms, name) for name in terms.__struct_fields__}
