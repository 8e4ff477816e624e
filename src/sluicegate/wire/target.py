"""A request's target: its path, decoded and checked before anything is decided by it (RFC 9112 section 3.2).

Rule 1. Decisions are made on the decoded path, the original spelling is what travels.
Rule 2. A path whose decoded form has dot segments, backslashes, control characters or a second layer of encoded dots or
        slashes could be read differently by the next server: it is refused, never repaired.
Rule 3. Runs of slashes are collapsed in both forms, so that both name the same resource.
"""

import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct


class TargetError(ValueError):
    """The target is not one we accept; the message says why, without repeating it."""


class Target(Struct, frozen=True):
    """A checked target. `path` is decoded text, `raw_path` what travels; both start with a slash.

    `query` is the raw query without its question mark, `has_query` tells an empty one from none.
    """

    path: str
    raw_path: str
    query: str
    has_query: bool
    authority: bytes | None = None
    """Of an absolute-form target; it takes the place of the Host field."""


_SLASHES = re.compile(r"//+")
_ALLOWED = re.compile(rb"[!-~]+")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_STILL_ENCODED = re.compile(r"%(?:2[ef]|5c|00)", re.IGNORECASE)
_BAD_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")

_AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
"""A host and perhaps a port (RFC 3986 section 3.2) without userinfo, percent signs or commas: names that resolve need
none of them, and each has been used to make two servers read two hosts."""


def parse_target(raw: bytes) -> Target:
    """Check a request target in origin or absolute form. Raises TargetError."""
    if _ALLOWED.fullmatch(raw) is None:
        raise TargetError("the request target holds a byte outside printable ASCII")
    authority = None
    if not raw.startswith(b"/"):
        absolute = _ABSOLUTE.match(raw)
        if absolute is None:
            raise TargetError("the request target must start with a slash")
        authority = absolute.group(1)
        raw = raw[absolute.end() :]
        if not raw.startswith(b"/"):
            raw = b"/" + raw
    if b"#" in raw:
        raise TargetError("the request target holds a fragment")
    raw_path, mark, query = raw.partition(b"?")
    if _BAD_ESCAPE.search(raw_path):
        raise TargetError("the path holds a percent sign that is no escape")
    shown = _SLASHES.sub("/", raw_path.decode("ascii"))
    try:
        path = unquote_to_bytes(shown).decode()
    except UnicodeDecodeError:
        raise TargetError("the decoded path is not UTF-8") from None
    path = _SLASHES.sub("/", path)
    _check_path(path)
    return Target(path, shown, query.decode("ascii"), bool(mark), authority)


def _check_path(path: str) -> None:
    """Refuse what the next server might read as another path."""
    if _CONTROL.search(path):
        raise TargetError("the decoded path holds a control character or a backslash")
    if _STILL_ENCODED.search(path):
        raise TargetError("the path is encoded twice")
    for segment in path.split("/"):
        if segment in {".", ".."} or segment.startswith((".;", "..;")):
            raise TargetError("the path holds a dot segment")


def is_authority(value: bytes) -> bool:
    """Whether a Host field's value is a plain host with an optional port (RFC 9110 section 7.2)."""
    return _AUTHORITY.fullmatch(value) is not None
