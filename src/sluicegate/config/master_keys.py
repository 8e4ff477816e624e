"""Master keys as they are written: in a setting, in a variable, in a file.

Rule 1. A key is 32 bytes: 64 hexadecimal digits, or base64 (RFC 4648 sections 4 and 5), with or without padding.
Rule 2. Of several, separated by commas or white space, the first seals and all of them open: new ones stand first.
Rule 3. A key of zeros, or of any one byte again and again, is a placeholder.

Messages never repeat what was written.
"""

import re
from base64 import b64decode

KEY_BYTES = 32
"""AES-256."""

_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{43}=?")
_SEPARATOR = re.compile(r"[,\s]+")
_FROM_URL = str.maketrans("-_", "+/")


def parse_master_keys(text: str) -> tuple[bytes, ...]:
    """The keys in `text`, at least one. Raises ValueError, with words that hold nothing of it."""
    words = [word for word in _SEPARATOR.split(text) if word]
    if not words:
        raise ValueError("is empty")
    keys = [
        _parse(word, f"key {number} of {len(words)} " if len(words) > 1 else "") for number, word in enumerate(words, 1)
    ]
    if len(set(keys)) < len(keys):
        raise ValueError("holds the same key twice")
    return tuple(keys)


def _parse(word: str, which: str) -> bytes:
    key = _decoded(word)
    if key is None:
        raise ValueError(
            f"{which}must be 32 bytes, written as 64 hexadecimal digits or in base64; `openssl rand -hex 32` makes one"
        )
    if len(set(key)) == 1:
        raise ValueError(f"{which}is one byte again and again; `openssl rand -hex 32` makes a key")
    return key


def _decoded(word: str) -> bytes | None:
    if _HEX.fullmatch(word):
        return bytes.fromhex(word)
    word = word.translate(_FROM_URL)
    if _BASE64.fullmatch(word) is None:
        return None
    return b64decode(word.removesuffix("=") + "=")
