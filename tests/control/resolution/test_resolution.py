"""The parts of resolution together: what is said to workers, in which order."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

import pytest
from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.declared import nothing_said
from sluicegate.control.resolution.resolution import LARGEST_NAMED, SHARED_LEASE, Resolution
from sluicegate.control.resolution.uses import Uses, counter
from sluicegate.control.tenants.declared import Said
from sluicegate.control.token_directory import DeclaredTokens
from sluicegate.domain.owner_marks import mark_of
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Change
from sluicegate.events.checkpoint_store import FileStore
from sluicegate.events.reader import SegmentReader
from sluicegate.wire.link import Feed


class Scene:
    """Resolution on a database in memory, and everything that workers are told."""

    def __init__(self, directory: Path, log: FilteringBoundLogger, *, is_shared: bool = True) -> None:
        self.stored: dict[bytes, Principal] = {}
        self.changes: list[Change] = []
        self.said: list[object] = []
        self.clock = 50.0
        self.is_away = False
        self.resolution = Resolution(
            declared=[DeclaredTokens({b"declared": Principal("tok_d")})],
            query=self.query,
            changes=self,
            uses=lambda announce: counter(
                Uses(add=self.add, announce=announce),
                SegmentReader(directory / "events"),
                FileStore(directory / "uses.json", log=log),
                clock=lambda: self.clock,
                log=log,
            ),
            is_shared=is_shared,
            clock=lambda: self.clock,
            now=lambda: 0,
            log=log,
            owners=self.owners,
        )
        self.resolution.speak_through(self)

    async def owners(self, principals: Collection[Principal]) -> Sequence[Said]:
        """Nothing is said of any owner."""
        if self.is_away:
            raise OSError("refused")
        return await nothing_said(principals)

    async def query(self, digests: Sequence[bytes]) -> Mapping[bytes, Principal]:
        """Look tokens up."""
        return {digest: self.stored[digest] for digest in digests if digest in self.stored}

    async def add(self, uses: Sequence[object], checkpoint: object) -> Sequence[bytes]:
        """Count nothing."""
        return ()

    async def last(self) -> int:
        """The newest change."""
        return len(self.changes)

    async def since(self, sequence: int, limit: int) -> Sequence[Change]:
        """The changes after that one."""
        return self.changes[sequence : sequence + limit]

    async def prune(self, before: int) -> None:
        """Keep everything."""

    def version(self) -> None:
        """Like a server's database: only a look can tell."""

    def close(self) -> None:
        """Nothing is held open."""

    def forget(self, digests: Sequence[bytes] | None) -> None:
        """Hear an announcement."""
        self.said.append(digests)

    def tell_feed(self) -> None:
        """Hear how far the feed is true."""
        self.said.append(self.resolution.feed())

    async def finds(self, digest: bytes) -> Principal | None:
        """Ask as a worker does."""
        answer: asyncio.Future[Principal | None] = asyncio.get_running_loop().create_future()
        self.resolution.directory.find(digest, answer.set_result)
        return await answer


@pytest.fixture
def scene(tmp_path: Path, log: FilteringBoundLogger) -> Scene:
    """On a database that other nodes use, too."""
    return Scene(tmp_path, log)


async def during(scene: Scene, script: Callable[[], Awaitable[None]]) -> None:
    """Run a script while resolution runs."""
    turns: asyncio.Queue[None] = asyncio.Queue()

    async def pause(_seconds: float) -> None:
        turns.put_nowait(None)
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(scene.resolution.run(pause=pause))
        await turns.get()
        await asyncio.wait_for(script(), 60)
        running.cancel()


def test_tokens_are_found_and_the_feed_is_told(scene: Scene) -> None:
    """Declared ones at once, stored ones after a query, and workers hear how far the feed is true."""

    async def script() -> None:
        scene.stored[b"stored"] = Principal("tok_s")
        assert await scene.finds(b"declared") == Principal("tok_d")
        assert await scene.finds(b"stored") == Principal("tok_s")
        assert await scene.finds(b"nobody") is None

    asyncio.run(during(scene, script))
    assert scene.said == [None, Feed(50.0, SHARED_LEASE)]
    assert repr(scene.resolution).startswith("<Resolution <StoredTokens waiting=0")


def test_announcements_surround_a_commit(scene: Scene) -> None:
    """Workers forget before and after, and are told nothing of what is being changed between."""

    async def script() -> None:
        scene.stored[b"a"] = Principal("tok_1")
        scene.said.clear()
        with scene.resolution.announcing([b"a"]):
            asked = asyncio.ensure_future(scene.finds(b"a"))
            for _ in range(5):
                await asyncio.sleep(0)
            assert scene.said == [[b"a"]]
            assert not asked.done()
            scene.stored[b"a"] = Principal("tok_1", is_active=False)
        assert scene.said == [[b"a"], [b"a"]]
        assert await asked == Principal("tok_1", is_active=False)

    asyncio.run(during(scene, script))


def test_a_commit_that_fails_is_announced_all_the_same(scene: Scene) -> None:
    """Nobody stays held back by it."""

    async def script() -> None:
        with pytest.raises(OSError, match="full"), scene.resolution.announcing(None):
            raise OSError("the disk is full")
        assert scene.said[-2:] == [None, None]
        assert await scene.finds(b"nobody") is None

    asyncio.run(during(scene, script))


def test_very_many_changes_are_announced_as_all(scene: Scene) -> None:
    """A worker knows no more tokens than that."""
    some = [b"x"] * LARGEST_NAMED
    scene.resolution.announce(some)
    scene.resolution.announce([*some, b"x"])
    assert scene.said == [some, None]


def test_before_the_first_look_nothing_is_true(scene: Scene) -> None:
    """A worker that connects to a control process whose database is away believes nothing."""
    assert scene.resolution.feed() == Feed(0.0, SHARED_LEASE)


def test_a_node_of_its_own_is_believed_as_long_as_it_lives(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Nobody else changes a token; no word about the feed is needed."""
    scene = Scene(tmp_path, log, is_shared=False)

    async def script() -> None:
        scene.said.clear()

    asyncio.run(during(scene, script))
    assert scene.resolution.feed() == Feed(50.0, float("inf"))
    assert scene.said == []


def test_without_workers_nothing_is_said(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Resolution is made before there is anyone to speak to."""
    other = Scene(tmp_path, log)
    other.resolution.speak_through(other)
    silent = Scene(tmp_path, log)
    silent.resolution._voice = None
    silent.resolution.announce([b"a"])
    asyncio.run(silent.resolution._changes.look())
    assert silent.said == []


def test_marks_of_owners_become_their_declared_tokens(scene: Scene) -> None:
    """In announcements and around a commit: workers know no owners."""
    scene.resolution.announce([b"a", mark_of("org_default"), mark_of("org_other")])
    with scene.resolution.announcing([mark_of("tok_d")]):
        pass
    scene.resolution.announce([mark_of("org_other")])
    assert scene.said == [[b"a", b"declared"], [b"declared"], [b"declared"], []]


def test_what_the_database_says_of_owners_is_asked_in_the_same_turn(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """Declared and stored tokens of a batch are answered together, and without the database declared ones are."""
    scene = Scene(tmp_path, log)

    async def script() -> None:
        scene.stored[b"stored"] = Principal("tok_s")
        assert list(await asyncio.gather(scene.finds(b"declared"), scene.finds(b"stored"))) == [
            Principal("tok_d"),
            Principal("tok_s"),
        ]
        scene.is_away = True
        assert await scene.finds(b"declared") == Principal("tok_d")
        assert await scene.finds(b"declared") == Principal("tok_d")
        scene.said.clear()
        scene.is_away = False
        assert await scene.finds(b"stored") == Principal("tok_s")
        assert scene.said == [[b"declared"]]

    asyncio.run(during(scene, script))
