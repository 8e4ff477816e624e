"""Tokens of all three kinds, asked for as workers do, on a real database."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.control.clocks import Clocks
from sluicegate.control.known_tokens import KnownTokens
from sluicegate.control.resolution.uses import Used
from sluicegate.control.secrets.key_ring import KeyRing
from sluicegate.control.storage import Storage
from sluicegate.domain.events import Exchange, Metadata
from sluicegate.domain.principal import Principal
from sluicegate.domain.segments import segment_name
from sluicegate.domain.tokens import digest
from sluicegate.ledger.memory import MemoryLedger
from sluicegate.store.database import Database
from tests.control.api import copied
from tests.control.conftest import MINIMAL, NOW, WriteSources


@dataclass
class Workers:
    """What the workers are told."""

    forgotten: list[Sequence[bytes] | None] = field(default_factory=list)

    def forget(self, digests: Sequence[bytes] | None) -> None:
        """Have them look these up anew."""
        self.forgotten.append(digests)

    def tell_feed(self) -> None:
        """Nobody else changes tokens here."""


class Scene:
    """Tokens of all kinds, on an open database, and who hears of them."""

    def __init__(self, storage: Storage, load: Callable[[str], Compiled], log: FilteringBoundLogger) -> None:
        """`load` gives a configuration with these lines beside what all have."""
        self.load = load
        self.shown: list[Used] = []
        self.workers = Workers()
        self.compiled = load("")
        self.tokens = KnownTokens(
            storage,
            node="n",
            started=self.compiled,
            current=lambda: self.compiled,
            observe=self.shown.extend,
            clocks=Clocks(lambda: 0.0, lambda: NOW),
            log=log,
        )
        self.tokens.resolution.speak_through(self.workers)

    async def whose(self, secret: bytes) -> Principal | None:
        """Ask as a worker does."""
        answer: asyncio.Future[Principal | None] = asyncio.get_running_loop().create_future()
        self.tokens.resolution.directory.find(digest(secret), answer.set_result)
        return await answer

    def change(self, text: str) -> None:
        """Bring another configuration into force."""
        old, self.compiled = self.compiled, self.load(text)
        self.tokens.change(old, self.compiled)


Script = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key file with one key."""
    entry = {"key": "file-secret", "name": "filed", "token_limit_per_5h": 1000, "expiry_date": "2099-12-31T00:00:00Z"}
    file = tmp_path / "keys.json"
    file.write_bytes(msgspec.json.encode({"keys": [entry]}))
    return file


@pytest.fixture
def play(tmp_path: Path, template: Path, write: WriteSources, log: FilteringBoundLogger) -> Callable[..., None]:
    """Run a script while the tokens are kept, with `common` in every configuration."""
    data_dir = copied(template, tmp_path / "data")

    def run(script: Script, common: str = "") -> None:
        async def main() -> None:
            database = await Database.open("sqlite", data_dir)
            storage = Storage(database, KeyRing((bytes(32),), random=secrets.token_bytes), MemoryLedger(lambda: 0))
            try:
                scene = Scene(storage, lambda text: write(MINIMAL + common + text).load(1), log)
                async with asyncio.TaskGroup() as tasks:
                    running = tasks.create_task(scene.tokens.run())
                    await asyncio.wait_for(script(scene), 60)
                    running.cancel()
            finally:
                await database.close()

        asyncio.run(main())

    return run


def test_each_kind_is_known(play: Callable[..., None], key_file: Path) -> None:
    """Those that files declare can be found by their id, too."""

    async def script(scene: Scene) -> None:
        assert repr(scene.tokens).startswith("<KnownTokens [<DeclaredTokens 1>, <DeclaredKeys ")
        for secret, name in ((b"caller-secret", "lan"), (b"file-secret", "filed")):
            principal = await scene.whose(secret)
            assert principal is not None
            assert principal.name == name
            assert scene.tokens.with_id(principal.token_id) is not None
        assert await scene.whose(b"nobody's") is None
        assert scene.tokens.with_id("tok_nobody") is None

    play(script, f"key_file: {key_file}\n")


def test_without_a_key_file(play: Callable[..., None]) -> None:
    """What the configuration declares is all that is declared."""

    async def script(scene: Scene) -> None:
        assert repr(scene.tokens).startswith("<KnownTokens [<DeclaredTokens 1>] ")
        assert await scene.whose(b"file-secret") is None

    play(script)


def test_a_change_has_forgotten_what_it_changes(play: Callable[..., None]) -> None:
    """Of the declared tokens those that changed; of all tokens their limits, where the defaults did."""

    async def script(scene: Scene) -> None:
        scene.change("")
        scene.change("log: {level: error}\n")
        assert not any(scene.workers.forgotten)
        scene.workers.forgotten.clear()
        scene.change("limits: {defaults: {tokens: [{metric: requests, maximum: 5, window: day}]}}\n")
        assert scene.workers.forgotten == [None]

    play(script)


def test_uses_are_shown_and_counted(play: Callable[..., None], key_file: Path, tmp_path: Path) -> None:
    """Every exchange is shown; what the key file's token used is in the file at the end."""

    async def script(scene: Scene) -> None:
        principal = await scene.whose(b"file-secret")
        assert principal is not None
        tokens, events = (principal.token_id, "tok_other"), tmp_path / "data" / "events"
        events.mkdir(exist_ok=True)
        lines = [msgspec.json.encode(exchange(token)) + b"\n" for token in tokens]
        (events / segment_name("000-0193a5b0c0de", 1)).write_bytes(b"".join(lines))
        while len(scene.shown) < len(lines):
            await asyncio.to_thread(lambda: None)
        assert tuple(event.token for event in scene.shown) == tokens

    play(script, f"key_file: {key_file}\n")
    [key] = msgspec.json.decode(key_file.read_bytes())["keys"]
    assert key["total_lifetime_tokens"] == 7
    assert key["last_used"].startswith("2026-11-21T12:00:00")


def test_an_edit_of_the_key_file_is_followed(play: Callable[..., None], key_file: Path) -> None:
    """Its keys are forgotten, and then what it says."""

    def edit() -> None:
        key_file.write_bytes(key_file.read_bytes().replace(b"file-secret", b"other-file-secret"))

    async def script(scene: Scene) -> None:
        edit()
        while not any(scene.workers.forgotten):
            await asyncio.to_thread(lambda: None)
        assert scene.workers.forgotten[-1] is not None
        assert set(scene.workers.forgotten[-1]) == {digest(b"file-secret"), digest(b"other-file-secret")}
        assert await scene.whose(b"file-secret") is None
        assert await scene.whose(b"other-file-secret") is not None

    play(script, f"key_file: {key_file}\n")


def exchange(token: str) -> Exchange:
    """An exchange of seven tokens."""
    time, metadata = "2026-11-21T12:00:00.000Z", Metadata(total_tokens=7)
    return Exchange("req_1", time, token, "prj_default", "org_default", "/v1/x", "POST", 200, 1.0, metadata)
