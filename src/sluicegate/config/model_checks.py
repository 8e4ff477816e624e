"""Rules on models: their targets and fallbacks exist, fit together, and can be reached. Among them `checks` lists."""

from collections.abc import Iterator

from sluicegate.config.draft import Draft
from sluicegate.config.problem import Location, nearest


def provider_names(draft: Draft) -> list[str]:
    """The names of all providers."""
    return [str(location[-1]) for location, _ in draft.find("providers", ...)]


def check_targets(draft: Draft, dialects: frozenset[str]) -> None:
    """Every target names a provider that exists, and a model of it."""
    del dialects
    for location, text in draft.find("models", ..., "targets", ..., "model"):
        if isinstance(text, str):
            _check_target(draft, location, text)


def check_fallbacks(draft: Draft, dialects: frozenset[str]) -> None:
    """Every fallback is a target or another model of ours, and none leads back to where it came from."""
    del dialects
    groups = _fallbacks_by_model(draft)
    for model, name in draft.find("models", ..., "name"):
        for location, text in draft.find(*model[:-1], "fallbacks", ...):
            if not isinstance(text, str):
                continue
            if text not in groups:
                names = [*groups, *(f"{provider}/" for provider in provider_names(draft))]
                if "/" in text:
                    _check_target(draft, location, text)
                else:
                    draft.report(location, "is no model of ours, and not provider/model", nearest(text, names))
            elif "*" in text:
                draft.report(location, "has a * in its name: which of its models is meant, cannot be known")
                draft.excuse(location)
            elif text == name:
                draft.report(location, "is the model itself")
            elif isinstance(name, str) and _leads_to(text, name, groups):
                draft.report(location, f"leads back to {name}: {text} falls back to it; name a target, provider/model")


def check_wildcards(draft: Draft, dialects: frozenset[str]) -> None:
    """A name has one `*` at most, and only then targets and fallbacks may have one."""
    del dialects
    for model, name in draft.find("models", ..., "name"):
        if not isinstance(name, str):
            continue
        if name.count("*") > 1:
            draft.report(model, "has more than one *")
        for location, text in _served_by(draft, model[:-1]):
            if text.count("*") > 1:
                draft.report(location, "has more than one *")
            elif "*" in text and "*" not in name:
                draft.report(location, f"has a *, but there is none in {name} that it could stand for")


def check_dialects_of_targets(draft: Draft, dialects: frozenset[str]) -> None:
    """All that serves one model speaks one dialect: a request comes in one, and is not translated."""
    groups = _groups(draft)
    spoken = {location[1]: dialect for location, dialect in draft.find("providers", ..., "dialect")}
    for model, _ in draft.find("models", ...):
        first: tuple[str, str] | None = None
        for location, target in _reached(draft, model, groups):
            dialect = spoken.get(target.partition("/")[0])
            if not isinstance(dialect, str) or dialect not in dialects:
                continue
            if first is None:
                first = (target, dialect)
            elif dialect != first[1]:
                message = f"{target} speaks the dialect {dialect}, but the first target, {first[0]}, speaks {first[1]}"
                draft.report(location, f"{message}; make two models of them")


def check_constraints(draft: Draft, dialects: frozenset[str]) -> None:
    """Every target and fallback can be reached within the regions and with the tags that its model asks for."""
    del dialects
    groups = _groups(draft)
    for model, _ in draft.find("models", ...):
        regions = {region for _, region in draft.find(*model, "regions", ...) if isinstance(region, str)}
        tags = {tag for _, tag in draft.find(*model, "tags", ...) if isinstance(tag, str)}
        if not regions and not tags:
            continue
        for location, target in _reached(draft, model, groups):
            provider = target.partition("/")[0]
            places = _deployments(draft, provider)
            fit = [words for region, words in places if (not regions or region in regions) and tags <= words]
            if places and not fit:
                draft.report(location, f"no deployment of {provider} fits the regions and tags of this model")


def _check_target(draft: Draft, location: Location, text: str) -> None:
    names = provider_names(draft)
    provider, slash, model = text.partition("/")
    if not slash or not provider or not model.strip():
        draft.report(location, "must be provider/model")
    elif provider not in names:
        close = nearest(provider, names)
        draft.report(location, f"names the provider {provider}, which is not configured", close and f"{close}/{model}")


def _fallbacks_by_model(draft: Draft) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for model, name in draft.find("models", ..., "name"):
        if isinstance(name, str):
            fallbacks = [text for _, text in draft.find(*model[:-1], "fallbacks", ...) if isinstance(text, str)]
            found.setdefault(name, fallbacks)
    return found


def _leads_to(start: str, goal: str, groups: dict[str, list[str]]) -> bool:
    """Whether falling back from `start` on and on comes to `goal`."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            ahead += groups.get(name, ())
    return False


def _served_by(draft: Draft, model: Location) -> Iterator[tuple[Location, str]]:
    """The targets of a model as they are written, and then its fallbacks."""
    for location, text in (*draft.find(*model, "targets", ..., "model"), *draft.find(*model, "fallbacks", ...)):
        if isinstance(text, str):
            yield location, text


def _reached(draft: Draft, model: Location, groups: dict[str, list[str]]) -> Iterator[tuple[Location, str]]:
    """The targets of a model and all that its fallbacks stand for, each with the place where it comes in."""
    for location, text in draft.find(*model, "targets", ..., "model"):
        if isinstance(text, str):
            yield location, text
    for location, text in draft.find(*model, "fallbacks", ...):
        if isinstance(text, str):
            yield from ((location, target) for target in groups.get(text, [text]))


def _groups(draft: Draft) -> dict[str, list[str]]:
    """The targets of every model of ours, by its name."""
    found: dict[str, list[str]] = {}
    for model, name in draft.find("models", ..., "name"):
        if isinstance(name, str):
            targets = [target for _, target in draft.find(*model[:-1], "targets", ..., "model")]
            found.setdefault(name, [target for target in targets if isinstance(target, str)])
    return found


def _deployments(draft: Draft, provider: str) -> list[tuple[str, set[str]]]:
    """Region and tags of each deployment; a deployment's own in place of the provider's."""
    found: list[tuple[str, set[str]]] = []
    for section, own in draft.find("providers", provider):
        deployments = [value for _, value in draft.find(*section, "deployments", ...)] or [{}]
        for deployment in deployments:
            if isinstance(own, dict) and isinstance(deployment, dict):
                settings = own | {key: value for key, value in deployment.items() if value is not None}
                tags = settings.get("tags")
                words = {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()
                found.append((str(settings.get("region") or ""), words))
    return found
