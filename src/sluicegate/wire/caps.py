"""How much a JSON request lets a model write and makes it read, as far as its bytes tell; and writing the former.

Rule 1. What cannot be told is taken for the worst. A cap that is given twice is refused: another reader could take the
        other one.
Rule 2. A cap is written in the place of the one that is there, or as a new first member; no other byte changes.
"""

import json
import re
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from sluicegate.wire.paid_tools import MARKS
from sluicegate.wire.peek import PeekError, field_span, with_field
from sluicegate.wire.stated import NAMES, SILENT, Stated, stated_in


class CapFields(Struct, frozen=True):
    """Where a request caps its output: top-level `names`, or those inside one of the top-level objects `inside`.

    The first of each is the one that is written where there is none. `choices` are fields that multiply the output.
    """

    names: tuple[str, ...]
    inside: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class Caps(Struct, frozen=True):
    """What a request says: tokens for each choice (None: no cap), and how many choices there are."""

    tokens: int | None
    choices: int


_SMALLEST_IMAGE: Final = 512
"""Characters of base64 that are worth telling from text."""
_IMAGE_STARTS: Final = (b"/9j/", b"iVBORw0KGgo", b"R0lGOD", b"UklGR")
"""JPEG, PNG, GIF and RIFF (WebP, where the form type follows) in base64."""
_WEBP: Final = b"RUJQ"

REFERENCES: Final = (
    b'"file_id"',
    b'"file_url"',
    b'"fileData"',
    b'"file_data"',
    b'"fileUri"',
    b'"previous_response_id"',
    b'"conversation"',
    b'"cachedContent"',
    b'"container"',
)
"""Names of members by which a request makes a model read what is not in its bytes."""
_IMAGE_PARTS: Final = (b'"image_url"', b'"input_image"', b'"image"', b'"inlineData"', b'"inline_data"')

_reaches = re.compile(b"|".join(map(re.escape, REFERENCES + _IMAGE_PARTS + MARKS))).search
"""One pass over the bytes, where looking for each name takes thirteen."""
_NO_CAPS: Final = Caps(None, 1)
_MOST_TOKENS: Final = 2**31 - 1
"""No model writes a hundredth of it. What is above it, as 1e300 is, could not even be told to others as a number."""
_MOST_CHOICES: Final = 2**16
"""A hundred times what any API takes."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value = msgspec.json.Decoder().decode


def read_caps(body: bytes, fields: CapFields, stated: Stated | None = None) -> Caps:
    """The caps of a request. `body` is what `peek` accepted, `stated` what is known to be in it.

    Raises PeekError where one is given twice, or cannot be read.
    """
    if (stated or stated_in(body)) is SILENT and _is_stated(fields):
        return _NO_CAPS
    members = _members(body)
    found: list[int] = []
    choices = 1
    if not fields.inside:
        found = _numbers(body, members, fields.names)
    for container in fields.inside:
        if container in members:
            _check_once(body, container)
            inner = bytes(members[container])
            if inner.startswith(b"{"):
                inside = _members(inner)
                found += _numbers(inner, inside, fields.names)
                choices = max([choices, *_numbers(inner, inside, fields.choices)])
    choices = max([choices, *_numbers(body, members, fields.choices)])
    if "prompt" in members and bytes(members["prompt"]).startswith(b"["):
        prompts = _read(members["prompt"], "prompt")
        choices *= 1 if all(isinstance(each, int) for each in prompts) else len(prompts)
    return Caps(min(max(found), _MOST_TOKENS) if found else None, min(choices, _MOST_CHOICES))


@lru_cache(maxsize=64)
def _is_stated(fields: CapFields) -> bool:
    """Whether `Stated` knows all of them."""
    return NAMES.issuperset((*(fields.inside or fields.names), *fields.choices))


def _members(text: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decode(text)
    except ValueError:
        # Half of a surrogate pair, which msgspec refuses and providers may not.
        try:
            return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in json.loads(text).items()}
        except (ValueError, RecursionError):
            raise PeekError("the body cannot be read", "body") from None


def _numbers(body: bytes, members: dict[str, msgspec.Raw], names: tuple[str, ...]) -> list[int]:
    found: list[int] = []
    for name in names:
        raw = members.get(name)
        if raw is None:
            continue
        _check_once(body, name)
        value = _read(raw, name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            found.append(int(min(value, _MOST_TOKENS)))
    return found


def _read(raw: msgspec.Raw, name: str) -> Any:
    """A member's value. Raises PeekError where nobody could say which it is."""
    try:
        return _value(raw)
    except ValueError:
        # Half of a surrogate pair, or a number beyond all bounds: providers may take it.
        try:
            return json.loads(bytes(raw))
        except (ValueError, RecursionError):
            raise PeekError(f"{name} cannot be read", name) from None


def _check_once(body: bytes, name: str) -> None:
    """Raise PeekError where a top-level member of this name occurs twice."""
    if body.count(b'"%b"' % name.encode()) != 1 or b"\\u00" in body:
        field_span(body, name)


def with_cap(body: bytes, fields: CapFields, tokens: int) -> bytes:
    """The body with this cap in the place of every one that is there, or of the first of `fields.names`."""
    value = b"%d" % tokens
    if not fields.inside:
        return _with_number(body, fields.names, value)
    container = next((name for name in fields.inside if field_span(body, name)), fields.inside[0])
    span = field_span(body, container)
    inner = body[span[0] : span[1]] if span else b"{}"
    if not inner.startswith(b"{"):
        inner = b"{}"
    return with_field(body, container, _with_number(inner, fields.names, value))


def _with_number(text: bytes, names: tuple[str, ...], value: bytes) -> bytes:
    present = [name for name in names if field_span(text, name)]
    for name in present or names[:1]:
        text = with_field(text, name, value)
    return text


def is_plain(body: bytes) -> bool:
    """Whether these bytes are all there is to read, and text: what most requests are."""
    return _reaches(body) is None


def is_usual(body: bytes) -> bool:
    """Whether a request is plain, and states nothing of what it may take or cost."""
    return _reaches(body) is None and stated_in(body) is SILENT


def is_self_contained(body: bytes) -> bool:
    """Whether everything the model is to read is in these bytes."""
    return not any(map(body.__contains__, REFERENCES))


def most_read(body: bytes, image_tokens: int) -> int:
    """The most tokens these bytes can be read as: one for each, and `image_tokens` for an image of any size."""
    images = sum(body.count(name) for name in _IMAGE_PARTS)
    if not images:
        return len(body)
    return len(body) - _image_bytes(body) + images * image_tokens


def _image_bytes(body: bytes) -> int:
    """Bytes of images in base64: strings, or ends of data URLs, that begin as one and hold nothing else."""
    total = 0
    for start in _IMAGE_STARTS:
        at = body.find(start)
        while at >= 0:
            end = body.find(b'"', at)
            size = end - at
            is_image = start != b"UklGR" or body[at + 12 : at + 16] == _WEBP
            if size >= _SMALLEST_IMAGE and is_image and body[at - 1 : at] in (b'"', b",") and b" " not in body[at:end]:
                total += size
                at = end
            at = body.find(start, at + 1) if end >= 0 else -1
    return total
