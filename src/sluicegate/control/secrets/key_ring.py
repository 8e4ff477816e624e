"""Sealing secrets for the database and opening them again: AES-256-GCM (NIST SP 800-38D), with several keys.

Rule 1. A sealed secret is: version (1 byte, 1), key id (4), nonce (12), ciphertext, tag (16).
Rule 2. Version, key id and the name of the row are authenticated with it: what was sealed for one row opens in no
        other, and no byte can be changed.
Rule 3. The first key seals; every key opens. A key's id is the beginning of its SHA-256, which tells nothing about it.
Rule 4. Nonces are 96 random bits: with one key, some four thousand million secrets may be sealed (section 8.3), more
        than anybody ever types in.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
ID_BYTES = 4
NONCE_BYTES = 12
TAG_BYTES = 16
HEAD_BYTES = len(VERSION) + ID_BYTES


class SealError(Exception):
    """A secret cannot be sealed or opened. The message holds neither it nor a key."""


class TamperedError(SealError):
    """It was changed, cut, or belongs to another row."""


class UnknownKeyError(SealError):
    """None of our keys sealed it. `key_id` is the one that did."""

    def __init__(self, row: str, key_id: str) -> None:
        """`row` is where it stands."""
        super().__init__(f"the secret of {row} was sealed with the master key {key_id}, which is not here")
        self.key_id = key_id


Refresh = Callable[[], Sequence[bytes] | None]
"""Gives the keys anew where they have changed, else None. Raises SealError where that cannot be told."""


class KeyRing:
    """The keys of this installation, the one that seals first."""

    __slots__ = ("_ciphers", "_key_id", "_random", "_refresh")

    def __init__(
        self, keys: Sequence[bytes], *, random: Callable[[int], bytes], refresh: Refresh = lambda: None
    ) -> None:
        """`keys` are of 32 bytes each, at least one. `random` gives bytes fit for secrets.

        `refresh` is called before anything is sealed, and before a secret of an unknown key is given up: somebody may
        have begun to use a new key.
        """
        self._random = random
        self._refresh = refresh
        self._ciphers: dict[str, AESGCM] = {}
        self._key_id = ""
        self._take(keys)

    def __repr__(self) -> str:
        """Tell the ids of the keys; never the keys."""
        return f"<KeyRing {' '.join(self._ciphers)}>"

    @property
    def key_id(self) -> str:
        """Id of the key that seals, 8 hexadecimal digits."""
        return self._key_id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of all keys, that of the one that seals first."""
        return tuple(self._ciphers)

    def seal(self, plain: bytes, row: str) -> tuple[bytes, str]:
        """Return the sealed secret and the id of its key. `row` names the row: its table and id, what else is fixed.

        Raises SealError where the keys cannot be looked at: what nobody could open after a restart is not sealed.
        """
        self._look_again()
        nonce = self._random(NONCE_BYTES)
        head = head_of(self._key_id)
        sealed = self._ciphers[self._key_id].encrypt(nonce, plain, head + row.encode())
        return head + nonce + sealed, self._key_id

    def open(self, ciphertext: bytes, row: str) -> bytes:
        """Return the secret that was sealed for this row. Raises SealError, of which each kind says what is wrong."""
        head, nonce = ciphertext[:HEAD_BYTES], ciphertext[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES]
        if len(ciphertext) < HEAD_BYTES + NONCE_BYTES + TAG_BYTES or head[:1] != VERSION:
            raise TamperedError(f"the secret of {row} is none that was sealed by this program")
        key_id = head[1:].hex()
        if key_id not in self._ciphers:
            self._look_again()
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownKeyError(row, key_id)
        try:
            return cipher.decrypt(nonce, ciphertext[HEAD_BYTES + NONCE_BYTES :], head + row.encode())
        except InvalidTag:
            raise TamperedError(f"the secret of {row} was changed, or belongs to another row") from None

    def _look_again(self) -> None:
        keys = self._refresh()
        if keys is not None:
            self._take(keys)

    def _take(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {key_id_of(key): AESGCM(key) for key in keys}
        self._key_id = next(iter(self._ciphers))


def key_id_of(key: bytes) -> str:
    """The id of a key."""
    return sha256(key).hexdigest()[: 2 * ID_BYTES]


def head_of(key_id: str) -> bytes:
    """What everything that this key sealed begins with."""
    return VERSION + bytes.fromhex(key_id)
