"""Prompt redaction: mail addresses and numbers of payment cards are taken out of requests before they are sent.

Rule 1. Every string in the JSON body is looked at, wherever it stands; the names of fields and the model are not.
Rule 2. What cannot be looked at is refused: uploads, compressed or very large bodies, WebSockets.
Rule 3. A body in which nothing is found is sent to the byte as it came.
"""

import re
from typing import Final

import msgspec

from sluicegate.domain.plugins import Plugin, RefusedError, Request

_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CARD: Final = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
"""13 to 19 digits, in groups or not (ISO/IEC 7812-1)."""
_KEPT: Final = frozenset({"model"})
_DEEPEST: Final = 100


class PromptRedaction(Plugin):
    """See the module."""

    def before_forward(self, request: Request) -> bytes | None:
        """The body without what it must not say. Raises RefusedError where it cannot be read."""
        if request.is_websocket or (request.has_body and not request.body):
            raise RefusedError("send JSON, not compressed: nothing else can be redacted", code="not_redactable")
        if not request.body:
            return None
        try:
            document = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise RefusedError("the body is not JSON", status=400, code="not_redactable") from None
        redacted = _redacted(document, _DEEPEST)
        return None if redacted == document else msgspec.json.encode(redacted)


def redacted_text(text: str) -> str:
    """The text with a word in place of each address and each card's number."""
    return _CARD.sub(_card, _ADDRESS.sub("[mail address]", text))


def _card(found: re.Match[str]) -> str:
    return "[card number]" if _is_card([int(digit) for digit in found[0] if digit.isdecimal()]) else found[0]


def _is_card(digits: list[int]) -> bool:
    """Whether the last digit is the check digit of the others (Luhn: ISO/IEC 7812-1, annex B)."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _redacted(value: object, depth: int) -> object:
    if not depth:
        raise RefusedError("the body is nested too deeply to be redacted", status=400, code="not_redactable")
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, list):
        return [_redacted(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {name: item if name in _KEPT else _redacted(item, depth - 1) for name, item in value.items()}
    return value
