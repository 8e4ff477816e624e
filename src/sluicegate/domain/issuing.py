"""New tokens: 216 random bits and a checksum behind a prefix, all in letters and digits that nobody mistakes.

Rule 1. A token is a prefix and 43 characters, whatever its recipe: 37 random ones and 6 of checksum. 43 is what 32
        bytes take in base64, which is what clients of older gateways expect behind `apk_`.
Rule 2. The 43 are of base58: URL-safe, one word to a double click, and none of 0 O I l, which fonts make look alike.
Rule 3. The checksum is the CRC-32 of everything before it, prefix included. A CRC detects every change within 32 bits
        in a row (Peterson and Brown, 1961), so every character that is mistyped, and every two neighbours swapped. It
        proves nothing about who made the token: only the digest in the store does.
"""

import re
from collections.abc import Callable
from zlib import crc32

from msgspec import Struct

from sluicegate.domain.tokens import digest

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
RANDOM_CHARACTERS = 37
CHECKSUM_CHARACTERS = 6
"""58 ** 6 is more than 2 ** 32."""
LONGEST_PREFIX = 24

_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]*[_-]")
_SHAPE = re.compile(
    rf"(?P<checked>[A-Za-z][A-Za-z0-9_-]*[_-][{ALPHABET}]{{{RANDOM_CHARACTERS}}})"
    rf"(?P<checksum>[{ALPHABET}]{{{CHECKSUM_CHARACTERS}}})"
)
_UNBIASED = 256 - 256 % len(ALPHABET)
"""Bytes from here on are drawn again: taken modulo 58, they would make the first characters likelier than the last."""


class TokenRecipe(Struct, frozen=True):
    """How tokens are made; made by `recipe`."""

    prefix: str


class IssuedToken(Struct, frozen=True):
    """A new token. `secret` is shown once and kept nowhere; the rest is what is stored of it."""

    secret: str
    digest: bytes
    prefix: str
    last_four: str

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"<IssuedToken {self.prefix}…{self.last_four}>"


def recipe(prefix: str) -> TokenRecipe:
    """A recipe with this prefix: `sk-sg-`, `apk_`, `gw_live_` … Raises ValueError, with what a prefix must be.

    It ends in `-` or `_`, so that whoever sees a token sees where its prefix ends.
    """
    if len(prefix) > LONGEST_PREFIX or _PREFIX.fullmatch(prefix) is None:
        raise ValueError(
            f"must be at most {LONGEST_PREFIX} letters, digits, - and _, begin with a letter and end in - or _"
        )
    return TokenRecipe(prefix)


DEFAULT_RECIPE = recipe("sk-sg-")


def issue(random: Callable[[int], bytes], recipe: TokenRecipe) -> IssuedToken:
    """Make a token. `random` gives as many bytes as asked for, of a source fit for secrets."""
    checked = recipe.prefix + _random_characters(random)
    secret = checked + checksum(checked)
    return IssuedToken(secret, digest(secret.encode()), recipe.prefix, secret[-4:])


def checksum(checked: str) -> str:
    """The six characters behind `checked`."""
    number = crc32(checked.encode())
    characters = ""
    for _ in range(CHECKSUM_CHARACTERS):
        number, rest = divmod(number, len(ALPHABET))
        characters = ALPHABET[rest] + characters
    return characters


def has_valid_checksum(secret: str) -> bool | None:
    """Whether a token is as it was issued; None where it has not the shape of ours at all.

    False means mistyped, unless it was made elsewhere and looks like ours by chance: declared tokens may, so ask for
    those first.
    """
    shape = _SHAPE.fullmatch(secret)
    return None if shape is None else shape["checksum"] == checksum(shape["checked"])


def _random_characters(random: Callable[[int], bytes]) -> str:
    characters = ""
    while len(characters) < RANDOM_CHARACTERS:
        drawn = random(RANDOM_CHARACTERS - len(characters))
        characters += "".join(ALPHABET[byte % len(ALPHABET)] for byte in drawn if byte < _UNBIASED)
    return characters
