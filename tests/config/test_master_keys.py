"""Master keys are 32 bytes in hexadecimal or base64; whatever else is refused, in words that repeat nothing of it."""

from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.master_keys import parse_master_keys

keys = st.binary(min_size=32, max_size=32).filter(lambda key: len(set(key)) > 1)
KEY = bytes(range(32))


@given(keys)
def test_each_way_to_write_a_key_means_the_same(key: bytes) -> None:
    """Hexadecimal in either case, base64 in either alphabet, with its padding or without."""
    texts = [key.hex(), key.hex().upper(), b64encode(key).decode(), urlsafe_b64encode(key).decode()]
    texts += [text.rstrip("=") for text in texts]
    assert {parse_master_keys(text) for text in texts} == {(key,)}


@given(st.lists(keys, min_size=1, max_size=4, unique=True), st.sampled_from([",", " ", "\n", ", ", "\r\n"]))
def test_several_keys_keep_their_order(several: list[bytes], separator: str) -> None:
    """New ones stand first; the file's last line may end as lines do."""
    assert parse_master_keys(separator.join(key.hex() for key in several) + "\n") == tuple(several)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" ,\n", "is empty"),
        ("hunter2", "must be 32 bytes"),
        (KEY.hex()[:-1], "must be 32 bytes"),
        (KEY.hex() + "0", "must be 32 bytes"),
        (KEY.hex()[:-1] + "g", "must be 32 bytes"),
        (b64encode(bytes(range(31))).decode(), "must be 32 bytes"),
        (b64encode(bytes(range(33))).decode(), "must be 32 bytes"),
        (b64encode(KEY).decode() + "=", "must be 32 bytes"),
        ("é" * 43, "must be 32 bytes"),
        (KEY.hex() + ",hunter2", "key 2 of 2 must be 32 bytes"),
        ("0" * 64, "one byte again and again"),
        (f"{KEY.hex()} {b64encode(KEY).decode()}", "holds the same key twice"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    """A passphrase is no key, nor is a cut one; which of several it is, is told."""
    with pytest.raises(ValueError, match=message) as caught:
        parse_master_keys(text)
    assert KEY.hex()[:8] not in str(caught.value)
    assert "hunter2" not in str(caught.value)
