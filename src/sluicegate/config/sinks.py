"""Sinks in a draft: listed ones by their name, what the environment adds, and whether each has what its type needs."""

from collections.abc import Mapping

from sluicegate.config.draft import Draft, Place
from sluicegate.config.problem import Location, nearest
from sluicegate.config.sink_kinds import KINDS, SinkKind

LOGGING_VARIABLE = "LOGGING_URL"
"""Variable that alone makes a webhook: the address events are sent to."""
LOGGING_SINK = "logging"
"""What that sink is called."""
_ENVIRONMENT = "environment"
_KEY_PARTS = frozenset({"access_key_id", "secret_access_key", "session_token"})


def add_sinks(draft: Draft, environment: Mapping[str, str]) -> None:
    """Bring the section into the form of a mapping, and lay the environment under and beside what it says."""
    draft.name_entries("sinks")
    url = environment.get(LOGGING_VARIABLE)
    if url and not [*draft.find("sinks", LOGGING_SINK)]:
        place = Place(_ENVIRONMENT, name=LOGGING_VARIABLE)
        draft.put(("sinks", LOGGING_SINK, "type"), "webhook", place)
        draft.put(("sinks", LOGGING_SINK, "url"), url, place)
    for location, kind in [*draft.find("sinks", ..., "type")]:
        if isinstance(kind, str) and kind in KINDS:
            _add_variables(draft, location[:-1], KINDS[kind], environment)


def _add_variables(draft: Draft, section: Location, kind: SinkKind, environment: Mapping[str, str]) -> None:
    given = {str(key[-1]) for key, value in draft.find(*section, ...) if value is not None}
    has_key = bool(given & _KEY_PARTS)
    for name, variable in kind.variables:
        # Half a key from here and half from there is nobody's.
        if name not in given and environment.get(variable) and not (has_key and name in _KEY_PARTS):
            draft.put((*section, name), environment[variable], Place(_ENVIRONMENT, name=variable))


def check_sinks(draft: Draft, dialects: frozenset[str]) -> None:
    """Each sink has a type that there is, all that this needs, and nothing that it has no use for."""
    del dialects
    for location, kind in draft.find("sinks", ..., "type"):
        if not isinstance(kind, str):
            continue
        known = KINDS.get(kind)
        if known is None:
            draft.report(location, f"must be one of {', '.join(sorted(KINDS))}", nearest(kind, KINDS))
            continue
        section = location[:-1]
        given = {str(key[-1]) for key, value in draft.find(*section, ...) if value is not None}
        for name in known.required:
            if name not in given:
                draft.report((*section, name), f"is required by a sink of type {kind}")
        every: frozenset[str] = frozenset().union(*(each.settings for each in KINDS.values()))
        for name in sorted((given & every) - known.settings):
            draft.report((*section, name), f"means nothing to a sink of type {kind}")
