"""Answers to requests that carry an idempotency key."""

import asyncio

import pytest

from sluicegate.store.database import Database, Session
from sluicegate.store.errors import AlreadyExistsError, MissingError, UnstorableError
from sluicegate.store.idempotency import StoredAnswer
from tests.store.place import Place

DIGEST = bytes(range(32))


async def _put(session: Session, key: str = "k", scope: str = "s", at: int = 1) -> None:
    await session.idempotency.put(key, scope, request_digest=DIGEST, status=0, body=b"", created_at=at)


def test_an_answer_is_claimed_finished_and_forgotten(place: Place) -> None:
    """A key is claimed, then its answer is stored and found byte by byte, then it is forgotten."""
    body = bytes(range(256)) * 1000

    async def use(database: Database) -> None:
        async with database.writing() as session:
            assert await session.idempotency.get("k", "s") is None
            await _put(session)
            await _put(session, scope="other")
        async with database.writing() as session:
            assert await session.idempotency.get("k", "s") == StoredAnswer(DIGEST, 0, b"", 1)
            await session.idempotency.finish("k", "s", status=201, body=body)
            assert await session.idempotency.get("k", "s") == StoredAnswer(DIGEST, 201, body, 1)
            assert await session.idempotency.get("k", "other") == StoredAnswer(DIGEST, 0, b"", 1)
            assert await session.idempotency.delete("k", "s") is True
            assert await session.idempotency.delete("k", "s") is False
            assert await session.idempotency.get("k", "s") is None
            with pytest.raises(MissingError):
                await session.idempotency.finish("k", "s", status=200, body=b"")
            assert await session.idempotency.get("k", "other") is not None

    place.run(use)


def test_a_key_is_claimed_once_in_its_scope(place: Place) -> None:
    """A second claim is refused and leaves the first as it is; the key is free in other scopes, and the other way."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await _put(session)
            with pytest.raises(AlreadyExistsError) as refused:
                await _put(session, at=2)
            assert refused.value.field == "key"
            await _put(session, scope="s2")
            await _put(session, key="k2")
            assert await session.idempotency.get("k", "s") == StoredAnswer(DIGEST, 0, b"", 1)

    place.run(use)


def test_of_claims_at_once_one_wins(place: Place) -> None:
    """Of several requests with one key at the same time one gets to work."""

    async def use(database: Database) -> None:
        async def claim(_number: int) -> bool:
            try:
                async with database.writing() as session:
                    await _put(session)
            except AlreadyExistsError:
                return False
            return True

        assert sorted(await asyncio.gather(*map(claim, range(5)))) == [False] * 4 + [True]

    place.run(use)


def test_strange_keys_are_only_values(place: Place) -> None:
    """SQL and letters of all scripts are kept; a NUL, half a surrogate pair and what is too long is refused."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            answers = session.idempotency
            for key in ("'; DROP TABLE idempotency;--", "%", "ключ😀", "", " k ", "x" * 320):
                await _put(session, key=key, scope=key)
                assert await answers.get(key, key) == StoredAnswer(DIGEST, 0, b"", 1)
            assert await answers.get("k", "k") is None
            assert await answers.get("x" * 321, "x" * 320) is None
            for text in ("a\0", "\ud800", "x" * 321):
                with pytest.raises(UnstorableError) as refused:
                    await _put(session, key=text)
                assert refused.value.field == "key"
                with pytest.raises(UnstorableError) as refused:
                    await _put(session, scope=text)
                assert refused.value.field == "scope"
                for key, scope in ((text, "s"), ("k", text)):
                    assert await answers.get(key, scope) is None
                    assert await answers.delete(key, scope) is False
                    with pytest.raises(MissingError):
                        await answers.finish(key, scope, status=200, body=b"")

    place.run(use)


def test_pruning_goes_in_steps(place: Place) -> None:
    """Old answers are forgotten oldest first, so many at a time, and younger ones stay."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            answers = session.idempotency
            # The same keys and scopes in other pairs, so that a pair must be meant.
            for at, (key, scope) in enumerate([("a", "b"), ("b", "a"), ("a", "a"), ("b", "b")], 1):
                await _put(session, key, scope, at)
            assert await answers.prune(1) == 0
            assert await answers.prune(4, limit=2) == 2
            assert await answers.get("a", "b") is None
            assert await answers.get("b", "a") is None
            assert await answers.get("a", "a") is not None
            assert await answers.prune(4, limit=2) == 1
            assert await answers.prune(4) == 0
            assert await answers.get("b", "b") is not None

    place.run(use)


def test_answers_of_other_keys_are_found_and_replaced(place: Place) -> None:
    """Those that begin with other bytes, not claims; one is replaced only where nobody else has done so."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            answers = session.idempotency
            for key in ("claimed", "new", "old", "older"):
                await _put(session, key=key)
            await answers.finish("new", "s", status=201, body=b"\x01\xff\x00 new")
            await answers.finish("old", "s", status=201, body=b"\x01\xff\x01 old")
            await answers.finish("older", "s", status=200, body=b"\x01")
            found = sorted(await answers.not_sealed_with(b"\x01\xff\x00", 9), key=lambda one: one[0])
            assert found == [
                ("old", "s", StoredAnswer(DIGEST, 201, b"\x01\xff\x01 old", 1)),
                ("older", "s", StoredAnswer(DIGEST, 200, b"\x01", 1)),
            ]
            assert len(await answers.not_sealed_with(b"\x01\xff\x00", 1)) == 1
            assert await answers.replace("old", "s", before=b"\x01", status=1, body=b"") is False
            assert await answers.replace("old", "s", before=b"\x01\xff\x01 old", status=1, body=b"") is True
            assert await answers.get("old", "s") == StoredAnswer(DIGEST, 1, b"", 1)
            assert [key for key, _, _ in await answers.not_sealed_with(b"\x01\xff\x00", 9)] == ["older"]

    place.run(use)
