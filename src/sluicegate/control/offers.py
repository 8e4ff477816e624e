"""Which models are on offer, and which of them a caller may use: lists that are made once, and then kept.

Rule 1. What a name means is for the router to say; here stand the names that are known to lead somewhere.
Rule 2. A token that is bound to some models is shown just those that lead somewhere, whether or not they are known.
Rule 3. An alias with an asterisk stands for as many names as its targets are known to have models that fit.
Rule 4. Requests are not translated: Google's SDK, which speaks no API but Google's, is shown only what answers in it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from sluicegate.control.prices.catalogue import Catalogue
from sluicegate.control.prices.upstream import upstream_at
from sluicegate.domain.routing import Index, Plan, text_of_star
from sluicegate.domain.snapshot import ModelAlias, Snapshot

LARGEST_KEPT: Final = 256
"""Lists of one configuration: one for all that are bound to nothing, and one for each set of models."""
OWNER: Final = "sluicegate"
"""Of names that the configuration makes up."""
_STAR: Final = "*"
_GOOGLES: Final = "gemini"
"""The dialect whose clients read a form of their own."""
_METHODS: Final = (
    ("embed", ("embedContent", "batchEmbedContents")),
    ("imagen", ("predict",)),
    ("veo", ("predictLongRunning",)),
)
"""What models can do besides generating, by a part of their names; clients pick out of the list by it."""


class Model(NamedTuple):
    """A model as callers name it, whose it is, and what people call it."""

    id: str
    owner: str
    name: str
    dialect: str = ""
    """What it is asked in; empty for a name that leads to the default provider of whichever API it comes in."""


class Offer:
    """What some callers may use, in the form in which it is sent."""

    def __init__(self, models: Iterable[Model]) -> None:
        """Of two of one name the first counts."""
        self._models = _by_id(models)
        self._googles = {one.id: one for one in self._models.values() if one.dialect in ("", _GOOGLES)}
        data = [shown(model) for model in self._models.values()]
        self.body: bytes = msgspec.json.encode(
            {
                "object": "list",
                "data": data,
                "has_more": False,
                "first_id": data[0]["id"] if data else None,
                "last_id": data[-1]["id"] if data else None,
            }
        )

    def __repr__(self) -> str:
        """Tell how many."""
        return f"<Offer {len(self._models)}>"

    def find(self, identifier: str) -> bytes | None:
        """One model in the form in which it is sent; None where it is not on offer."""
        model = self._models.get(identifier)
        return None if model is None else msgspec.json.encode(shown(model))

    def body_for_google(self) -> bytes:
        """All of them as Google's SDK reads them; made anew each time, as few ask."""
        return msgspec.json.encode({"models": [shown_to_google(model) for model in self._googles.values()]})

    def find_for_google(self, identifier: str) -> bytes | None:
        """One model as Google's SDK reads it; None where it is not on offer."""
        model = self._googles.get(identifier)
        return None if model is None else msgspec.json.encode(shown_to_google(model))


class Offers:
    """The offers of the configuration in force."""

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        """`catalogue` is called once, in a thread, when a provider's models are not configured."""
        self._load = catalogue
        self._catalogue: Catalogue | None = None
        self._snapshot: Snapshot | None = None
        self._all: dict[str, Model] = {}
        self._kept: dict[tuple[str | None, tuple[str, ...]], Offer] = {}

    def __repr__(self) -> str:
        """Tell how much is kept."""
        return f"<Offers models={len(self._all)} kept={len(self._kept)}>"

    async def catalogue(self) -> Catalogue:
        """The bundled table, read when it is needed for the first time."""
        if self._catalogue is None:
            self._catalogue = await asyncio.to_thread(self._load)
        return self._catalogue

    async def of(self, snapshot: Snapshot, model: str | None, models: tuple[str, ...]) -> Offer:
        """What a caller may use who is answered by `model`, where that is set, and bound to `models` unless empty."""
        if snapshot is not self._snapshot:
            await self._renew(snapshot)
        key = (model, () if model is not None else models)
        offer = self._kept.get(key)
        if offer is None:
            if len(self._kept) >= LARGEST_KEPT:
                self._kept.clear()
            offer = self._kept[key] = Offer(self._allowed(snapshot, *key))
        return offer

    async def _renew(self, snapshot: Snapshot) -> None:
        known = {provider.name: _configured(provider.name, snapshot) for provider in snapshot.providers}
        for provider in reversed(snapshot.providers):
            if not _configured(provider.name, snapshot):
                known[provider.name] = (await self.catalogue()).models_of(upstream_at(provider))
        self._snapshot = snapshot
        self._all = _by_id(_offered(snapshot, known))
        self._kept = {(None, ()): Offer(self._all.values())}

    def _allowed(self, snapshot: Snapshot, model: str | None, models: tuple[str, ...]) -> Iterator[Model]:
        index, default = Index(snapshot), next(iter(snapshot.defaults.values()), None)
        for identifier in models if model is None else (model,):
            found = self._all.get(identifier)
            plan = index.plan_of(identifier, default) if found is None else None
            if found is not None:
                yield found
            elif model is not None or (plan is not None and any(plan.groups)):
                yield Model(identifier, OWNER, identifier, _dialect_of(plan))


def shown(model: Model) -> dict[str, Any]:
    """One object for the SDKs of OpenAI and of Anthropic; nothing is known of when a model was made.

    https://platform.openai.com/docs/api-reference/models/object, https://platform.claude.com/docs/en/api/models-list:
    there, too, an unknown date is the epoch.
    """
    return {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.owner,
        "type": "model",
        "display_name": model.name,
        "created_at": "1970-01-01T00:00:00Z",
    }


def shown_to_google(model: Model) -> dict[str, Any]:
    """One object for Google's SDK: https://ai.google.dev/api/models. What a model can do, its name has to tell."""
    told = f"{model.id} {model.name}".lower()
    methods = next((methods for part, methods in _METHODS if part in told), ("generateContent", "countTokens"))
    return {"name": f"models/{model.id}", "displayName": model.name, "supportedGenerationMethods": methods}


def _by_id(models: Iterable[Model]) -> dict[str, Model]:
    """In their order; of two of one id the first counts."""
    found: dict[str, Model] = {}
    for model in models:
        found.setdefault(model.id, model)
    return found


def _configured(provider: str, snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """The models of all deployments of a provider, as far as they are configured."""
    deployments = [one for one in snapshot.providers if one.name == provider]
    return tuple(dict.fromkeys((model, model) for one in deployments for model in one.models))


def _offered(snapshot: Snapshot, known: Mapping[str, tuple[tuple[str, str], ...]]) -> Iterator[Model]:
    """All names, those that people will use first: aliases, models of default providers, `provider/model`."""
    dialects = {provider.name: provider.dialect for provider in snapshot.providers}
    for alias in snapshot.models:
        if _STAR not in alias.name:
            yield Model(alias.name, OWNER, alias.name, dialects.get(alias.targets[0].provider, ""))
    for alias in snapshot.models:
        if _STAR in alias.name:
            yield from _of_pattern(alias, known, dialects)
    for provider in dict.fromkeys(snapshot.defaults.values()):
        for model, name in known.get(provider, ()):
            yield Model(model, provider, name, dialects[provider])
    for provider, models in known.items():
        for model, name in models:
            yield Model(f"{provider}/{model}", provider, name, dialects[provider])


def _of_pattern(
    alias: ModelAlias, known: Mapping[str, tuple[tuple[str, str], ...]], dialects: Mapping[str, str]
) -> Iterator[Model]:
    for target in alias.targets:
        for model, name in known.get(target.provider, ()) if _STAR in target.model else ():
            text = text_of_star(target.model, model)
            if text is not None:
                yield Model(alias.name.replace(_STAR, text, 1), target.provider, name, dialects[target.provider])


def _dialect_of(plan: Plan | None) -> str:
    """What those speak that a name leads to; nothing where the API decides who that is."""
    found = next((choice for group in plan.groups for choice in group), None) if plan is not None else None
    return "" if plan is None or found is None or plan.rule == "default" else found.provider.dialect
