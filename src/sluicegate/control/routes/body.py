"""The forms of bodies: what is accepted, and how times and texts look.

Rule 1. A field that is not known is refused, so that a misspelt limit is never one that silently does not hold.
Rule 2. Nothing is converted: `"5"` is no number and `1` is no truth.
Rule 3. No text holds a control character: PostgreSQL stores no NUL, and a terminal or log obeys the others.
"""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, overload

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_MOST_METADATA = 16_384
"""Bytes, as JSON."""
_DEEPEST_METADATA = 16
_NO_NUL = {"type": "string", "pattern": r"^[^\x00]*$"}
_JSON = {"$ref": "#/components/schemas/Json"}
ANY_JSON = "x-any-json"
"""Marks an object schema that the document shall replace by `JsonObject`: pydantic lets nobody refer to it."""
JSON_SCHEMAS: dict[str, Any] = {
    "JsonObject": {
        "type": "object",
        "description": "What is kept with an object: JSON, up to 16 KiB.",
        "propertyNames": _NO_NUL,
        "additionalProperties": _JSON,
    },
    "Json": {
        "anyOf": [
            {"type": "null"},
            {"type": "boolean"},
            {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
            {"type": "number", "minimum": -(2**63), "maximum": 2**63 - 1},
            _NO_NUL,
            {"type": "array", "items": _JSON},
            {"$ref": "#/components/schemas/JsonObject"},
        ]
    },
}
"""Schemas that `Metadata` refers to."""


class Body(BaseModel):
    """A body that is sent to us."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Shown(BaseModel):
    """A body that we send."""

    model_config = ConfigDict(extra="forbid")


@overload
def moment(milliseconds: int) -> datetime: ...


@overload
def moment(milliseconds: None) -> None: ...


@overload
def moment(milliseconds: int | None) -> datetime | None: ...


def moment(milliseconds: int | None) -> datetime | None:
    """Unix milliseconds as a time in UTC."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(time: datetime | None) -> int | None:
    """The other way round."""
    return None if time is None else round(time.timestamp() * 1000)


def _read_moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2030-12-31T23:59:59Z")
    try:
        read = datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("must be a time such as 2030-12-31T23:59:59Z") from None
    if read.tzinfo is None or "T" not in value.upper():
        # A date alone would end hours earlier or later than was meant.
        raise ValueError("must say its offset from UTC, as in 2030-12-31T23:59:59Z")
    try:
        return read.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond the years that can be counted") from None


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    _check_value(value, _DEEPEST_METADATA)
    if len(msgspec.json.encode(value)) > _MOST_METADATA:
        raise ValueError(f"must not take more than {_MOST_METADATA} bytes")
    return value


def _check_value(value: Any, depth: int) -> None:
    if depth == 0:
        raise ValueError(f"must not be nested more than {_DEEPEST_METADATA} deep")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_value(name, depth)
            _check_value(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner, depth - 1)
    elif isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("must not hold a NUL or half a surrogate pair")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must hold finite numbers only")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("must not hold an integer of more than 64 bits")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _no_repetition(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


Text = Annotated[str, Field(max_length=1024, pattern=_PRINTABLE)]
Name = Annotated[
    str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$")
]
"""Without spaces at its ends."""
Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._@+-]+$")]
Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2030-12-31T23:59:59Z"]}, mode="validation"),
]
"""A time that is sent to us: ISO 8601 with its offset from UTC."""
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata), WithJsonSchema({"type": "object", ANY_JSON: True})]
"""What the operator keeps with an object: JSON, up to 16 KiB."""
Whole = BeforeValidator(_whole)
"""Annotation of an integer, behind its bounds: JSON's `5.0` is one (JSON Schema, validation section 6.1.1)."""
Count = Annotated[int, Field(ge=1, le=2**53 - 1), Whole]
Seconds = Annotated[int, Field(ge=1, le=315_360_000), Whole]
"""Up to ten years."""
Words = Annotated[list[Name], Field(max_length=256), AfterValidator(_no_repetition)]
Names = Annotated[
    list[Annotated[str, Field(max_length=256, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]], Field(max_length=256)
]
"""Names of headers (RFC 9110 section 5.1)."""
