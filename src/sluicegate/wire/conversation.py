"""What tells one conversation, or one user, from another in a JSON request; for stickiness, so nothing depends on it.

Rule. Whatever cannot be read is as if it were not there; nothing is raised.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field

_NOTHING: Final = Raw(b"")
_PROMPT: Final = 1024
"""Bytes of a prompt that are its beginning: it is one text that grows with the conversation."""


class _Fields(Struct, frozen=True):
    """Top-level fields that hold what a model is to read."""

    system: Raw = _NOTHING
    instructions: Raw = _NOTHING
    system_instruction: Raw = field(default=_NOTHING, name="systemInstruction")
    messages: Raw = _NOTHING
    input: Raw = _NOTHING
    contents: Raw = _NOTHING
    prompt: Raw = _NOTHING


class _Message(Struct, frozen=True):
    """Who says it. Where nothing is said (Gemini), it is the user."""

    role: Any = "user"
    type: Any = "message"


class _Users(Struct, frozen=True):
    """Where a request names its user."""

    prompt_cache_key: Any = None
    user: Any = None
    metadata: Any = None
    safety_identifier: Any = None


_decode_fields = msgspec.json.Decoder(_Fields).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_users = msgspec.json.Decoder(_Users).decode

_MARK = rb'"cache_control"\s*:\s*(?:null|\{[^{}]*\})'
_CACHE_MARK = re.compile(rb",\s*%b|%b\s*,\s*|%b" % (_MARK, _MARK, _MARK))
"""A mark with the comma before it, or after it where it is the first member."""


def beginning(body: bytes) -> bytes:
    """What all turns of a conversation have in common, as bytes of the body; b"" where there is nothing of it.

    That is the system's text or instructions, and the messages up to and including the first of the user; of a prompt,
    which is one text, its first bytes. Clients move their marks for Anthropic's prompt cache from turn to turn, so
    those (`cache_control`) are left out.
    """
    try:
        found = _decode_fields(body)
        texts = (found.system, found.instructions, found.system_instruction)
        parts = [bytes(text) for text in texts if text is not _NOTHING]
        lists = (found.messages, found.input, found.contents)
        parts += [_first_words(bytes(messages)) for messages in lists if messages is not _NOTHING]
        if found.prompt is not _NOTHING:
            parts.append(bytes(found.prompt)[:_PROMPT])
    except (ValueError, RecursionError):
        # No JSON object, or nested too deeply.
        return b""
    said = b"\n".join(part for part in parts if part and part != b"null")
    return _CACHE_MARK.sub(b"", said) if b'"cache_control"' in said else said


def _first_words(whole: bytes) -> bytes:
    """The messages up to and including the first of the user; what is no list is one message."""
    if not whole.startswith(b"["):
        return whole
    kept: list[bytes] = []
    for item in _decode_items(whole):
        text = bytes(item)
        kept.append(text)
        if _is_users(text):
            break
    return b"\n".join(kept)


def _is_users(text: bytes) -> bool:
    """Whether a message is the user's; a bare text is. Of the items of OpenAI's `input`, only messages are."""
    if not text.startswith(b"{"):
        return True
    message = _decode_message(text)
    return bool(message.role == "user" and message.type == "message")


def user_of(body: bytes) -> str:
    """Whom or what the request says it is for; "" where it does not say.

    `prompt_cache_key` goes first, as it says just what is to be kept together; then `user`, `metadata.user_id` and
    `safety_identifier`.
    """
    try:
        found = _decode_users(body)
    except (ValueError, RecursionError):
        return ""
    metadata = found.metadata if isinstance(found.metadata, dict) else {}
    named = (found.prompt_cache_key, found.user, metadata.get("user_id"), found.safety_identifier)
    return next((name for name in named if isinstance(name, str) and name), "")
