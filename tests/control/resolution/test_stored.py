"""Resolution on a real database."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, event
from structlog.typing import FilteringBoundLogger

from sluicegate.control.database_checkpoint import TransactionalStore
from sluicegate.control.resolution.resolution import Resolution
from sluicegate.control.resolution.stored import Stored, stored_resolution
from sluicegate.control.token_directory import DeclaredTokens
from sluicegate.domain.owner_marks import mark_of
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Project, Token
from sluicegate.events.checkpoint import Checkpoint, Progress
from sluicegate.store.database import Database, Session
from sluicegate.store.upgrade import upgrade
from tests.store.records import a_limit

NOW = 1_800_000_000_000


def a_token(name: str, **changes: Any) -> Token:
    """A token of the default project."""
    plain = Token(
        id=f"tok_{name}",
        digest=name.encode().ljust(32, b"."),
        prefix="sk-sg-",
        last_four="abcd",
        organization_id="org_default",
        project_id="prj_default",
        name=name,
        created_at=NOW,
        updated_at=NOW,
    )
    return msgspec.structs.replace(plain, **changes)


ONE = a_token("one")
CHECKPOINT = Checkpoint({"000-a": Progress(1, 100)})


class Scene:
    """An open database with one token, and the queries on it."""

    def __init__(self, database: Database, directory: Path, log: FilteringBoundLogger) -> None:
        self.database = database
        self.asked: list[set[str]] = []
        self.declared = DeclaredTokens({})
        checkpoints = TransactionalStore(database, node="n", consumer="uses", log=log)
        self.stored = Stored(database, checkpoints, credentials=self.credentials, now=lambda: NOW)
        self.resolution: Resolution = stored_resolution(
            database,
            declared=[self.declared],
            credentials=self.credentials,
            data_dir=directory,
            node="n",
            is_shared=False,
            clock=lambda: 10.0,
            now=lambda: NOW,
            log=log,
        )

    async def credentials(
        self, session: Session, projects: Collection[str]
    ) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """One key of the default project."""
        self.asked.append(set(projects))
        return {"prj_default": (("openai", "own-key"),)}

    async def finds(self, token: Token) -> Principal | None:
        """Ask as a worker does."""
        answer: asyncio.Future[Principal | None] = asyncio.get_running_loop().create_future()
        self.resolution.directory.find(token.digest, answer.set_result)
        return await answer


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


@pytest.fixture
def play(tmp_path: Path, log: FilteringBoundLogger) -> Play:
    """Run a script on a new database."""

    def run(script: Callable[[Scene], Awaitable[None]]) -> None:
        async def main() -> None:
            await upgrade("sqlite", tmp_path)
            database = await Database.open("sqlite", tmp_path)
            try:
                async with database.writing() as session:
                    await session.tokens.add(ONE)
                await asyncio.wait_for(script(Scene(database, tmp_path, log)), 60)
            finally:
                await database.close()

        asyncio.run(main())

    return run


def test_tokens_become_principals_with_their_projects_keys(play: Play) -> None:
    """One question for the keys of all projects; a token of a user alone has none, and nobody's digest is missing."""

    async def script(scene: Scene) -> None:
        other = a_token("other", project_id=None)
        async with scene.database.writing() as session:
            await session.tokens.add(other)
        found = await scene.stored.principals([ONE.digest, other.digest, b"nobody".ljust(32, b".")])
        assert found.keys() == {ONE.digest, other.digest}
        assert found[ONE.digest].credentials == (("openai", "own-key"),)
        assert found[other.digest].credentials == ()
        assert scene.asked == [{"prj_default"}]
        await scene.stored.principals([other.digest])
        assert len(scene.asked) == 1
        assert repr(scene.stored).startswith("<Stored <Database")

    play(script)


def test_a_suspended_project_makes_its_tokens_inactive(play: Play) -> None:
    """As soon as it is committed."""

    async def script(scene: Scene) -> None:
        async with scene.database.writing() as session:
            project = await session.projects.get("prj_default")
            assert isinstance(project, Project)
            await session.projects.update(
                msgspec.structs.replace(project, status="suspended", version=project.version + 1)
            )
        assert not (await scene.stored.principals([ONE.digest]))[ONE.digest].is_active

    play(script)


def test_the_change_log_is_followed(play: Play) -> None:
    """From its last line on; old lines can be pruned."""

    async def script(scene: Scene) -> None:
        last = await scene.stored.last()
        async with scene.database.writing() as session:
            await session.changes.append([ONE.digest])
        [change] = await scene.stored.since(last, 10)
        assert (change.sequence, change.digest) == (last + 1, ONE.digest)
        await scene.stored.prune(NOW * 2)
        assert await scene.stored.last() == last + 1

    play(script)


def test_uses_are_added_and_spent_tokens_told_to_all_nodes(play: Play) -> None:
    """The use that reaches the maximum is in the change log, in the same transaction."""

    async def script(scene: Scene) -> None:
        bounded = a_token("bounded", max_requests=3)
        async with scene.database.writing() as session:
            await session.tokens.add(bounded)
        last = await scene.stored.last()
        assert not await scene.stored.add_uses([(bounded.id, NOW, 2), ("tok_nobody", NOW, 1)], CHECKPOINT)
        assert await scene.stored.last() == last
        assert list(await scene.stored.add_uses([(bounded.id, NOW + 5, 1)], CHECKPOINT)) == [bounded.digest]
        [change] = await scene.stored.since(last, 10)
        assert change.digest == bounded.digest
        principal = (await scene.stored.principals([bounded.digest]))[bounded.digest]
        assert not principal.is_spent, "whether a request is left is for the ledger to say"

    play(script)


def test_limits_of_all_owners_come_with_one_question(play: Play) -> None:
    """However many tokens are asked for, what was set for them and their owners is asked for once."""

    async def script(scene: Scene) -> None:
        other = a_token("other", max_requests=3)
        async with scene.database.writing() as session:
            await session.tokens.add(other)
            for number, scope_id in enumerate((other.id, "prj_default", "prj_other")):
                await session.limits.add(a_limit(number, scope_id=scope_id))
        statements = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            found = await scene.stored.principals([ONE.digest, other.digest])
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert len([one for one in statements if "FROM limits" in one]) == 1
        accounts = [limit.account for limit in found[other.digest].limits]
        assert accounts == [
            "prj_default|tokens|1h",
            f"{other.id}|tokens|1h",
            f"{other.id}|requests|lifetime",
        ]
        assert [limit.account for limit in found[ONE.digest].limits] == ["prj_default|tokens|1h"]

    play(script)


def test_a_revocation_holds_from_its_announcement_on(play: Play) -> None:
    """The whole way, with questions asked while it is committed."""

    async def script(scene: Scene) -> None:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(scene.resolution.run())
            before = await scene.finds(ONE)
            assert before is not None
            assert before.is_active
            async with scene.database.writing() as session:
                await session.tokens.update(msgspec.structs.replace(ONE, status="revoked", version=2))
                announcing = scene.resolution.announcing([ONE.digest])
                announcing.__enter__()
                asked = asyncio.ensure_future(scene.finds(ONE))
            announcing.__exit__(None, None, None)
            after = await asked
            assert after is not None
            assert not after.is_active
            assert await scene.finds(a_token(secrets.token_hex(8))) is None
            running.cancel()

    play(script)


class Voice:
    """Workers that hear what to forget."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Sequence[bytes] | None] = asyncio.Queue()

    def forget(self, digests: Sequence[bytes] | None) -> None:
        """Hear it."""
        self.heard.put_nowait(digests)

    def tell_feed(self) -> None:
        """Nothing of interest."""


def test_limits_of_owners_reach_declared_tokens_on_every_node(play: Play) -> None:
    """A limit set by another node, which cannot know who declares what, is announced here and in force."""

    async def script(scene: Scene) -> None:
        voice = Voice()
        looks: asyncio.Queue[None] = asyncio.Queue()
        scene.resolution.speak_through(voice)
        token = a_token("declared")
        scene.declared.replace({token.digest: Principal(token.id)})
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(scene.resolution.run(pause=lambda _seconds: looks.get()))
            assert await voice.heard.get() is None
            before = await scene.finds(token)
            # With its project's own keys, as issued ones.
            assert before == Principal(token.id, credentials=(("openai", "own-key"),))
            async with scene.database.writing() as session:
                limit = a_limit(1, scope="organization", scope_id="org_default", organization_id="org_default")
                await session.limits.add(limit)
                organization = await session.organizations.get("org_default")
                assert organization is not None
                await session.organizations.update(
                    msgspec.structs.replace(
                        organization,
                        monthly_budget=7,
                        time_zone="Europe/Berlin",
                        failure_mode="open",
                        fallback_daily_limit=3,
                        version=organization.version + 1,
                    )
                )
                await session.changes.append([mark_of("org_default")])
            looks.put_nowait(None)
            assert await voice.heard.get() == [token.digest]
            after = await scene.finds(token)
            assert after is not None
            assert [limit.account for limit in after.limits] == [
                "org_default|tokens|1h",
                "org_default|usd|month@Europe/Berlin",
            ]
            assert (after.failure_mode, after.fallback_daily_limit) == ("open", 3)
            with scene.resolution.announcing([mark_of("prj_default")]):
                assert await voice.heard.get() == [token.digest]
            assert await voice.heard.get() == [token.digest]
            running.cancel()

    play(script)
