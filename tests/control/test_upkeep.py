"""What is of no use any more is taken out of the database while the node runs."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.control.upkeep import ANSWERS_KEPT, STEP, Upkeep, bounds
from sluicegate.domain.tenants import Token
from sluicegate.store.errors import StoreUnavailableError
from tests.control.vault import OWN_PROJECT, Vault

RETENTION = 100.0


class Kept:
    """A database with what may go and what may not, and what looks after it."""

    def __init__(self, vault: Vault, log: FilteringBoundLogger) -> None:
        self.vault = vault
        self.now = vault.milliseconds
        self.key_uses = KeyUses()
        self.upkeep = Upkeep(vault.tenancy, self.key_uses, retention=lambda: RETENTION, log=log)

    def look(self) -> None:
        """Go round once."""
        self.vault.run(self.upkeep.look(between=0))

    def add_tokens(self, count: int, **fields: Any) -> None:
        """Add tokens with these fields."""

        values: dict[str, Any] = {"created_at": 1, "updated_at": 1, **fields}
        tokens = [
            Token(
                id=name,
                digest=name.encode().ljust(32)[-32:],
                prefix="sk-sg-",
                last_four="last",
                organization_id="org_own",
                project_id=OWN_PROJECT,
                **values,
            )
            for name in (self.vault.tenancy.make_id("tok_") for _ in range(count))
        ]

        async def add() -> None:
            async with self.vault.database.writing() as session:
                await session.tokens.add_all(tokens)

        self.vault.run(add())

    def names(self) -> set[str]:
        """What the tokens of the project are called."""

        async def read() -> set[str]:
            async with self.vault.database.reading() as session:
                return {token.name for token in await session.tokens.list(project_id=OWN_PROJECT, limit=2 * STEP)}

        return self.vault.run(read())

    def put_answers(self, count: int, created_at: int) -> None:
        """Keep so many answers."""

        async def put() -> None:
            async with self.vault.database.writing() as session:
                for number in range(count):
                    await session.idempotency.put(
                        f"{created_at}-{number}",
                        "scope",
                        request_digest=b"",
                        status=200,
                        body=b"",
                        created_at=created_at,
                    )

        self.vault.run(put())

    def has_answer(self, created_at: int, number: int = 0) -> bool:
        """Whether this one is still there."""

        async def read() -> bool:
            async with self.vault.database.reading() as session:
                return await session.idempotency.get(f"{created_at}-{number}", "scope") is not None

        return self.vault.run(read())


@pytest.fixture
def kept(vault: Vault, log: FilteringBoundLogger) -> Kept:
    """A database to be looked after."""
    return Kept(vault, log)


@given(now=st.integers(10**12, 10**14), retention=st.floats(0, 10**9))
def test_bounds(now: int, retention: float) -> None:
    """Answers are kept for a day; tokens as long as is asked for, to the millisecond."""
    due = bounds(now, retention)
    assert due.answers == now - 24 * 3_600_000
    assert 0 <= now - due.tokens <= retention * 1000 < now - due.tokens + 1


@pytest.mark.parametrize("retention", [1e12, 1e18, 1e308])
def test_bounds_of_who_keeps_for_ever(retention: float) -> None:
    """More than there was time is all of it: no database has a number for what is before that."""
    assert bounds(10**12, retention).tokens == 0


def test_tokens_go_when_their_time_is_over(kept: Kept, captured: LogCapture) -> None:
    """Tokens that ended longer ago than the retention go, and are in the audit log; others stay."""
    over = kept.now - int(RETENTION * 1000)
    kept.add_tokens(1, name="long over", expires_at=over - 1)
    kept.add_tokens(1, name="just over", expires_at=over)
    kept.add_tokens(1, name="revoked", status="revoked", updated_at=over - 1)
    kept.add_tokens(1, name="running", expires_at=kept.now + 1)
    kept.look()
    assert kept.names() == {"", "just over", "running"}
    assert captured.entries == [
        {"event": "tokens that ended long ago removed", "log_level": "info", "tokens": 2},
    ]
    [entry] = kept.vault.audit()
    assert (entry.action, entry.actor, entry.actor_kind, entry.after) == (
        "token.purge",
        "upkeep",
        "system",
        {"purged": 2},
    )


def test_tokens_about_to_end_are_looked_for(vault: Vault, log: FilteringBoundLogger) -> None:
    """In every round, once the rest is done."""
    rounds: list[str] = []

    async def warn() -> None:
        rounds.append("looked")

    vault.run(Upkeep(vault.tenancy, KeyUses(), retention=lambda: RETENTION, log=log, warn=warn).look(between=0))
    assert rounds == ["looked"]


def test_nothing_to_do_leaves_no_trace(kept: Kept, captured: LogCapture) -> None:
    """A round that finds nothing logs nothing, and writes nothing into the audit log."""
    kept.look()
    assert (captured.entries, kept.vault.audit()) == ([], [])


def test_much_is_done_in_steps(kept: Kept) -> None:
    """More than one step's worth is gone after one round all the same."""
    old = kept.now - ANSWERS_KEPT - 1
    kept.put_answers(STEP + 1, old)
    kept.put_answers(1, old + 1)
    kept.add_tokens(STEP + 1, name="over", expires_at=1)
    kept.look()
    assert not any(kept.has_answer(old, number) for number in (0, STEP))
    assert kept.has_answer(old + 1)
    assert kept.names() == {""}
    assert [entry.after for entry in kept.vault.audit()] == [{"purged": STEP}, {"purged": 1}]


def test_database_that_is_away_is_told_once(kept: Kept, captured: LogCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without a database are logged once, and so is the first one that works again; then everything is done."""
    old = kept.now - ANSWERS_KEPT - 1
    kept.put_answers(1, old)

    def away() -> None:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(type(kept.vault.database), "writing", lambda self: away())
        kept.look()
        kept.look()
        assert repr(kept.upkeep) == "<Upkeep away>"
    assert kept.has_answer(old)
    kept.look()
    assert not kept.has_answer(old)
    assert [(entry["event"], entry.get("reason")) for entry in captured.entries] == [
        ("the database cannot be tidied", "away"),
        ("over: the database cannot be tidied", None),
    ]


def test_it_goes_round_until_the_end(kept: Kept) -> None:
    """Round after round, with a pause between; keys used since the last one are written at the end."""
    old = kept.now - ANSWERS_KEPT - 1
    kept.put_answers(1, old)

    async def run() -> None:
        pauses: asyncio.Queue[asyncio.Event] = asyncio.Queue()

        async def pause() -> None:
            await pauses.put(event := asyncio.Event())
            await event.wait()

        task = asyncio.ensure_future(kept.upkeep.run(pause=pause, between=0))
        (await pauses.get()).set()
        await pauses.get()
        kept.key_uses.note("adm_unknown", 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    kept.vault.run(run())
    assert not kept.has_answer(old)
    assert repr(kept.key_uses) == "<KeyUses waiting=0>"
