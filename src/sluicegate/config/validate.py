"""A draft → Settings, or every problem at once in our own words."""

from typing import Any

from pydantic import ValidationError

from sluicegate.config.checks import CHECKS
from sluicegate.config.draft import Draft
from sluicegate.config.problem import ConfigurationError, Location, nearest, written
from sluicegate.config.reference import keys_at, paths_ending_in
from sluicegate.config.schema import Settings

_WORDS = {
    "missing": "is required",
    "string_type": "must be text; a number or a word like yes belongs in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}
"""By pydantic's type of error. A type not listed is said in pydantic's words, which never hold a value here."""


def validate(draft: Draft, *, dialects: frozenset[str]) -> Settings:
    """Check everything that can be checked without touching the machine. Raises ConfigurationError."""
    settings = None
    try:
        settings = Settings.model_validate(draft.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            _report(draft, detail["type"], tuple(detail["loc"]), detail.get("ctx", {}), detail["msg"])
    for check in CHECKS:
        check(draft, dialects)
    if draft.problems or settings is None:
        raise ConfigurationError(draft.problems)
    return settings


def _report(draft: Draft, kind: str, loc: Location, context: dict[str, Any], message: str) -> None:
    location = _in_file(loc, draft.data)
    if kind == "extra_forbidden":
        draft.report(location, "is no setting", _meant(location))
    elif kind == "value_error":
        draft.report(location, str(context["error"]))
    elif kind == "too_short" and _value(location, draft.data):
        pass  # Pydantic counts only the entries that were valid; the others are reported already.
    else:
        value = _value(location, draft.data) if kind == "literal_error" else None
        suggestion = nearest(value, _choices(context)) if isinstance(value, str) else None
        draft.report(location, _WORDS.get(kind, message).format_map(context), suggestion)


def _in_file(loc: Location, data: Any) -> Location:
    """Drop the parts that pydantic adds for kinds of a union and keys of a mapping."""
    location: Location = ()
    for position, part in enumerate(loc):
        is_last = position == len(loc) - 1
        if isinstance(data, dict) and (part in data or (is_last and part != "[key]")):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            continue
        location = (*location, part)
    return location


def _value(location: Location, data: Any) -> Any:
    for part in location:
        data = data[part]
    return data


def _choices(context: dict[str, Any]) -> list[str]:
    return [word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", ")]


def _meant(location: Location) -> str | None:
    """The setting an unknown key was probably meant to be: a sibling of nearly that name, or one misplaced."""
    key = str(location[-1])
    sibling = nearest(key, keys_at(location[:-1]))
    if sibling is not None:
        return sibling
    elsewhere = paths_ending_in(key)
    return elsewhere[0] if len(elsewhere) == 1 and elsewhere[0] != written(location) else None
