"""Credentials: their digest, and what may be shown of them."""

import pytest

from sluicegate.domain.tokens import digest, masked


def test_digest_is_sha_256() -> None:
    """The published test vector of "abc" (FIPS 180-2 appendix B.1)."""
    assert digest(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("credential", ["", "sk-short", "x" * 19])
def test_short_credential_is_hidden_whole(credential: str) -> None:
    """Ten characters of a short one would give too much of it away."""
    assert masked(credential) == "****"


def test_long_credential_shows_its_ends() -> None:
    """Enough to tell which one it is, far from enough to use it."""
    assert masked("sk-proj-0123456789abcdef") == "sk-pro…cdef"
    assert masked("a" * 10 + "b" * 10) == "aaaaaa…bbbb"
