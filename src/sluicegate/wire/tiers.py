"""Fields of a JSON request that make its tokens cost more than the model's standard rates.

OpenAI, Groq and Gemini call the field `service_tier` (Gemini `serviceTier`, too): what goes first costs more, what may
wait costs less. Anthropic calls it `speed`, and where it runs `inference_geo`; its `service_tier` is free of charge.

Rule. What is not known to cost at most the standard rates is taken to cost more; so is a value that is no text.
"""

import json
from typing import Any, Final

from msgspec import UNSET

from sluicegate.wire.peek import field_span
from sluicegate.wire.stated import Stated, stated_in

_STANDARD_TIERS: Final = frozenset({"auto", "default", "standard", "standard_only", "flex", "on_demand"})
"""`auto` is what a missing field means: a tier that the provider's account is set to, where it is set to one."""

_STANDARD: Final = {
    "service_tier": _STANDARD_TIERS,
    "serviceTier": _STANDARD_TIERS,
    "speed": frozenset({"standard"}),
    "inference_geo": frozenset({"global"}),
}
"""For each field the values that cost no more."""


def dearer_fields(body: bytes, stated: Stated | None = None) -> dict[str, str]:
    """The fields by which the request may cost more than the standard rates, and what each asks for, in lower case.

    That is empty where it is no text. What is no JSON object has no fields. `stated` is what is known to be in it.
    Raises PeekError where such a field is given twice.
    """
    stated = stated or stated_in(body)
    values = _values_slowly(body) if stated is None else _values(stated)
    found: dict[str, str] = {}
    for name, value in values.items():
        field_span(body, name)
        asked = value.lower() if isinstance(value, str) else ""
        if value is not None and asked not in _STANDARD[name]:
            found[name] = asked
    return found


def _values(stated: Stated) -> dict[str, Any]:
    values = (stated.service_tier, stated.camel_tier, stated.speed, stated.inference_geo)
    return {name: value for name, value in zip(_STANDARD, values, strict=True) if value is not UNSET}


def _values_slowly(body: bytes) -> dict[str, Any]:
    """For half of a surrogate pair, which msgspec refuses and providers may not; and for what is no object."""
    try:
        loaded = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {name: loaded[name] for name in _STANDARD if name in loaded} if isinstance(loaded, dict) else {}
