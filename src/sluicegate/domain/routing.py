"""Which deployments may answer a request: decided by names alone, before anybody looks at how they fare.

Rule 1. A model is looked for among our own names, then among those with a `*` in their order, then as `provider/model`,
        and at last goes to the default provider of the API that the request came in.
Rule 2. A target's share is split over the deployments of its provider by their weights. A deployment that lists its
        models stands back where another lists the one that is wanted.
Rule 3. Only deployments in one of the regions, and with all of the tags, that a model or a request asks for may serve.
"""

from collections.abc import Container, Iterable
from typing import Literal

from msgspec import Struct

from sluicegate.domain.snapshot import ModelAlias, Provider, Snapshot, Target

Rule = Literal["alias", "wildcard", "provider", "default"]
"""How a model's name led to its targets: by a name of ours, one with a `*`, `provider/model`, or nothing in it."""

Narrowing = tuple[tuple[str, ...], tuple[str, ...]]
"""Regions and tags that a request itself asks for."""
ANYWHERE: Narrowing = ((), ())


class Choice(Struct, frozen=True):
    """One deployment that may answer, as which model, and how much of the requests it should get."""

    provider: Provider
    model: str
    weight: float
    rate: int | None = None


class Plan(Struct, frozen=True):
    """What a model's name stands for: groups of choices, each asked once the one before has none left."""

    rule: Rule
    groups: tuple[tuple[Choice, ...], ...]
    alias: ModelAlias | None = None


class Index:
    """The names of one snapshot."""

    __slots__ = ("_aliases", "_deployments", "_wildcards")

    def __init__(self, snapshot: Snapshot) -> None:
        """Sort them once."""
        self._aliases = {alias.name: alias for alias in snapshot.models if "*" not in alias.name}
        self._wildcards = tuple(alias for alias in snapshot.models if "*" in alias.name)
        self._deployments: dict[str, tuple[Provider, ...]] = {}
        for provider in snapshot.providers:
            self._deployments[provider.name] = (*self._deployments.get(provider.name, ()), provider)

    def __repr__(self) -> str:
        """Tell how many names there are."""
        return f"<Index aliases={len(self._aliases)} wildcards={len(self._wildcards)} {list(self._deployments)}>"

    def plan_of(self, wanted: str, default: str | None) -> Plan | None:
        """What the model `wanted` stands for; `default` is the provider that gets what no other does, if any."""
        alias = self._aliases.get(wanted)
        if alias is not None:
            return self._plan("alias", alias, "")
        for wildcard in self._wildcards:
            found = text_of_star(wildcard.name, wanted)
            if found is not None:
                return self._plan("wildcard", wildcard, found)
        split = split_model(wanted, self._deployments)
        if split is not None:
            return Plan("provider", (self._choices(Target(*split)),))
        if default is None or default not in self._deployments:
            return None
        return self.plan_at(default, wanted)

    def plan_at(self, provider: str, model: str) -> Plan:
        """The plan of a request that names its provider by its path; `model` may be empty, and stays as it is."""
        return Plan("default", (self._choices(Target(provider, model)),))

    def plan_within(self, provider: str, wanted: str) -> Plan | None:
        """What the model `wanted` stands for at this provider, which a path names; None where it is only others'."""
        plan = self.plan_of(wanted, provider)
        found = plan.groups if plan is not None else ()
        theirs = [tuple(choice for choice in group if choice.provider.name == provider) for group in found]
        groups = tuple(group for group in theirs if group)
        return Plan(plan.rule, groups, plan.alias) if plan is not None and groups else None

    def _plan(self, rule: Rule, alias: ModelAlias, star: str) -> Plan:
        groups = [
            fitting(
                [choice for target in group for choice in self._choices(_starred(target, star))],
                alias.regions,
                alias.tags,
            )
            for group in (alias.targets, *alias.fallbacks)
        ]
        return Plan(rule, tuple(group for group in groups if group), alias)

    def _choices(self, target: Target) -> tuple[Choice, ...]:
        deployments = self._deployments.get(target.provider, ())
        listing = [one for one in deployments if target.model in one.models]
        chosen = listing or deployments
        total = sum(one.weight for one in chosen) or 1
        return tuple(Choice(one, target.model, target.weight * one.weight / total, target.rate) for one in chosen)


def fitting(choices: Iterable[Choice], regions: tuple[str, ...], tags: tuple[str, ...]) -> tuple[Choice, ...]:
    """Those in one of the regions that have all of the tags; where none is asked for, all."""
    return tuple(choice for choice in choices if fits(choice.provider, regions, tags))


def fits(provider: Provider, regions: tuple[str, ...], tags: tuple[str, ...]) -> bool:
    """Whether a deployment is in one of the regions and has all of the tags."""
    return (not regions or provider.region in regions) and all(tag in provider.tags for tag in tags)


def text_of_star(pattern: str, name: str) -> str | None:
    """What `*` in the pattern stands for in the name; None where the name does not fit."""
    before, _, after = pattern.partition("*")
    if len(name) <= len(before) + len(after) or not name.startswith(before) or not name.endswith(after):
        return None
    return name[len(before) : len(name) - len(after)]


def split_model(model: str, providers: Container[str]) -> tuple[str, str] | None:
    """Split `provider/model` at its first slash, if what precedes it is a provider of ours.

    Model names hold slashes themselves (OpenRouter's `meta-llama/llama-4`), so any other prefix is part of the name.
    """
    provider, slash, name = model.partition("/")
    return (provider, name) if slash and name and provider in providers else None


def _starred(target: Target, star: str) -> Target:
    if "*" not in target.model:
        return target
    return Target(target.provider, target.model.replace("*", star), target.weight, target.rate)
