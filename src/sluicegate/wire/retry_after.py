"""When a provider says it may be asked again: `Retry-After`, and the reset of a rate limit that is used up.

Rule. What cannot be understood says nothing: no pause is made up of it. Moments are Unix seconds, spans seconds.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_NUMBER = re.compile(r"\d{1,15}(?:\.\d*)?")
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d*)?(?:ns|us|µs|ms|s|m|h|d))+")
"""As Go writes them, which OpenAI and Groq follow: `12ms`, `1m3.5s`, `6m0s`."""
_PART = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_EPOCH: Final = 1e9
"""A reset number from here on is a moment (2001 and later), below it a span (31 years)."""
_EPOCH_MILLISECONDS: Final = 1e12
"""From here on it is in milliseconds, as OpenRouter's."""

_LIMIT_NAMES = re.compile(rb"(?:x-|anthropic-)?ratelimit-")
_USED_UP: Final = (b" 0", b":0")


def retry_after(lines: Sequence[bytes], wall: float) -> float | None:
    """Seconds until it may be asked again, of header lines without line ends; None where nothing is said.

    `retry-after-ms` (Azure, OpenAI) is more exact than `Retry-After` (RFC 9110 section 10.2.3: seconds or an HTTP date;
    fractions are taken, too) and goes first. A moment that is over is 0.0.
    """
    seconds: float | None = None
    for line in lines:
        # Few lines begin so; the rest of the work is for those.
        if line[:11].lower() != b"retry-after":
            continue
        name, _, value = line.partition(b":")
        text = value.decode("latin-1").strip()
        if name.lower() == b"retry-after-ms" and _NUMBER.fullmatch(text):
            return float(text) / 1000
        if name.lower() == b"retry-after":
            seconds = float(text) if _NUMBER.fullmatch(text) else _until_date(text, wall)
    return seconds


def _until_date(text: str, wall: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        # Which of these it is depends on what is wrong with the text, and on the version of Python.
        return None
    return _until(moment, wall)


def _until(moment: datetime, wall: float) -> float:
    """A moment without a zone is in UTC, as all of HTTP's are."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - wall)


def drained_for(lines: Sequence[bytes], wall: float) -> float:
    """Seconds until the last of those rate limits resets of which nothing remains; 0.0 where there is none.

    Understood are `x-ratelimit-remaining-KIND` with `x-ratelimit-reset-KIND` (OpenAI and kin; KIND may be missing, and
    so may `x-`) and `anthropic-ratelimit-KIND-remaining` with `…-reset`. Resets are durations (`1m3s`), seconds, Unix
    seconds or milliseconds, or RFC 3339 moments.
    """
    longest = 0.0
    text = b"\n".join(lines) + b"\n"
    if b" 0\n" not in text and b":0\n" not in text:
        # Nearly always: something remains.
        return longest
    for line in lines:
        if line.endswith(_USED_UP):
            name = line.partition(b":")[0].lower()
            if b"remaining" in name and _LIMIT_NAMES.match(name):
                longest = max(longest, _reset(lines, name.replace(b"remaining", b"reset"), wall))
    return longest


def _reset(lines: Sequence[bytes], name: bytes, wall: float) -> float:
    """Seconds until the reset in the field of this name; 0.0 where there is none that is understood."""
    for line in lines:
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return _span(value.decode("utf-8", "replace").strip(), wall)
    return 0.0


def _span(text: str, wall: float) -> float:
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number < _EPOCH:
            return number
        return max(0.0, (number / 1000 if number >= _EPOCH_MILLISECONDS else number) - wall)
    if _DURATION.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    try:
        return _until(datetime.fromisoformat(text), wall)
    except (ValueError, OverflowError):
        return 0.0
