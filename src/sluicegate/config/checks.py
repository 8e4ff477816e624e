"""Rules between settings, one function each.

They read the raw values, so that they speak up beside the schema's errors. A check passes over whatever has the wrong
shape: that is the schema's to report.
"""

from collections.abc import Callable
from typing import Any

from sluicegate.config.draft import Draft
from sluicegate.config.problem import Location, nearest

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
    names = _provider_names(draft)
    for location, name in draft.find("defaults", ...):
        if not isinstance(name, str):
            continue
        if name not in names:
            draft.report(location, "names no provider", nearest(name, names))
        elif location[-1] in dialects and spoken.get(name, location[-1]) != location[-1]:
            draft.report(location, f"names the provider {name}, which speaks another dialect")


def check_targets(draft: Draft, dialects: frozenset[str]) -> None:
    """Every target names a provider that exists, and a model of it."""
    del dialects
    names = _provider_names(draft)
    for location, text in draft.find("models", ..., "targets", ..., "model"):
        if not isinstance(text, str):
            continue
        provider, slash, model = text.partition("/")
        if not slash or not provider or not model.strip():
            draft.report(location, "must be provider/model")
        elif provider not in names:
            close = nearest(provider, names)
            draft.report(
                location, f"names the provider {provider}, which is not configured", close and f"{close}/{model}"
            )


def check_dialects_of_targets(draft: Draft, dialects: frozenset[str]) -> None:
    """The targets of one model speak one dialect: a request comes in one, and is not translated."""
    spoken = {location[1]: dialect for location, dialect in draft.find("providers", ..., "dialect")}
    for model, _ in draft.find("models", ...):
        first: tuple[str, str] | None = None
        for location, text in draft.find(*model, "targets", ..., "model"):
            dialect = spoken.get(text.partition("/")[0]) if isinstance(text, str) else None
            if not isinstance(dialect, str) or dialect not in dialects:
                continue
            if first is None:
                first = (text, dialect)
            elif dialect != first[1]:
                message = f"{text} speaks the dialect {dialect}, but the first target, {first[0]}, speaks {first[1]}"
                draft.report(location, f"{message}; make two models of them")


def check_names(draft: Draft, dialects: frozenset[str]) -> None:
    """No two models and no two tokens share a name."""
    del dialects
    for section in ("models", "tokens"):
        _report_repeated(draft, [*draft.find(section, ..., "name")], "has the name of an earlier one")


def check_secrets(draft: Draft, dialects: frozenset[str]) -> None:
    """No two tokens share a secret, and none manages: a credential must mean one thing."""
    del dialects
    management = [*draft.find("management_token")]
    tokens = [*draft.find("tokens", ..., "token")]
    _report_repeated(draft, management + tokens, "has the same secret as an earlier one")


def check_headers(draft: Draft, dialects: frozenset[str]) -> None:
    """No header is given twice in different spellings."""
    del dialects
    for section in ("headers", "default_headers", "caller_headers", "price_headers"):
        for provider, _ in draft.find("providers", ..., section):
            names = [(location, str(location[-1]).lower()) for location, _ in draft.find(*provider, ...)]
            _report_repeated(draft, names, "is the same header as an earlier one")


CHECKS: tuple[Check, ...] = (
    check_dialects,
    check_defaults,
    check_targets,
    check_dialects_of_targets,
    check_names,
    check_secrets,
    check_headers,
)


def _provider_names(draft: Draft) -> list[str]:
    return [str(location[-1]) for location, _ in draft.find("providers", ...)]


def _report_repeated(draft: Draft, found: list[tuple[Location, Any]], message: str) -> None:
    seen: set[str] = set()
    for location, value in found:
        if not isinstance(value, str) or not value:
            continue
        if value in seen:
            draft.report(location, message)
        seen.add(value)
