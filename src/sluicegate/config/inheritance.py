"""What sections leave to others, filled in before the settings are checked.

Rule 1. A provider that names a preset, or has the name of one and no dialect, takes from it what it does not set.
Rule 2. A provider without a base URL whose deployments all have one has that of the first.
Rule 3. A circuit, a concurrency or retries of one provider or model take from `resilience` what they do not set.
"""

from typing import Any

from sluicegate.config.draft import Draft
from sluicegate.config.presets import BY_NAME, Preset
from sluicegate.config.problem import Location, nearest


def add_presets(draft: Draft) -> None:
    """Complete every provider by rules 1 and 2."""
    for section, given in [*draft.find("providers", ...)]:
        if not isinstance(given, dict | None):
            continue
        preset = _preset(draft, section, given or {})
        if preset is not None:
            _add_preset(draft, section, preset)
        else:
            _report_needless(draft, section)
        _add_base_url_of_deployments(draft, section)


def add_resilience(draft: Draft) -> None:
    """Complete circuits, concurrencies and retries by rule 3. What is wrong there is said once, of its origin."""
    for owner, name in (("providers", "circuit"), ("providers", "concurrency"), ("models", "retries")):
        for section, given in [*draft.find(owner, ..., name)]:
            for origin, value in draft.find("resilience", name, ...):
                location = (*section, origin[-1])
                if isinstance(given, dict) and given.get(origin[-1]) is None:
                    draft.put(location, value, draft.place(origin))
                    draft.excuse(location)


def _preset(draft: Draft, section: Location, given: dict[Any, Any]) -> Preset | None:
    named = given.get("preset")
    if named is None:
        if given.get("dialect") is None and section[-1] not in BY_NAME:
            name = str(section[-1])
            draft.report((*section, "dialect"), f"is required: {name} is the name of no preset", nearest(name, BY_NAME))
            draft.excuse((*section, "dialect"))
        return BY_NAME.get(str(section[-1])) if given.get("dialect") is None else None
    preset = BY_NAME.get(named) if isinstance(named, str) else None
    if preset is None:
        if isinstance(named, str):
            draft.report((*section, "preset"), "is no preset", nearest(named, BY_NAME))
        for key in ("dialect", "base_url", "parameters"):
            draft.excuse((*section, key))
    return preset


def _add_preset(draft: Draft, section: Location, preset: Preset) -> None:
    place = draft.place((*section, "preset"))
    values: dict[str, Any] = {"preset": preset.name, "dialect": preset.dialect}
    if preset.credential:
        values["credential"] = preset.credential
    if preset.caller_headers:
        values["caller_headers"] = {name: dict(facts) for name, facts in preset.caller_headers.items()}
    if not preset.ask_usage:
        values["ask_usage"] = False
    for key, value in values.items():
        if _value(draft, (*section, key)) is None:
            draft.put((*section, key), value, place)
    _add_base_urls(draft, section, preset)


def _add_base_urls(draft: Draft, section: Location, preset: Preset) -> None:
    """Fill the parameters in: the provider's own, and over them those of each deployment that has some."""
    ours = _parameters(draft, section, preset)
    deployments = [location for location, _ in draft.find(*section, "deployments", ...)]
    for deployment in deployments:
        theirs = _parameters(draft, deployment, preset)
        base_url = _filled(preset, ours | theirs)
        if theirs and base_url is not None and _value(draft, (*deployment, "base_url")) is None:
            draft.put((*deployment, "base_url"), base_url, draft.place((*deployment, "parameters")))
            draft.excuse((*deployment, "base_url"))
    if _value(draft, (*section, "base_url")) is not None or not preset.base_url:
        return
    base_url = _filled(preset, ours)
    if base_url is not None:
        draft.put((*section, "base_url"), base_url, draft.place((*section, "preset")))
        if preset.parameters:
            draft.excuse((*section, "base_url"))
    elif not deployments or any(_value(draft, (*each, "base_url")) is None for each in deployments):
        for name in preset.parameters:
            if name not in ours:
                location = (*section, "parameters", name)
                draft.report(location, f"is required by the preset {preset.name}, or a base_url")
                draft.excuse(location)
        draft.excuse((*section, "base_url"))


def _parameters(draft: Draft, section: Location, preset: Preset) -> dict[str, str]:
    """Those given that the preset asks for; others are reported."""
    found: dict[str, str] = {}
    for location, value in draft.find(*section, "parameters", ...):
        name = str(location[-1])
        if name not in preset.parameters:
            draft.report(location, f"is no parameter of the preset {preset.name}", nearest(name, preset.parameters))
        elif value is not None:
            found[name] = str(value)
    return found


def _report_needless(draft: Draft, section: Location) -> None:
    parts = [*draft.find(*section, "parameters"), *draft.find(*section, "deployments", ..., "parameters")]
    for location, value in parts:
        if value:
            draft.report(location, "belongs to a preset, and this provider has none")


def _filled(preset: Preset, parameters: dict[str, str]) -> str | None:
    """The base URL, or None where a parameter is missing."""
    if any(name not in parameters for name in preset.parameters):
        return None
    return preset.base_url.format_map(parameters)


def _add_base_url_of_deployments(draft: Draft, section: Location) -> None:
    deployments = [location for location, _ in draft.find(*section, "deployments", ...)]
    found = [*draft.find(*section, "deployments", ..., "base_url")]
    if found and len(found) == len(deployments) and _value(draft, (*section, "base_url")) is None:
        location, base_url = found[0]
        draft.put((*section, "base_url"), base_url, draft.place(location))
        draft.excuse((*section, "base_url"))


def _value(draft: Draft, location: Location) -> Any:
    return next((value for _, value in draft.find(*location)), None)
