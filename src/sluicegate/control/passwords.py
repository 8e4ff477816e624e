"""Managers' passwords: hashed with Argon2id (RFC 9106), in a thread, and not for every request anew.

A hash costs some 50 ms and 64 MiB on purpose. So as not to be the way to exhaust a node, only few are computed at a
time, and what was right a moment ago is remembered by a digest that is worth nothing after this process.
"""

import asyncio
from collections import OrderedDict
from hmac import digest as keyed_digest
from http import HTTPStatus

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sluicegate.control.problems import ProblemError

_AT_ONCE = 2
"""Hashes under way: more would take the workers' cores and memory."""

_MOST_WAITING = 32

_REMEMBERED = 256


class Passwords:
    """Hashes and verifies."""

    def __init__(self, *, key: bytes, hasher: PasswordHasher | None = None) -> None:
        """`key` is random and this process's own."""
        self._key = key
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._waiting = 0
        self._nobody: str | None = None

    def __repr__(self) -> str:
        """Tell how many are remembered."""
        return f"<Passwords remembered={len(self._right)}>"

    async def hashed(self, password: str) -> str:
        """An Argon2id hash to store. Raises ValueError for an empty password."""
        if not password:
            raise ValueError("a password must not be empty")
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Whether it is the password of a stored hash; it is not, where nothing is stored, nor where it is empty.

        Raises ProblemError 429 where too many are being checked.
        """
        if not password:
            return False
        # Bound to the stored hash: once that changes, nothing that is remembered fits.
        remembered = keyed_digest(self._key, f"{stored}\n{password}".encode("utf-8", "surrogatepass"), "sha256")
        if remembered in self._right:
            self._right.move_to_end(remembered)
            return True
        if not await self._verified(password, stored) or stored is None:
            return False
        self._right[remembered] = None
        if len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)
        return True

    async def _verified(self, password: str, stored: str | None) -> bool:
        if self._waiting >= _MOST_WAITING:
            detail = "Too many logins are being checked at the moment."
            raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"retry-after": "1"})
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._verify, password, stored)
        finally:
            self._waiting -= 1

    def _verify(self, password: str, stored: str | None) -> bool:
        if stored is None:
            # Whoever is not there takes as long to refuse as whoever is.
            self._nobody = stored = self._nobody or self._hasher.hash(self._key.hex())
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
