"""New tokens: their shape, their randomness, and what their checksum notices."""

import hashlib
import re
import secrets
from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.domain.issuing import (
    ALPHABET,
    DEFAULT_RECIPE,
    RANDOM_CHARACTERS,
    IssuedToken,
    has_valid_checksum,
    issue,
    recipe,
)

PREFIXES = ("sk-sg-", "apk_", "gw_live_")

tokens = st.builds(
    lambda prefix, drawn: issue(iter_of(drawn), recipe(prefix)),
    st.sampled_from(PREFIXES),
    st.binary(min_size=RANDOM_CHARACTERS, max_size=RANDOM_CHARACTERS),
)


def iter_of(drawn: bytes) -> "RandomBytes":
    """A random source that gives these bytes, and then zeros."""
    return RandomBytes(drawn)


class RandomBytes:
    """Gives the bytes it was made with, in order."""

    def __init__(self, drawn: bytes) -> None:
        """Begin with all of them."""
        self.left = drawn
        self.asked: list[int] = []

    def __call__(self, size: int) -> bytes:
        """Give the next ones."""
        self.asked.append(size)
        given, self.left = self.left[:size], self.left[size:]
        return given.ljust(size, b"\0")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_recipe_has_one_constant_shape(prefix: str) -> None:
    """The prefix, and exactly 43 characters that need no escaping in a URL and that no font makes look alike."""
    for _ in range(200):
        token = issue(secrets.token_bytes, recipe(prefix))
        assert re.fullmatch(prefix + "[A-Za-z0-9]{43}", token.secret)
        assert not set(token.secret.removeprefix(prefix)) & set("0OIl")
        assert has_valid_checksum(token.secret) is True


def test_the_default_prefix_is_ours() -> None:
    """Without a setting, tokens begin with sk-sg-."""
    assert issue(secrets.token_bytes, DEFAULT_RECIPE).secret.startswith("sk-sg-")


def test_only_digest_prefix_and_last_four_are_kept() -> None:
    """What is stored of a token is its SHA-256 and what may be shown of it; printing it shows no more."""
    token = issue(secrets.token_bytes, recipe("apk_"))
    assert token.digest == hashlib.sha256(token.secret.encode()).digest()
    assert (token.prefix, token.last_four) == ("apk_", token.secret[-4:])
    assert repr(token) == f"<IssuedToken apk_…{token.last_four}>"
    assert token.secret not in str(token)


def test_a_token_has_at_least_128_random_bits() -> None:
    """37 independent characters of 58 are 216 bits."""
    assert len(ALPHABET) == len(set(ALPHABET)) == 58
    assert len(ALPHABET) ** RANDOM_CHARACTERS > 2**216


def test_every_character_is_equally_likely() -> None:
    """Each character stands for as many of the bytes that are used as any other; the other bytes are drawn again."""
    numbers = count()
    drawn = b"".join(bytes([next(numbers) % 256]) for _ in range(256))
    source = RandomBytes(drawn * RANDOM_CHARACTERS)
    # 256 tokens use up each of the 232 bytes below the bias equally often, apart from the ends.
    used = Counter("".join(issue(source, DEFAULT_RECIPE).secret[6:43] for _ in range(232)))
    assert set(used) == set(ALPHABET)
    assert max(used.values()) - min(used.values()) <= 1


def test_bytes_that_would_bias_are_drawn_again() -> None:
    """A byte of 232 or more makes no character; another one is asked for in its place."""
    source = RandomBytes(bytes([255, 232]) + bytes(35) + bytes([57, 231]))
    token = issue(source, DEFAULT_RECIPE)
    assert source.asked == [37, 2]
    assert token.secret[6:43] == "1" * 35 + "zz"


@given(tokens, st.integers(min_value=0), st.characters(min_codepoint=33, max_codepoint=126))
def test_any_single_changed_character_is_detected(token: IssuedToken, position: int, character: str) -> None:
    """Wherever one character is another one, prefix and checksum included, the token is not valid any more."""
    secret = token.secret
    position %= len(secret)
    changed = secret[:position] + character + secret[position + 1 :]
    assert (has_valid_checksum(changed) is True) == (changed == secret)


def test_every_single_changed_character_of_one_token_is_detected() -> None:
    """The same, for all positions and all characters of one token."""
    secret = issue(RandomBytes(bytes(range(37))), recipe("gw_live_")).secret
    for position, old in enumerate(secret):
        for new in map(chr, range(32, 127)):
            if new != old:
                assert not has_valid_checksum(secret[:position] + new + secret[position + 1 :]), (position, new)


@given(tokens, st.integers(min_value=0, max_value=41))
def test_swapped_neighbours_are_detected(token: IssuedToken, position: int) -> None:
    """Two characters typed in the wrong order make another token, and not a valid one."""
    body = token.secret.removeprefix(token.prefix)
    swapped = body[:position] + body[position + 1] + body[position] + body[position + 2 :]
    assert (has_valid_checksum(token.prefix + swapped) is True) == (swapped == body)


@given(tokens)
def test_a_cut_or_continued_token_is_not_ours(token: IssuedToken) -> None:
    """Half a token, or one with something behind it, has not the shape."""
    for wrong in (token.secret[:-1], token.secret + "1", token.secret + "\n", token.last_four, ""):
        assert has_valid_checksum(wrong) is not True


def test_the_first_twenty_characters_do_not_make_a_token() -> None:
    """Two tokens that begin with the same twenty characters are two tokens, valid and with digests of their own."""
    one = issue(RandomBytes(bytes(37)), DEFAULT_RECIPE)
    other = issue(RandomBytes(bytes(36) + b"\1"), DEFAULT_RECIPE)
    assert one.secret[:20] == other.secret[:20]
    assert (has_valid_checksum(one.secret), has_valid_checksum(other.secret)) == (True, True)
    assert one.secret != other.secret
    assert one.digest != other.digest


@pytest.mark.parametrize("secret", ["sk-proj-0123456789abcdef", "lan-token-1234", "x" * 43, "apk_" + "0" * 43])
def test_a_foreign_shape_is_no_error(secret: str) -> None:
    """A declared token, made elsewhere, says nothing about our checksum."""
    assert has_valid_checksum(secret) is None


@pytest.mark.parametrize("prefix", ["", "-", "_", "sk", "1-", "-sk-", "sk sg-", "sk/", "é_", "s" * 24 + "-", "a_\n"])
def test_a_prefix_that_would_not_do_is_refused(prefix: str) -> None:
    """A prefix begins with a letter, ends in - or _, and is short."""
    with pytest.raises(ValueError, match="end in - or _"):
        recipe(prefix)


@pytest.mark.parametrize("prefix", ["a-", "A_", "my-company_live_", "s" * 23 + "-"])
def test_any_other_prefix_is_as_good_as_ours(prefix: str) -> None:
    """The checksum is recognised behind every prefix that can be configured."""
    assert has_valid_checksum(issue(secrets.token_bytes, recipe(prefix)).secret) is True
