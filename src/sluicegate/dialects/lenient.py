"""JSON of providers, read by shape: what has the expected type is taken, what has not is passed over.

The usual case is one typed decoding. Only where that fails is the text decoded again, without types, and fitted field
by field; so one field of a surprising type never loses the others.
"""

import json
import re
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct

_S = TypeVar("_S", bound=Struct)

LARGEST_COUNT: Final = 2**31 - 1
"""Tokens of one answer. Larger counts are nonsense: no context is a hundredth of it. What they cost must be a number
that ledgers, databases and JSON readers have (below 2**53, RFC 8259 section 6): what cannot be written is lost."""

_UNREADABLE = (ValueError, RecursionError)
"""What decoders raise: msgspec's errors and UnicodeDecodeError are ValueErrors; deep nesting is a RecursionError."""

_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")

_MISFIT: Final = object()


def parse(text: bytes) -> object:
    """Decode JSON without types; None where it is none."""
    try:
        value = json.loads(text.decode("utf-8-sig", "replace"))
        return encodable(value) if _SURROGATE_ESCAPE.search(text) else value
    except _UNREADABLE:
        return None


def encodable(value: Any) -> Any:
    """A decoded value with `?` for lone surrogates (half an emoji, cut off): nothing behind us could encode them."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def count(value: int | None) -> int:
    """A provider's number as a token count: what is missing or absurd counts 0."""
    return value if value is not None and 0 < value <= LARGEST_COUNT else 0


class LenientDecoder(Generic[_S]):
    """Decodes JSON objects to one Struct type, all of whose fields (nested ones too) have defaults."""

    __slots__ = ("_decode", "_kind")

    def __init__(self, kind: type[_S]) -> None:
        """Prepare the typed decoder of `kind`."""
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def __repr__(self) -> str:
        """Tell what is decoded."""
        return f"<LenientDecoder {self._kind.__name__}>"

    def read(self, text: bytes) -> _S | None:
        """What fits; None where `text` is no JSON object. Never raises."""
        try:
            return self._decode(text)
        except _UNREADABLE:
            return fitted(self._kind, parse(text))

    def read_each(self, texts: list[bytes]) -> list[_S | None]:
        """The same for many."""
        decode = self._decode
        try:
            return [decode(text) for text in texts]
        except _UNREADABLE:
            return [self.read(text) for text in texts]


def fitted(kind: type[_S], value: object) -> _S | None:
    """The parts of a decoded value that fit `kind`, the defaults for all others; None where it is no object."""
    if not isinstance(value, dict):
        return None
    found = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name in value:
            part = _fit(field.type, value[field.encode_name])
            if part is not _MISFIT:
                found[field.name] = part
    return kind(**found)


def _fit(kind: Any, value: object) -> Any:
    """`value` as a `kind` of the few sorts our Structs use, or _MISFIT."""
    if kind is Any:
        return value
    if get_origin(kind) in {Union, UnionType}:
        parts = (_fit(option, value) for option in get_args(kind))
        return next((part for part in parts if part is not _MISFIT), _MISFIT)
    if get_origin(kind) is list:
        if not isinstance(value, list):
            return _MISFIT
        (item_kind,) = get_args(kind)
        items = (_fit(item_kind, item) for item in value)
        return [item for item in items if item is not _MISFIT]
    if kind is NoneType:
        return None if value is None else _MISFIT
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(kind, type) and issubclass(kind, Struct):
        part = fitted(kind, value)
        return _MISFIT if part is None else part
    return value if type(value) is kind else _MISFIT
