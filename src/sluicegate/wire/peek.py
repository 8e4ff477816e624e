"""Reading a few top-level fields of a JSON request, and replacing them without touching any other byte.

Rule 1. Nothing is re-encoded: an edit is a splice into the original bytes, so spelling, order and numbers stay.
Rule 2. A field is edited only where it is certain which bytes are its value, never by the look of the text alone.
Rule 3. Two top-level fields of one name are refused: another reader could take the other one (RFC 8259 section 4).
Rule 4. The work is linear in the body's length; the usual body takes one typed decoding and a search.
"""

import json
import re
from typing import Final

import msgspec
from msgspec import Raw, Struct


class PeekError(ValueError):
    """A top-level field cannot be understood; the message names it. `field` is its name."""

    def __init__(self, message: str, field: str) -> None:
        """`message` can be shown to a client."""
        super().__init__(message)
        self.field = field


class StreamOptions(Struct, frozen=True):
    """What a client asks of a stream besides its content."""

    include_usage: bool | None = None


class Peek(Struct, frozen=True):
    """The fields a gateway decides by. None stands for both a missing field and null."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def includes_usage(self) -> bool:
        """Whether the client wants usage in the stream."""
        return self.stream_options is not None and self.stream_options.include_usage is True


_EXPECTED: Final = {
    "model": (str, "a string"),
    "stream": (bool, "true or false"),
    "stream_options": (dict, "an object"),
}
"""Types of the fields, and the words for them."""

_SMALL = 4096
"""Bytes of a body in which a search for a second model is cheaper than walking over all members."""

_decode_peek = msgspec.json.Decoder(Peek).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode

_MEMBER = re.compile(rb'[ \t\n\r]*"([^"\\]*)"[ \t\n\r]*:[ \t\n\r]*')
_NAME_END = re.compile(rb":[ \t\n\r]*")
_TO_NEXT = re.compile(rb"[ \t\n\r]*(?:,|}[ \t\n\r]*)")
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
"""An escape that could stand for a letter or underscore of a field's name. No encoder writes such; they are rare."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
_NO_SPACE = re.compile(rb"[^ \t\n\r]")
_SPACE = b" \t\n\r"


def peek(body: bytes) -> Peek | None:
    """Read the fields; None where `body` is no JSON object in UTF-8.

    Raises PeekError where a field has the wrong type, there are two models, or the nesting is too deep to be read.
    """
    try:
        found = _decode_peek(body)
    except ValueError:
        # A field of the wrong type, no JSON, or what msgspec alone refuses: lone surrogates.
        return _peek_slowly(body)
    except RecursionError:
        raise PeekError("the body is nested too deeply", "body") from None
    if len(body) > _SMALL or body.count(b'"model"') > 1 or _may_escape_names(body):
        _find(body, "model")
    return found


def _peek_slowly(body: bytes) -> Peek | None:
    try:
        decoded = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(decoded, dict):
        return None
    for name, (kind, words) in _EXPECTED.items():
        if not isinstance(decoded.get(name), kind | None):
            raise PeekError(f"{name} must be {words}", name)
    model = decoded.get("model")
    if model is not None:
        _check_text(model)
    _find(body, "model")
    options = decoded.get("stream_options") or {}
    include_usage = options.get("include_usage")
    if not isinstance(include_usage, bool | None):
        raise PeekError("stream_options.include_usage must be true or false", "stream_options")
    return Peek(model, decoded.get("stream"), StreamOptions(include_usage) if options else None)


def _check_text(model: str) -> None:
    """Refuse a name that no UTF-8 can carry."""
    try:
        model.encode()
    except UnicodeEncodeError:
        raise PeekError("model holds half of a surrogate pair", "model") from None


def with_model(body: bytes, model: str, was: str = "") -> bytes:
    """The body with another model; where it has none, the field is put first. `was` is what `peek` read, if anything.

    `body` must be what `peek` accepted. Raises PeekError where there are two models.
    """
    value = msgspec.json.encode(model)
    if was and len(body) <= _SMALL and body.count(b'"model"') == 1 and not _may_escape_names(body):
        # It is written only once, so that once is where it was read.
        start = _NAME_END.search(body, body.index(b'"model"') + 7)
        old = msgspec.json.encode(was)
        if start is not None and body.startswith(old, start.end()):
            return body[: start.end()] + value + body[start.end() + len(old) :]
    return _with_member(body, "model", value)


def with_included_usage(body: bytes) -> bytes:
    """The body with `stream_options.include_usage` true, its other options kept; a missing object is put first.

    `body` must be what `peek` accepted. Raises PeekError where a name occurs twice.
    """
    span = _find(body, "stream_options")
    options = body[span[0] : span[1]] if span else b"{}"
    if not options.startswith(b"{"):
        options = b"{}"
    options = _with_member(options, "include_usage", b"true")
    return _spliced(body, "stream_options", span, options)


def with_field(body: bytes, name: str, value: bytes) -> bytes:
    """The body with another value of a top-level field, which is put first where there is none.

    `body` must be what `peek` accepted, `value` is JSON. Raises PeekError where the field is given twice.
    """
    return _with_member(body, name, value)


def field_span(body: bytes, name: str) -> tuple[int, int] | None:
    """Where the value of a top-level field lies; None where there is none.

    Raises PeekError where there are two, or a name that nobody can read.
    """
    return _find(body, name)


def _with_member(text: bytes, name: str, value: bytes) -> bytes:
    return _spliced(text, name, _find(text, name), value)


def _spliced(text: bytes, name: str, span: tuple[int, int] | None, value: bytes) -> bytes:
    """Put `value` in the place of `span`; without one, as a new first member."""
    if span is not None:
        return text[: span[0]] + value + text[span[1] :]
    start = text.index(b"{") + 1
    is_empty = text[_next(text, start)] == ord("}")
    member = b'"%s":%s' % (name.encode(), value)
    return text[:start] + (member if is_empty else member + b",") + text[start:]


def _may_escape_names(text: bytes) -> bool:
    return b"\\u00" in text and _ESCAPED_LETTER.search(text) is not None


def _find(text: bytes, name: str) -> tuple[int, int] | None:
    """Where the value of a top-level member lies; None where there is none. Raises PeekError where there are two."""
    try:
        members = _decode_members(text)
    except (ValueError, RecursionError):
        return _scan(text, name)
    if name not in members:
        return None
    quoted = b'"%b"' % name.encode()
    if len(text) <= _SMALL and text.count(quoted) == 1 and not _may_escape_names(text):
        # It is written only once and not otherwise, so that once is the member's name.
        start = _NAME_END.search(text, text.index(quoted) + len(quoted))
        assert start is not None, "a member's name is followed by a colon"
        return start.end(), start.end() + len(bytes(members[name]))
    return _walk(text, members, name)


def _walk(text: bytes, members: dict[str, Raw], name: str) -> tuple[int, int] | None:
    """Step over the members from value to value, as their lengths are known from decoding.

    A decoder keeps one of two members with the same name; and a name with escapes is not spelt as it reads. Both make
    the text differ from what is expected at some step, and the text must be scanned.
    """
    found: tuple[int, int] | None = None
    at = text.index(b"{") + 1
    for member, raw in members.items():
        start = _MEMBER.match(text, at)
        value = bytes(raw)
        if start is None or start[1] != member.encode() or not text.startswith(value, start.end()):
            return _scan(text, name)
        if member == name:
            found = start.end(), start.end() + len(value)
        after = _TO_NEXT.match(text, start.end() + len(value))
        if after is None:
            return _scan(text, name)
        at = after.end()
    return found if at == len(text) else _scan(text, name)


def _name(text: bytes) -> str:
    """A member's name, of a JSON string. Raises PeekError where it is none in UTF-8."""
    try:
        return str(json.loads(text.decode()))
    except ValueError:
        raise PeekError("the body cannot be read: a name in it is no JSON string in UTF-8", "body") from None


def _next(text: bytes, at: int) -> int:
    """Where white space ends."""
    found = _NO_SPACE.search(text, at)
    return found.start() if found else len(text)


def _end_before(text: bytes, at: int) -> int:
    """Where the value ends that is followed by white space and then by what is at `at`."""
    while text[at - 1] in _SPACE:
        at -= 1
    return at


def _scan(text: bytes, name: str) -> tuple[int, int] | None:
    """Find a top-level member by reading all of the text, token by token."""
    found: tuple[int, int] | None = None
    depth = 0
    member: str | None = None
    is_name = False
    start = 0
    for token in _TOKEN.finditer(text):
        kind = token[0]
        if kind in b"{[":
            depth += 1
            is_name = depth == 1
        elif depth == 1 and kind in b",}":
            if member == name:
                if found:
                    raise PeekError(f"{name} is given twice", name)
                found = start, _end_before(text, token.start())
            member, is_name = None, True
        elif depth == 1 and is_name and kind[0] == ord('"'):
            member, is_name = _name(kind), False
        elif depth == 1 and kind == b":":
            start = _next(text, token.end())
        if kind in b"}]":
            depth -= 1
    return found
