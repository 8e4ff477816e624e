"""Managers' passwords."""

import asyncio
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher

from sluicegate.control.passwords import Passwords
from sluicegate.control.problems import ProblemError
from tests.control.api import FAST


class Counting(PasswordHasher):
    """Counts what it verifies."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, *arguments: Any, **options: Any) -> Literal[True]:
        """Verify and count."""
        self.verified += 1
        return super().verify(*arguments, **options)


def passwords(hasher: PasswordHasher = FAST) -> Passwords:
    """Passwords of one process."""
    return Passwords(key=bytes(32), hasher=hasher)


def test_password_is_right_for_its_hash_alone() -> None:
    """Only the password that was hashed is right; nothing is for nobody's hash or a broken one."""

    async def check() -> None:
        made = passwords()
        stored = await made.hashed("correct horse")
        assert stored.startswith("$argon2id$")
        assert await made.is_right("correct horse", stored)
        for password, against in (
            ("correct hors", stored),
            ("", stored),
            ("correct horse", None),
            ("correct horse", "broken"),
        ):
            assert not await made.is_right(password, against)

    asyncio.run(check())


def test_empty_password_is_not_hashed() -> None:
    """There is no account with an empty password."""
    with pytest.raises(ValueError, match="must not be empty"):
        asyncio.run(passwords().hashed(""))


def test_right_password_is_verified_once() -> None:
    """What was right is remembered until the hash changes; what was wrong is not remembered."""

    async def check() -> None:
        hasher = Counting()
        made = passwords(hasher)
        stored, other = await made.hashed("correct horse"), await made.hashed("correct horse")
        for expected in (1, 1):
            assert await made.is_right("correct horse", stored)
            assert hasher.verified == expected
        assert await made.is_right("correct horse", other)
        for _ in range(2):
            assert not await made.is_right("wrong", stored)
        assert hasher.verified == 4
        assert repr(made) == "<Passwords remembered=2>"

    asyncio.run(check())


def test_only_so_many_are_remembered() -> None:
    """The oldest is forgotten first."""

    async def check() -> None:
        made = passwords()
        for number in range(257):
            assert await made.is_right("x", await made.hashed("x")), number
        assert repr(made) == "<Passwords remembered=256>"

    asyncio.run(check())


def test_too_many_at_once_are_turned_away() -> None:
    """Beyond 32 logins under way, the next are told to come again, so that nobody takes the node's memory."""

    async def check() -> None:
        made = passwords()
        stored = await made.hashed("x")
        results = await asyncio.gather(
            *(made.is_right(f"wrong {number}", stored) for number in range(40)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, ProblemError)]
        assert len(refused) == 8
        assert {(one.status, str(one.headers)) for one in refused} == {(429, "{'retry-after': '1'}")}

    asyncio.run(check())
