"""Which events are sent, and which of their fields. Pure."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sluicegate.config.schema import FilterSettings, SinkSettings
from sluicegate.events.sinks.base import Event


def found(event: Event, path: str) -> Any:
    """The value of a field, in which dots lead into sections; None where there is none."""
    value: Any = event
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def is_wanted(event: Event, filters: Sequence[FilterSettings]) -> bool:
    """Whether all conditions hold. What is not in an event is none of anything."""
    return all(_holds(found(event, one.field), one) for one in filters)


def selector(settings: SinkSettings) -> Callable[[Event], Event]:
    """What makes of an event that which is sent of it. `kind` and `request_id` are always: events are known by them."""
    if settings.fields:
        kept = ("kind", "request_id", "id", *settings.fields)
        return lambda event: _with(event, kept)
    if settings.omit_fields:
        return lambda event: _without(event, settings.omit_fields)
    return lambda event: event


def _holds(value: Any, condition: FilterSettings) -> bool:
    if condition.present is not None and condition.present != (value is not None):
        return False
    if condition.any_of and not _is_any(value, condition.any_of):
        return False
    if condition.none_of and _is_any(value, condition.none_of):
        return False
    if condition.at_least is None and condition.at_most is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (condition.at_least is None or value >= condition.at_least) and (
        condition.at_most is None or value <= condition.at_most
    )


def _is_any(value: Any, wanted: Sequence[Any]) -> bool:
    values = value if isinstance(value, list | tuple) else (value,)
    return any(_is_like(each, one) for each in values for one in wanted)


def _is_like(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return fnmatchcase(value, wanted.replace("[", "[[]").replace("?", "[?]"))
    # Or True would be 1.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _with(event: Event, paths: Sequence[str]) -> Event:
    kept: dict[str, Any] = {}
    for path in paths:
        value = found(event, path)
        if value is None:
            continue
        target = kept
        *sections, name = path.split(".")
        for section in sections:
            target = target.setdefault(section, {})
        if isinstance(target, dict):
            target[name] = value
    return kept


def _without(event: Event, paths: Sequence[str]) -> Event:
    left = dict(event)
    for path in paths:
        name, _, rest = path.partition(".")
        if name in ("kind", "request_id", "id"):
            continue
        if not rest:
            left.pop(name, None)
        elif isinstance(left.get(name), Mapping):
            left[name] = _without(left[name], (rest,))
    return left
