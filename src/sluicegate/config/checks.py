"""Rules between settings, one function each.

They read the raw values, so that they speak up beside the schema's errors. A check passes over whatever has the wrong
shape: that is the schema's to report.
"""

from collections.abc import Callable
from typing import Any

from sluicegate.config.draft import Draft
from sluicegate.config.model_checks import (
    check_constraints,
    check_dialects_of_targets,
    check_fallbacks,
    check_targets,
    check_wildcards,
    provider_names,
)
from sluicegate.config.problem import Location, nearest
from sluicegate.config.sinks import check_sinks

Check = Callable[[Draft, frozenset[str]], None]
"""Reports into the draft what it finds, given the names of the dialects there are."""


def check_dialects(draft: Draft, dialects: frozenset[str]) -> None:
    """Providers and defaults name dialects that exist."""
    for location, name in draft.find("providers", ..., "dialect"):
        if isinstance(name, str) and name not in dialects:
            draft.report(location, f"must be one of {', '.join(sorted(dialects))}", nearest(name, dialects))
    for location, _ in draft.find("defaults", ...):
        name = str(location[-1])
        if name not in dialects:
            draft.report(location, "is no dialect", nearest(name, dialects))


def check_defaults(draft: Draft, dialects: frozenset[str]) -> None:
    """The default provider of a dialect exists and speaks it."""
    spoken = {location[1]: dialect for location, dialect in draft.find("providers", ..., "dialect")}
    names = provider_names(draft)
    for location, name in draft.find("defaults", ...):
        if not isinstance(name, str):
            continue
        if name not in names:
            draft.report(location, "names no provider", nearest(name, names))
        elif location[-1] in dialects and spoken.get(name, location[-1]) != location[-1]:
            draft.report(location, f"names the provider {name}, which speaks another dialect")


def check_names(draft: Draft, dialects: frozenset[str]) -> None:
    """No two models, no two tokens and no two deployments of one provider share a name; no plugin is named twice."""
    del dialects
    lists = [("models",), ("tokens",), *((*provider, "deployments") for provider, _ in draft.find("providers", ...))]
    for section in lists:
        _report_repeated(draft, [*draft.find(*section, ..., "name")], "has the name of an earlier one")
    _report_repeated(draft, [*draft.find("plugins", ...)], "is named twice")


def check_secrets(draft: Draft, dialects: frozenset[str]) -> None:
    """No two tokens share a secret, and none manages: a credential must mean one thing. No key is given twice."""
    del dialects
    management = [*draft.find("management_token"), *draft.find("metrics", "token")]
    tokens = [*draft.find("tokens", ..., "token")]
    _report_repeated(draft, management + tokens, "has the same secret as an earlier one")
    for provider, _ in draft.find("providers", ...):
        _report_repeated(draft, [*draft.find(*provider, "api_keys", ...)], "is the same key as an earlier one")


def check_headers(draft: Draft, dialects: frozenset[str]) -> None:
    """No header is given twice in different spellings."""
    del dialects
    for section in ("headers", "default_headers", "caller_headers", "price_headers"):
        providers = [*draft.find("providers", ..., section), *draft.find("providers", ..., "deployments", ..., section)]
        for provider, _ in providers:
            names = [(location, str(location[-1]).lower()) for location, _ in draft.find(*provider, ...)]
            _report_repeated(draft, names, "is the same header as an earlier one")


CHECKS: tuple[Check, ...] = (
    check_dialects,
    check_defaults,
    check_targets,
    check_fallbacks,
    check_wildcards,
    check_dialects_of_targets,
    check_constraints,
    check_names,
    check_secrets,
    check_headers,
    check_sinks,
)


def _report_repeated(draft: Draft, found: list[tuple[Location, Any]], message: str) -> None:
    seen: set[str] = set()
    for location, value in found:
        if not isinstance(value, str) or not value:
            continue
        if value in seen:
            draft.report(location, message)
        seen.add(value)
