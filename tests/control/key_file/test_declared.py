"""Declared keys in force: loaded, kept through broken edits, changed by good ones, their usage written back."""

import asyncio
import errno
import json
import random
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from structlog.testing import LogCapture

from sluicegate.control.key_file.declared import DeclaredKeys
from sluicegate.control.key_file.entries import KeyFileError
from sluicegate.control.key_file.exchanging import exchange
from sluicegate.domain.default_limits import Defaults, Terms
from sluicegate.domain.limits import Rolling
from sluicegate.domain.tokens import digest

NOW = 1_800_000_123.0
SLOT = "2027-01-15T08:00:00.000Z"
ANN, BOB = "pk_ann_0123456789abcdef", "pk_bob_0123456789abcdef"


def entry(key: str, name: str, **more: object) -> dict[str, Any]:
    """One entry."""
    return {"key": key, "name": name, "token_limit_per_5h": 100, "expiry_date": "2030-01-01T00:00:00Z"} | more


class Bench:
    """One file, and the gateways that use it."""

    def __init__(self, path: Path) -> None:
        """Begin with one key, Ann's."""
        self.path = path
        self.changed: list[set[bytes]] = []
        self.log = LogCapture()
        self.write(entry(ANN, "Ann"))
        self.keys = self.gateway()

    def gateway(
        self,
        swap: Callable[[Path, Path], bool] = exchange,
        *,
        defaults: Callable[[], Defaults] = Defaults,
        model: str | None = None,
    ) -> DeclaredKeys:
        """A gateway that has loaded the file."""
        log = structlog.wrap_logger(None, processors=[self.log], wrapper_class=structlog.make_filtering_bound_logger(0))
        made = DeclaredKeys(
            self.path,
            now=lambda: NOW,
            log=log,
            changed=lambda digests: self.changed.append(set(digests)),
            exchange=swap,
            defaults=defaults,
            model=model,
        )
        made.load()
        return made

    def write(self, *entries: dict[str, Any]) -> None:
        """Edit the file."""
        self.path.write_text(json.dumps({"keys": entries}))

    def read(self, index: int = 0) -> dict[str, Any]:
        """An entry as the file has it."""
        found: dict[str, Any] = json.loads(self.path.read_text())["keys"][index]
        return found

    def use(self, tokens: int, *, keys: DeclaredKeys | None = None, name: str = "Ann", at: float = NOW) -> None:
        """Use a key by its name."""
        keys = keys or self.keys
        (found,) = [principal.token_id for principal in keys.principals.values() if principal.name == name]
        keys.record(found, tokens, at)

    @property
    def told(self) -> list[str]:
        """What was logged as an error."""
        return [line["problems"] for line in self.log.entries if line["log_level"] == "error"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A file with one key, and a gateway."""
    return Bench(tmp_path / "keys.json")


def token_id(keys: DeclaredKeys, key: str = ANN) -> str:
    """The id of a key."""
    return keys.principals[digest(key.encode())].token_id


def test_keys_are_found_by_id_and_by_owner(bench: Bench) -> None:
    """As they are in force, with the defaults."""
    ann = bench.keys.get(digest(ANN.encode()))
    assert ann is not None
    assert bench.keys.by_id(ann.token_id) == ann
    assert bench.keys.by_id("tok_of_nobody") is None
    for owner in (ann.token_id, "org_default", "prj_default"):
        assert bench.keys.owned_by({owner}) == [digest(ANN.encode())]
    assert bench.keys.owned_by({"org_other"}) == []


def test_loaded_keys_are_in_force(bench: Bench) -> None:
    """By digest for whom they stand for, by id for what the file says of them."""
    assert [*bench.keys.principals] == [digest(ANN.encode())]
    found = bench.keys.find(token_id(bench.keys))
    assert found is not None
    assert (found.principal.name, found.principal.limits[0].maximum) == ("Ann", 100)
    assert bench.keys.get(digest(ANN.encode())) == found.principal
    assert bench.keys.find("tok_other") is None
    assert bench.keys.get(digest(BOB.encode())) is None
    assert repr(bench.keys) == f"<DeclaredKeys {bench.path} keys=1 waiting=0>"


@pytest.mark.parametrize("content", [None, "{", '{"keys": [{}]}'])
def test_a_file_that_cannot_be_used_refuses_the_start(bench: Bench, content: str | None) -> None:
    """Missing or broken: with the file's name and what is wrong."""
    if content is None:
        bench.path.unlink()
    else:
        bench.path.write_text(content)
    with pytest.raises(KeyFileError, match=str(bench.path)):
        bench.gateway()


def test_defaults_bound_the_keys_too(bench: Bench) -> None:
    """As they are at the moment, and only where a key has no limit of its own on the same metric and window."""
    current = [Defaults()]
    keys = bench.gateway(defaults=lambda: current[0])
    (plain,) = keys.principals.values()
    assert [limit.account for limit in plain.limits] == [f"{plain.token_id}|tokens|5h"]
    current[0] = Defaults(tokens=(Terms("tokens", Rolling(18_000), 1), Terms("requests", Rolling(60), 2)))
    bounded = keys.get(digest(ANN.encode()))
    assert bounded is not None
    assert [(limit.account, limit.maximum) for limit in bounded.limits] == [
        (f"{plain.token_id}|tokens|5h", 100),
        (f"{plain.token_id}|requests|1m", 2),
    ]


def test_an_edit_takes_effect(bench: Bench) -> None:
    """Added, changed and removed keys are told, others are not; nothing is told of usage."""
    bench.write(entry(ANN, "Ann", total_lifetime_tokens=5), entry(BOB, "Bob"))
    bench.keys.reload()
    bench.write(entry(ANN, "Ann", model="glm-4.7"), entry(BOB, "Bob"))
    bench.keys.reload()
    bench.write(entry(ANN, "Ann", model="glm-4.7"))
    bench.keys.reload()
    bench.keys.reload()
    assert bench.changed == [{digest(BOB.encode())}, {digest(ANN.encode())}, {digest(BOB.encode())}]
    assert len(bench.keys.principals) == 1


@pytest.mark.parametrize("broken", [None, "", '{"keys": [{"key": "pk_hunter2"}]}'])
def test_a_broken_edit_keeps_the_keys_and_says_so(bench: Bench, broken: str | None) -> None:
    """Once, however often it is looked at; the next good edit ends it."""
    before = bench.keys.principals
    if broken is None:
        bench.path.unlink()
    else:
        bench.path.write_text(broken)
    bench.keys.reload()
    bench.keys.reload()
    assert bench.keys.principals == before
    assert bench.keys.failure is not None
    assert "newer one refused" in repr(bench.keys)
    assert bench.told == [str(bench.keys.failure)]
    assert "hunter2" not in str(bench.log.entries)
    bench.write(entry(ANN, "Ann"))
    bench.keys.reload()
    assert "refused" not in repr(bench.keys)
    assert bench.log.entries[-1]["event"] == "key file loaded"
    assert bench.changed == []


def test_usage_is_written_back(bench: Bench) -> None:
    """What was there goes on, whatever else the file holds stays."""
    bench.write(entry(ANN, "Ann", total_lifetime_tokens=1_000, owner="x"), entry(BOB, "Bob"))
    bench.keys.reload()
    bench.use(5)
    bench.use(6, at=NOW + 1)
    asyncio.run(bench.keys.write())
    assert bench.read() == entry(
        ANN,
        "Ann",
        total_lifetime_tokens=1_011,
        owner="x",
        usage_windows=[{"window_start": SLOT, "tokens_used": 11}],
        last_used="2027-01-15T08:02:04.000Z",
    )
    assert bench.read(1) == entry(BOB, "Bob")


def test_nothing_is_written_where_nothing_was_used(bench: Bench) -> None:
    """The file keeps its form as long as it can; the use of other tokens is not ours."""
    before = bench.path.stat()
    bench.keys.record("tok_other", 5, NOW)
    asyncio.run(bench.keys.write())
    assert bench.path.stat() == before


def test_usage_is_known_before_it_is_written(bench: Bench) -> None:
    """Written or not, in five hours or ever; and of an unknown key nothing."""
    bench.write(
        entry(
            ANN,
            "Ann",
            total_lifetime_tokens=50,
            usage_windows=[
                {"window_start": "2027-01-15T03:10:00Z", "tokens_used": 3},
                {"window_start": "2027-01-15T02:00:00Z", "tokens_used": 7},
            ],
        )
    )
    bench.keys.reload()
    identifier = token_id(bench.keys)
    first = bench.keys.usage(identifier)
    assert first is not None
    assert (first.in_window, first.lifetime, first.last_used) == (3, 50, None)
    bench.use(5)
    second = bench.keys.usage(identifier)
    asyncio.run(bench.keys.write())
    third = bench.keys.usage(identifier)
    assert second == third
    assert third is not None
    assert (third.in_window, third.lifetime, third.last_used) == (8, 55, NOW)
    assert bench.keys.usage("tok_other") is None


def test_an_edit_during_a_write_is_kept_and_takes_effect(bench: Bench) -> None:
    """A key that somebody adds at the last moment is in the file, and in force."""
    edits = [lambda: bench.write(entry(ANN, "Ann"), entry(BOB, "Bob"))]

    def late(one: Path, other: Path) -> bool:
        if edits:
            edits.pop()()
        return exchange(one, other)

    keys = bench.gateway(late)
    bench.use(5, keys=keys)
    asyncio.run(keys.write())
    assert (bench.read()["total_lifetime_tokens"], bench.read(1)["name"]) == (5, "Bob")
    assert bench.changed == [{digest(BOB.encode())}]
    assert len(keys.principals) == 2


def test_an_edit_loaded_during_a_write_stays_in_force(bench: Bench) -> None:
    """The disk may be slow once the file has its new content: the keys of that are not put over a later edit."""
    is_written, may_go_on = threading.Event(), threading.Event()

    def slow(one: Path, other: Path) -> bool:
        done = exchange(one, other)
        is_written.set()
        may_go_on.wait()
        return done

    async def main() -> None:
        keys = bench.gateway(slow)
        bench.use(5, keys=keys)
        writing = asyncio.ensure_future(keys.write())
        await asyncio.to_thread(is_written.wait)
        bench.write(entry(BOB, "Bob"))
        keys.reload()
        may_go_on.set()
        await writing
        assert set(keys.principals) == {digest(BOB.encode())}
        assert bench.changed[-1] == {digest(ANN.encode()), digest(BOB.encode())}

    asyncio.run(main())


def test_a_removed_key_does_not_come_back(bench: Bench) -> None:
    """Its usage goes with it."""
    bench.use(5)
    bench.write(entry(BOB, "Bob"))
    asyncio.run(bench.keys.write())
    assert json.loads(bench.path.read_text()) == {"keys": [entry(BOB, "Bob")]}
    assert bench.changed == [{digest(ANN.encode()), digest(BOB.encode())}]


def test_two_gateways_add_up(bench: Bench) -> None:
    """Each adds its own to what the file says."""
    other = bench.gateway()
    for number in range(1, 4):
        bench.use(1)
        bench.use(10, keys=other)
        for keys in (bench.keys, other):
            asyncio.run(keys.write())
        assert bench.read()["total_lifetime_tokens"] == 11 * number
    assert bench.read()["usage_windows"] == [{"window_start": SLOT, "tokens_used": 33}]


def test_an_edit_made_from_an_older_copy_takes_no_usage_back(bench: Bench) -> None:
    """Somebody opened the file, it was written twice, they save: their change counts, and so does the usage."""
    bench.use(5)
    asyncio.run(bench.keys.write())
    opened = bench.read()
    for _ in range(2):
        bench.use(5, at=NOW + 1)
        asyncio.run(bench.keys.write())
    bench.write(opened | {"name": "Anna"})
    bench.keys.reload()
    used = bench.keys.usage(token_id(bench.keys))
    assert used is not None
    assert used.lifetime == 15
    asyncio.run(bench.keys.write())
    assert (bench.read()["name"], bench.read()["total_lifetime_tokens"]) == ("Anna", 15)


def test_an_older_copy_saved_just_before_a_write_takes_no_usage_back(bench: Bench) -> None:
    """Also where the write finds it first."""
    bench.use(5)
    asyncio.run(bench.keys.write())
    opened = bench.read()
    bench.use(6, at=NOW + 1)
    asyncio.run(bench.keys.write())
    bench.write(opened)
    bench.use(7, at=NOW + 2)
    asyncio.run(bench.keys.write())
    assert bench.read()["total_lifetime_tokens"] == 18


def test_a_reset_by_hand_holds(bench: Bench) -> None:
    """Whoever sets a key's usage to nothing means it."""
    bench.use(5)
    asyncio.run(bench.keys.write())
    bench.use(5)
    asyncio.run(bench.keys.write())
    bench.write(entry(ANN, "Ann", total_lifetime_tokens=0, usage_windows=[], last_used=None))
    bench.keys.reload()
    bench.use(3)
    asyncio.run(bench.keys.write())
    assert bench.read()["total_lifetime_tokens"] == 3


def test_usage_waits_while_the_file_is_broken(bench: Bench) -> None:
    """Nothing is written over a broken edit; once it is mended, all usage is there."""
    bench.use(5)
    bench.path.write_text("{")
    asyncio.run(bench.keys.write())
    assert bench.path.read_text() == "{"
    assert bench.keys.failure is not None
    bench.use(6)
    bench.write(entry(ANN, "Ann"))
    asyncio.run(bench.keys.write())
    assert bench.read()["total_lifetime_tokens"] == 11
    assert bench.keys.failure is None


def test_usage_waits_while_the_file_cannot_be_written(bench: Bench) -> None:
    """It is told once, with what is usually the reason, and nothing is lost."""
    errors = [errno.EBUSY, errno.EBUSY]

    def mounted(one: Path, other: Path) -> bool:
        if errors:
            # Meanwhile the key is used once more.
            bench.use(1, keys=keys)
            raise OSError(errors.pop(), "Device or resource busy")
        return exchange(one, other)

    keys = bench.gateway(mounted)
    for _ in range(3):
        bench.use(5, keys=keys)
        asyncio.run(keys.write())
    assert bench.told == ["Device or resource busy; mount its directory instead of the file alone"]
    assert bench.read()["total_lifetime_tokens"] == 17


def test_a_missing_file_keeps_its_usage_waiting(bench: Bench) -> None:
    """It is not made anew: its other keys are not ours to know."""
    bench.use(5)
    bench.path.unlink()
    asyncio.run(bench.keys.write())
    assert bench.told == ["No such file or directory"]
    assert not bench.path.exists()
    assert "waiting=1" in repr(bench.keys)


def test_what_happens_during_a_write_is_not_lost(bench: Bench) -> None:
    """A use while the file is being written is known at once, and in the next write; two writes take turns."""
    seen: list[int] = []

    async def run() -> None:
        def during(one: Path, other: Path) -> bool:
            asyncio.run_coroutine_threadsafe(use(), loop).result()
            return exchange(one, other)

        async def use() -> None:
            bench.use(1, keys=keys)
            used = keys.usage(token_id(keys))
            assert used is not None
            seen.append(used.lifetime)

        loop = asyncio.get_running_loop()
        keys = bench.gateway(during)
        bench.use(10, keys=keys)
        await asyncio.gather(keys.write(), keys.write())

    asyncio.run(run())
    assert seen == [11, 12]
    assert bench.read()["total_lifetime_tokens"] == 11


def test_edits_are_followed(bench: Bench) -> None:
    """Once a changed file has come to rest, it is loaded, whatever came before it."""
    looks = 0

    async def pause() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            bench.path.write_text("{")
        if looks == 4:
            bench.write(entry(ANN, "Ann"), entry(BOB, "Bob"))
        if looks == 7:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(bench.keys.follow(pause=pause))
    assert bench.changed == [{digest(BOB.encode())}]
    assert len(bench.told) == 1


def test_usage_is_written_again_and_again_and_at_the_end(bench: Bench) -> None:
    """Whatever was used until the very end is in the file."""
    pauses = 0
    written: list[int] = []

    async def pause() -> None:
        nonlocal pauses
        pauses += 1
        written.append(bench.read().get("total_lifetime_tokens", 0))
        bench.use(5)
        if pauses == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(bench.keys.keep_written(pause=pause))
    assert written == [0, 5, 10]
    assert bench.read()["total_lifetime_tokens"] == 15


def test_keys_are_never_shown(bench: Bench) -> None:
    """Neither a log line nor a printed object holds one."""
    bench.write(entry(ANN, "Ann"), entry(ANN, "Bob"), {"key": BOB})
    bench.keys.reload()
    shown = f"{bench.keys} {bench.keys.principals} {bench.log.entries} {bench.keys.failure!r}"
    assert ANN not in shown
    assert BOB not in shown


class Life(RuleBasedStateMachine):
    """An operator who edits, two gateways that write usage and may die, on one file."""

    def __init__(self) -> None:
        """Begin with Ann's key and two gateways."""
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.directory.name) / "keys.json")
        self.gateways = [self.bench.keys, self.bench.gateway()]
        self.names = {"Ann": ANN}
        self.models: dict[str, str] = {}
        self.written: dict[str, int] = {"Ann": 0}
        self.waiting: list[dict[str, int]] = [{}, {}]
        self.count = 0

    def teardown(self) -> None:
        """Remove the directory."""
        self.directory.cleanup()

    def edit(self, change: Callable[[list[dict[str, Any]]], object]) -> None:
        """Edit as careful editors do, from what is in the file now."""
        document = json.loads(self.bench.path.read_text())
        change(document["keys"])
        new = self.bench.path.with_name("editor.tmp")
        new.write_text(json.dumps(document))
        new.replace(self.bench.path)

    @rule()
    def add(self) -> None:
        """The operator declares a key."""
        self.count += 1
        name = f"n{self.count}"
        self.names[name] = f"pk_{self.count:020}"
        self.written[name] = 0
        self.edit(lambda entries: entries.append(entry(self.names[name], name)))

    @rule(choice=st.randoms(use_true_random=False))
    def remove(self, choice: random.Random) -> None:
        """The operator removes a key."""
        if self.names:
            name = choice.choice(sorted(self.names))
            del self.names[name], self.written[name]
            self.models.pop(name, None)
            for waiting in self.waiting:
                waiting.pop(name, None)
            self.edit(lambda entries: entries.remove(next(one for one in entries if one["name"] == name)))

    @rule(choice=st.randoms(use_true_random=False), model=st.sampled_from(["a", "b"]))
    def change(self, choice: random.Random, model: str) -> None:
        """The operator gives a key another model."""
        if self.names:
            name = choice.choice(sorted(self.names))
            self.models[name] = model
            self.edit(lambda entries: next(one for one in entries if one["name"] == name).update(model=model))

    @rule(index=st.integers(0, 1))
    def reload(self, index: int) -> None:
        """A gateway notices what was edited."""
        self.gateways[index].reload()
        assert {principal.name for principal in self.gateways[index].principals.values()} == set(self.names)

    @rule(index=st.integers(0, 1), tokens=st.integers(0, 1_000), choice=st.randoms(use_true_random=False))
    def use(self, index: int, tokens: int, choice: random.Random) -> None:
        """Somebody uses a key at a gateway, which may not know yet that it is gone."""
        known = sorted(principal.name for principal in self.gateways[index].principals.values())
        if known:
            name = choice.choice(known)
            self.bench.use(tokens, keys=self.gateways[index], name=name)
            if name in self.names:
                self.waiting[index][name] = self.waiting[index].get(name, 0) + tokens

    @rule(index=st.integers(0, 1))
    def write(self, index: int) -> None:
        """A gateway writes what waits."""
        asyncio.run(self.gateways[index].write())
        for name, tokens in self.waiting[index].items():
            self.written[name] += tokens
        self.waiting[index] = {}

    @rule(index=st.integers(0, 1), is_after=st.booleans())
    def die(self, index: int, is_after: bool) -> None:
        """A gateway dies while it writes, and is started again; what it had not written is gone with it."""

        def kill(one: Path, other: Path) -> bool:
            if is_after:
                exchange(one, other)
            raise _KilledError

        gateway = self.bench.gateway(kill)
        for name, tokens in self.waiting[index].items():
            if name in {principal.name for principal in gateway.principals.values()}:
                self.bench.use(tokens, keys=gateway, name=name)
        with suppress(_KilledError):
            asyncio.run(gateway.write())
        if is_after:
            for name, tokens in self.waiting[index].items():
                self.written[name] += tokens
        self.waiting[index] = {}
        self.gateways[index] = self.bench.gateway()

    @invariant()
    def the_file_says_it_all(self) -> None:
        """Each key with what its operator wrote and all usage that was written, and no other key."""
        entries = json.loads(self.bench.path.read_text())["keys"]
        assert {one["name"]: one["key"] for one in entries} == self.names
        assert {one["name"]: one["model"] for one in entries if "model" in one} == self.models
        assert {one["name"]: one.get("total_lifetime_tokens", 0) for one in entries} == self.written
        assert self.bench.told == []


class _KilledError(BaseException):
    """Stands for the end of a process: nothing that would mend anything runs after it."""


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=30, stateful_step_count=20)


def test_keys_without_a_model_are_answered_by_the_default_one(tmp_path: Path) -> None:
    """The one that the configuration names; a key's own wins."""
    bench = Bench(tmp_path / "keys.json")
    bench.write(entry(ANN, "Ann", model="large"), entry(BOB, "Bob"))
    keys = bench.gateway(model="small")

    assert {each.name: each.model for each in keys.principals.values()} == {"Ann": "large", "Bob": "small"}
