"""Fields of a JSON request that make its tokens cost more than the model's standard rates.

OpenAI, Groq and Gemini call the field `service_tier` (Gemini `serviceTier`, too): what goes first costs more, what may
wait costs less. Anthropic calls it `speed`, and where it runs `inference_geo`; its `service_tier` is free of charge.

Rule. What is not known to cost at most the standard rates is taken to cost more; so is a value that is no text.
"""

import json
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from sluicegate.wire.peek import field_span

_STANDARD_TIERS: Final = frozenset({"auto", "default", "standard", "standard_only", "flex", "on_demand"})
"""`auto` is what a missing field means: a tier that the provider's account is set to, where it is set to one."""

_STANDARD: Final = {
    "service_tier": _STANDARD_TIERS,
    "serviceTier": _STANDARD_TIERS,
    "speed": frozenset({"standard"}),
    "inference_geo": frozenset({"global"}),
}
"""For each field the values that cost no more."""


_NAMES: Final = tuple(b'"%b"' % name.encode() for name in _STANDARD)


class _Fields(Struct):
    service_tier: Any = None
    camel: Any = field(default=None, name="serviceTier")
    speed: Any = None
    inference_geo: Any = None


_decode = msgspec.json.Decoder(_Fields).decode


def dearer_field(body: bytes) -> str | None:
    """The first field by which the request may cost more than the standard rates; None where there is none.

    What is no JSON object has no fields. Raises PeekError where such a field is given twice.
    """
    may_hide = b"\\u00" in body
    if not may_hide and not any(map(body.__contains__, _NAMES)):
        return None
    for name, value in _values(body).items():
        if value is None and not may_hide and b'"%b"' % name.encode() not in body:
            continue
        field_span(body, name)
        if value is not None and (not isinstance(value, str) or value.lower() not in _STANDARD[name]):
            return name
    return None


def _values(body: bytes) -> dict[str, Any]:
    try:
        found = _decode(body)
    except ValueError:
        return _values_slowly(body)
    return {
        "service_tier": found.service_tier,
        "serviceTier": found.camel,
        "speed": found.speed,
        "inference_geo": found.inference_geo,
    }


def _values_slowly(body: bytes) -> dict[str, Any]:
    """For half of a surrogate pair, which msgspec refuses and providers may not; and for what is no object."""
    try:
        loaded = json.loads(body)
    except ValueError:
        return {}
    return {name: loaded.get(name) for name in _STANDARD} if isinstance(loaded, dict) else {}
