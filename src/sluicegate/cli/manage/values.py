"""What the text of an option means."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sluicegate.cli.manage.failure import USAGE, ManageError

_DURATION = re.compile(r"([0-9]{1,9})([smhdw]?)")
_LONGEST = 20
"""Digits; beyond, no number is one that the gateway takes."""
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def seconds(text: str | None, option: str) -> int | None:
    """A duration in whole seconds: `90`, `90s`, `15m`, `12h`, `30d`, `2w`. Raises ManageError."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ManageError(f"{option} must be a whole number and s, m, h, d or w, as in 30d", USAGE)
    return int(match[1]) * _SECONDS[match[2]]


def metadata(text: str | None) -> dict[str, Any] | None:
    """A JSON object. Raises ManageError."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ManageError("""--metadata must be a JSON object, as in '{"team": "search"}'""", USAGE)
    return value


def objects(text: str, option: str) -> list[dict[str, Any]]:
    """A JSON array of objects. Raises ManageError."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ManageError(f"{option} must be a JSON array of objects", USAGE)
    return value


def entity_tag(text: str | None) -> str | None:
    """What `--if-match` names, as an entity tag: `3` and `"3"` are the same (RFC 9110 section 8.8.3)."""
    if text is None or text == "*":
        return text
    return '"' + text.strip('"') + '"'


def number(text: str | None) -> int | str | None:
    """A whole number as one; what else there is as it is, for the gateway to read: `12.50`."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < _LONGEST else text


def given(**fields: Any) -> dict[str, Any]:
    """Those fields that an option was given for."""
    return {name: value for name, value in fields.items() if value is not None and value != []}


def emptied(names: Iterable[str], empty: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `--unset` names, with what stands for nothing in each. Raises ManageError."""
    found = {}
    for name in names:
        field = name.replace("-", "_")
        if field not in empty:
            allowed = ", ".join(one.replace("_", "-") for one in empty)
            raise ManageError(f"--unset {name}: only these can be taken away: {allowed}", USAGE)
        if field in fields:
            raise ManageError(f"--unset {name}: it is also set", USAGE)
        found[field] = empty[field]
    return found
