"""Sealed secrets: opened by who has the key and the row, by nobody else, and never shown."""

import hashlib
import secrets
import traceback
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.secrets.key_ring import KeyRing, SealError, TamperedError, UnknownKeyError, head_of, key_id_of

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
ROW = "provider_credentials/crd_1"


def ring(*keys: bytes, refresh: Callable[[], tuple[bytes, ...] | None] = lambda: None) -> KeyRing:
    """A ring of these keys, by default of one."""
    return KeyRing(keys or (OLD,), random=secrets.token_bytes, refresh=refresh)


@given(st.binary(max_size=200), st.text(max_size=40))
def test_what_was_sealed_for_a_row_opens_in_it(plain: bytes, row: str) -> None:
    """Any secret, any name of a row; and it is not in what is stored."""
    ciphertext, key_id = ring().seal(plain, row)
    assert ring().open(ciphertext, row) == plain
    assert key_id == key_id_of(OLD)
    assert ciphertext.startswith(head_of(key_id))
    assert len(plain) < 4 or plain not in ciphertext


def test_it_is_aes_256_gcm_with_the_row_as_associated_data() -> None:
    """The stored form is version, key id, nonce, and what any other AES-256-GCM would make of it."""
    nonce = bytes(range(100, 112))
    ciphertext, key_id = KeyRing((OLD,), random=lambda size: nonce[:size]).seal(b"sk-secret", ROW)
    head = b"\x01" + bytes.fromhex(key_id)
    assert ciphertext == head + nonce + AESGCM(OLD).encrypt(nonce, b"sk-secret", head + ROW.encode())
    assert key_id == hashlib.sha256(OLD).hexdigest()[:8]


def test_the_same_secret_never_looks_the_same() -> None:
    """Nonces are random: equal secrets cannot be told from their rows."""
    assert len({ring().seal(b"sk-secret", ROW)[0] for _ in range(100)}) == 100


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_detected(position: int, change: int) -> None:
    """Wherever a byte is another one: version, key id, nonce, ciphertext, tag."""
    ciphertext = bytearray(ring().seal(b"sk-secret", ROW)[0])
    ciphertext[position % len(ciphertext)] ^= change
    with pytest.raises((TamperedError, UnknownKeyError)):
        ring().open(bytes(ciphertext), ROW)


def test_every_flipped_bit_is_detected() -> None:
    """The same, for each bit of one sealed secret."""
    ciphertext = ring().seal(b"sk-secret", ROW)[0]
    for bit in range(len(ciphertext) * 8):
        flipped = bytearray(ciphertext)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((TamperedError, UnknownKeyError)):
            ring().open(bytes(flipped), ROW)


@given(st.integers(min_value=0, max_value=41))
def test_a_cut_secret_is_detected(size: int) -> None:
    """Also where nothing is left."""
    with pytest.raises((TamperedError, UnknownKeyError)):
        ring().open(ring().seal(b"sk-secret", ROW)[0][:size], ROW)


def test_a_swapped_row_is_detected() -> None:
    """A secret copied from one row to another opens in neither of the wrong places."""
    one, other = (ring().seal(b"sk-secret", f"provider_credentials/crd_{number}")[0] for number in (1, 2))
    for ciphertext, row in ((one, "provider_credentials/crd_2"), (other, ROW), (one, "idempotency/crd_1")):
        with pytest.raises(TamperedError, match=row):
            ring().open(ciphertext, row)


def test_the_key_id_cannot_be_exchanged() -> None:
    """Under a second key's id, what the first has sealed does not open."""
    ciphertext, _ = ring(OLD).seal(b"sk-secret", ROW)
    renamed = ciphertext[:1] + bytes.fromhex(key_id_of(NEW)) + ciphertext[5:]
    with pytest.raises(TamperedError):
        ring(NEW, OLD).open(renamed, ROW)


def test_the_first_key_seals_and_all_open() -> None:
    """A new key is put before the old one; what that one has sealed stays good."""
    old, _ = ring(OLD).seal(b"before", ROW)
    both = ring(NEW, OLD)
    new, key_id = both.seal(b"after", ROW)
    assert (both.open(old, ROW), both.open(new, ROW)) == (b"before", b"after")
    assert key_id == both.key_id == key_id_of(NEW)
    assert both.key_ids == (key_id_of(NEW), key_id_of(OLD))


def test_an_unknown_key_is_named() -> None:
    """Who has not the key learns which one it takes."""
    ciphertext, key_id = ring(NEW).seal(b"sk-secret", ROW)
    with pytest.raises(UnknownKeyError, match=key_id) as caught:
        ring(OLD).open(ciphertext, ROW)
    assert caught.value.key_id == key_id


def test_a_new_key_is_used_as_soon_as_it_is_there() -> None:
    """What seals looks for changes first, and what meets an unknown key looks before it gives up."""
    keys: list[tuple[bytes, ...]] = []
    both = ring(OLD, refresh=lambda: keys.pop() if keys else None)
    keys.append((NEW, OLD))
    assert both.seal(b"x", ROW)[1] == key_id_of(NEW)
    opens = ring(OLD, refresh=lambda: (NEW, OLD))
    assert opens.open(ring(NEW).seal(b"x", ROW)[0], ROW) == b"x"


def test_nothing_is_sealed_while_the_keys_cannot_be_read() -> None:
    """A secret sealed with a key that is gone would be lost; those there are can still be opened."""

    def gone() -> None:
        raise SealError("gone")

    broken = ring(OLD, refresh=gone)
    with pytest.raises(SealError, match="gone"):
        broken.seal(b"x", ROW)
    assert broken.open(ring(OLD).seal(b"x", ROW)[0], ROW) == b"x"


def test_keys_and_secrets_are_never_shown() -> None:
    """Neither printing a ring nor any of its errors tells a byte of a key or of a secret."""
    keys = ring(NEW, OLD)
    told = repr(keys)
    assert told == f"<KeyRing {key_id_of(NEW)} {key_id_of(OLD)}>"
    ciphertext = keys.seal(b"sk-hunter2", ROW)[0]
    for opener, row in ((keys, "other"), (ring(bytes(range(2, 34))), ROW)):
        with pytest.raises((TamperedError, UnknownKeyError)) as caught:
            opener.open(ciphertext, row)
        told += "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for hidden in (b"sk-hunter2", NEW, OLD):
        assert hidden.hex() not in told
        assert repr(hidden)[2:-1] not in told
