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
    b'"item_reference"',
    b'"document_url"',
    b'"audio_url"',
    b'"video_url"',
    b'"input_video"',
)
"""Names of members by which a request makes a model read what is not in its bytes."""
_FILMS: Final = (b'"video/', rb'"video\/')
"""How the type of a film begins: its bytes say nothing of its length."""
_DOCUMENT: Final = b'"document"'
_INLINE: Final = (b'"inlineData"', b'"inline_data"')
_PAGES: Final = b'pdf"'
"""How the type of a PDF ends: a page of it is read as an image, too, and takes no more than some bytes."""
_IMAGE_PARTS: Final = (b'"image_url"', b'"input_image"', b'"image"', b'"inlineData"', b'"inline_data"')


def _any_of(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """One pass over the bytes for names that all begin with a quote, sorted by their first letters: else each quote
    costs as many comparisons as there are names."""
    groups: dict[bytes, list[bytes]] = {}
    for name in names:
        groups.setdefault(name[1:2], []).append(re.escape(name[2:]))
    return re.compile(b'"(?:%b)' % b"|".join(b"%b(?:%b)" % (one, b"|".join(groups[one])) for one in groups))


_reaches = _any_of((*REFERENCES, *_FILMS, *_IMAGE_PARTS, *MARKS, _DOCUMENT)).search
_escapes_letter = re.compile(rb"\\u00[4-7]").search
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
    # Below zero stands for as much as the model can (llama.cpp), whatever another name says.
    tokens = max(found) if found and min(found) >= 0 else None
    return Caps(tokens, min(choices, _MOST_CHOICES))


@lru_cache(maxsize=64)
def _is_stated(fields: CapFields) -> bool:
    """Whether `Stated` knows all of them."""
    return NAMES.issuperset((*(fields.inside or fields.names), *fields.choices))


def _members(text: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        # Half of a surrogate pair, which msgspec refuses and providers may not. Others may even read UTF-16.
        try:
            found = json.loads(text.decode())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise PeekError("the body cannot be read: it is no JSON object in UTF-8", "body") from None
        return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in found.items()}


def _numbers(body: bytes, members: dict[str, msgspec.Raw], names: tuple[str, ...]) -> list[int]:
    found: list[int] = []
    for name in names:
        raw = members.get(name)
        if raw is None:
            continue
        _check_once(body, name)
        value = _number(_read(raw, name))
        if value is not None and value == value:
            found.append(int(max(-1, min(value, _MOST_TOKENS))))
    return found


def _number(value: Any) -> float | None:
    """A number, or what servers in Python take for one: a text that reads as one."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


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


def spelled_out(body: bytes) -> bytes:
    """The body with no letter written as an escape: what is looked for by its bytes could hide so.

    No encoder writes letters so, so that it is nearly always the body itself; as it is also where it cannot be read.
    """
    if b"\\" not in body or _escapes_letter(body) is None:
        return body
    try:
        return json.dumps(json.loads(body.decode()), ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return body


def is_plain(body: bytes) -> bool:
    """Whether these bytes are all there is to read, and text: what most requests are. `body` is spelled out."""
    return _reaches(body) is None


def is_usual(body: bytes) -> bool:
    """Whether a request is plain, and states nothing of what it may take or cost."""
    return _reaches(body) is None and stated_in(body) is SILENT and spelled_out(body) is body


def is_self_contained(body: bytes) -> bool:
    """Whether everything the model is to read is in these bytes, and bounded by them. `body` is spelled out."""
    if any(map(body.__contains__, (*REFERENCES, *_FILMS))):
        return False
    # A document is text, or at an address, or pages.
    if _DOCUMENT in body and (b'"url"' in body or _PAGES in body):
        return False
    return _PAGES not in body or not any(map(body.__contains__, _INLINE))


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
