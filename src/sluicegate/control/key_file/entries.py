"""The text of a key file → its entries, or every problem at once, by entry and field.

Rule 1. `{"keys": [{"key", "name", "model"?, "token_limit_per_5h", "expiry_date", …}]}`; what the gateway itself writes
        (`last_used`, `total_lifetime_tokens`, `usage_windows`) and `created_at` may be missing or null.
Rule 2. Fields of the operator's own stay as they are; one whose name is nearly one of ours is taken for a mistake.
Rule 3. No message repeats a value: it may be a key in the wrong place.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from msgspec import Struct

from sluicegate.config.fields import SHORTEST_TOKEN
from sluicegate.config.problem import ConfigurationError, Problem, nearest
from sluicegate.config.schema import MOST_COUNTED
from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest

OURS = (
    "key",
    "name",
    "model",
    "token_limit_per_5h",
    "expiry_date",
    "created_at",
    "last_used",
    "total_lifetime_tokens",
    "usage_windows",
)
FIVE_HOURS = Rolling(5 * 3600)
"""What `token_limit_per_5h` counts in."""
REQUIRED = ("key", "name", "token_limit_per_5h", "expiry_date")
_TIMES = ("expiry_date", "created_at", "last_used")
_COUNTS = ("token_limit_per_5h", "total_lifetime_tokens")
_MAY_BE_NULL = frozenset(OURS) - {"key", "name", "token_limit_per_5h"}
_LONG_ENOUGH_TO_SHOW = 20
"""Characters, as in `domain.tokens.masked`."""

NOT_A_TIME = "must be a time with its offset, such as 2030-12-31T23:59:59Z"
NOT_A_COUNT = "must be a whole number, 0 or more"


class KeyFileError(ConfigurationError):
    """The key file cannot be used. Holds every problem that was found, never a key."""


class KeyEntry(Struct, frozen=True):
    """One declared key: whose it is, and what is kept in the file about it. Times are Unix seconds.

    `shown` is the key with all but its ends left out. `raw` is the entry as it stands in the file.
    """

    principal: Principal
    digest: bytes
    shown: str
    raw: dict[str, Any]

    def __repr__(self) -> str:
        """Tell name and id, never the key."""
        return f"<KeyEntry {self.principal.token_id} {self.principal.name!r}>"


class KeyFile(Struct, frozen=True):
    """A file that was read. `document` is all of it, and `raw` of each entry a part of that."""

    entries: tuple[KeyEntry, ...]
    document: dict[str, Any]

    def __repr__(self) -> str:
        """Tell how many entries it has."""
        return f"<KeyFile entries={len(self.entries)}>"

    def written(self) -> bytes:
        """The text of `document`, as people like to edit it."""
        return json.dumps(self.document, indent=2, ensure_ascii=False).encode() + b"\n"


class _TwiceError(ValueError):
    """An object has a name twice."""


def parse(content: bytes, *, file: str) -> KeyFile:
    """Read a key file. `file` is its name for messages. Raises KeyFileError."""
    document = _loaded(content, file)
    problems = [Problem(file, None, path, message, meant) for path, message, meant in _problems(document)]
    if problems:
        raise KeyFileError(problems)
    seen: dict[str, int] = {}
    return KeyFile(tuple(_entry(raw, seen) for raw in document["keys"]), document)


def seconds(text: str) -> float | None:
    """Unix seconds of a time in the file; None where it is none. A day alone is its first moment in UTC (ECMA-262)."""
    try:
        day = date.fromisoformat(text) if len(text) == len("2030-12-31") else None
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.timestamp()


def _loaded(content: bytes, file: str) -> dict[str, Any]:
    try:
        document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_constant)
    except _TwiceError as error:
        raise KeyFileError([Problem(file, None, "", str(error))]) from None
    except json.JSONDecodeError as error:
        message = f"is no JSON: {error.msg[0].lower()}{error.msg[1:]}, column {error.colno}"
        raise KeyFileError([Problem(file, error.lineno, "", message)]) from None
    except (ValueError, RecursionError):
        raise KeyFileError([Problem(file, None, "", "is no JSON in UTF-8")]) from None
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise KeyFileError([Problem(file, None, "", 'must be an object with a list "keys"')])
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _TwiceError(f"gives {twice} twice in one entry" if twice in OURS else "gives a field twice in one entry")
    return made


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


Found = Iterator[tuple[str, str, str | None]]
"""Path, message and suggestion of each problem."""


def _problems(document: Mapping[str, Any]) -> Found:
    known: dict[str, int] = {}
    for index, raw in enumerate(document["keys"]):
        where = f"keys[{index}]"
        if not isinstance(raw, dict):
            yield where, "must be an object", None
            continue
        name = raw.get("name")
        whose = f' (the key "{name}")' if _is_plain(name) else ""
        for field, message, meant in _problems_of(raw):
            yield f"{where}.{field}", message + whose, meant
        key = raw.get("key")
        if isinstance(key, str) and known.setdefault(key, index) != index:
            yield f"{where}.key", f"is the same as that of keys[{known[key]}]{whose}", None


def _problems_of(raw: Mapping[str, Any]) -> Found:
    for field in REQUIRED:
        if field not in raw:
            yield field, "is required", None
    for field in raw:
        meant = nearest(field, OURS) if field not in OURS else None
        if meant is not None and meant not in raw:
            yield field, "is no field", meant
    present = {field: raw[field] for field in OURS if field in raw}
    for field, value in present.items():
        if value is None:
            if field not in _MAY_BE_NULL:
                yield field, "must not be null", None
        elif field in _TIMES and (not isinstance(value, str) or seconds(value) is None):
            yield field, NOT_A_TIME, None
        elif field in _COUNTS and not _is_count(value):
            yield field, NOT_A_COUNT, None
    yield from _text_problems(present)
    windows = present.get("usage_windows")
    if windows is not None:
        yield from _window_problems(windows)


def _text_problems(present: Mapping[str, Any]) -> Found:
    for field in ("name", "model"):
        value = present.get(field)
        if value is not None and not _is_plain(value):
            yield field, "must be printable text without spaces at its ends", None
    key = present.get("key")
    if key is None:
        return
    if not isinstance(key, str) or not key.isascii() or not key.isprintable() or " " in key:
        yield "key", "must be printable ASCII without spaces", None
    elif len(key) < SHORTEST_TOKEN:
        yield "key", f"must have at least {SHORTEST_TOKEN} characters", None


def _window_problems(windows: Any) -> Found:
    if not isinstance(windows, list):
        yield "usage_windows", "must be a list", None
        return
    for index, window in enumerate(windows):
        where = f"usage_windows[{index}]"
        if not isinstance(window, dict):
            yield where, "must be an object", None
            continue
        start = window.get("window_start")
        if not isinstance(start, str) or seconds(start) is None:
            yield f"{where}.window_start", NOT_A_TIME, None
        if not _is_count(window.get("tokens_used")):
            yield f"{where}.tokens_used", NOT_A_COUNT, None


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == value != "" and value.isprintable()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _entry(raw: dict[str, Any], seen: dict[str, int]) -> KeyEntry:
    key, name, expiry = raw["key"], raw["name"], raw["expiry_date"]
    # Of the name, not of the key: a key may be short, and its id is in every log. Names may be there twice.
    number = seen[name] = seen.get(name, -1) + 1
    token_id = f"tok_{sha256(f'key file {number} {name}'.encode()).hexdigest()[:28]}"
    is_long = len(key) >= _LONG_ENOUGH_TO_SHOW
    principal = Principal(
        token_id=token_id,
        name=name,
        prefix=key[:6] if is_long else "",
        expires_at=None if expiry is None else seconds(expiry),
        model=raw.get("model"),
        limits=(Limit("token", token_id, "tokens", FIVE_HOURS, min(raw["token_limit_per_5h"], MOST_COUNTED), "soft"),),
    )
    return KeyEntry(
        principal=principal,
        digest=digest(key.encode()),
        shown=f"{key[:6]}…{key[-4:]}" if is_long else "****",
        raw=raw,
    )
