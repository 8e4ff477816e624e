"""The Redis adapter on real servers: the model's outcomes, and what a server, its crash or a cluster may do to it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluicegate.domain.leases import REMEMBERED, Ask, Close, Operation, Outcome, Reset, Settle
from sluicegate.domain.limits import WindowError
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.ledger.memory import MemoryLedger
from sluicegate.ledger.redis import RedisLedger
from tests.ledger.contract import LedgerContract
from tests.ledger.ground import Clock, Ground
from tests.ledger.valkey import PASSWORD, Cluster, Server

ACCOUNTS = (
    "tok_a|tokens|90s",
    "tok_a|usd|5h",
    "org_a|requests|lifetime",
    "org_a|concurrency|lifetime",
    "org_a|usd|day@Europe/Berlin",
    "org_a|usd|month",
)
START = 1_774_745_900_000
"""A minute and forty seconds before the clocks of Berlin are put forward, on 29 March 2026."""

Answer = TypeVar("Answer")

numbers = count(1)


@pytest.fixture(scope="module")
def valkey() -> Iterator[Server]:
    """A server, the same for all tests that leave it running."""
    with Server() as server:
        yield server


@pytest.fixture
def fragile() -> Iterator[Server]:
    """A server of one test, which may end it."""
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster, the same for all tests."""
    with Cluster() as nodes:
        yield nodes


@asynccontextmanager
async def opened(url: str, clock: Callable[[], int] | None = None, patience: float = 60) -> AsyncIterator[RedisLedger]:
    """An empty ledger of its own at this address."""
    ledger = RedisLedger(url, prefix=f"test{next(numbers)}", clock=clock, timeout=patience)
    try:
        yield ledger
    finally:
        await ledger.close()


def ask(
    account: str = ACCOUNTS[1], holder: str = "node/w1", maximum: int = 100, wanted: int = 10, at: int = START
) -> Ask:
    """An Ask of a holder that has heard of nothing yet."""
    return Ask(account, holder, maximum, 0, 1, wanted, 0, at + 13_000)


def real_ask(now: int, account: str = ACCOUNTS[1], holder: str = "node/w1") -> Ask:
    """An Ask that is in time by the server's clock."""
    return ask(account, holder, at=now)


units = st.one_of(st.integers(0, 40), st.integers(0, 10**19))
spans = (0, 1, 999, 13_000, 90_000, 92_000, 100_000, 400_000, 86_400_000, REMEMBERED, REMEMBERED + 86_400_000)
moments = st.one_of(st.integers(-200_000, 400_000), st.sampled_from(spans))
"""Milliseconds: now and then exactly those after which something has just not changed yet, or just has."""
maxima = st.one_of(st.sampled_from((50, 100, 10**20)), units)
accounts = st.sampled_from(ACCOUNTS)
holders = st.sampled_from(("node/w1", "node/w2", "other/w1"))
positions = st.one_of(st.integers(0, 2), st.integers(2**62 - 1, 2**62 + 1))
operations = st.one_of(
    st.builds(
        Ask,
        accounts,
        holders,
        maxima,
        st.one_of(st.just(0), units),
        units,
        units,
        units,
        moments.map(START.__add__),
    ),
    st.builds(Settle, accounts, holders, positions, positions, units, units, moments.map(START.__add__)),
    st.builds(Close, accounts, holders),
    st.builds(Reset, accounts),
)
steps = st.lists(
    st.tuples(
        st.one_of(moments, st.sampled_from((1, 40 * 86_400_000, REMEMBERED + 1, REMEMBERED + 19_000_000))),
        st.lists(operations, min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture(params=["server", "cluster"])
def ground(request: pytest.FixtureRequest) -> Ground:
    """A ledger of its own on the server, and one on the cluster."""
    place: Server | Cluster = request.getfixturevalue("valkey" if request.param == "server" else "cluster")
    clock, prefix = Clock(), f"test{next(numbers)}"

    @asynccontextmanager
    async def reopened() -> AsyncIterator[RedisLedger]:
        ledger = RedisLedger(place.url, prefix=prefix, clock=clock, timeout=60)
        try:
            yield ledger
        finally:
            await ledger.close()

    return Ground(clock, reopened)


class TestRedisLedger(LedgerContract):
    """The contract, with a server and with a cluster."""

    runs = 20


async def compare(url: str, story: list[tuple[int, list[Operation]]]) -> None:
    """Tell both ledgers the same, and hear the same of both. A Close of nobody lets the model forget what is over."""
    clock = Clock(START)
    model = MemoryLedger(clock)
    async with opened(url, clock) as ledger:
        for passed, batch in story:
            clock.now += passed
            batch = [*batch, *(Close(account, "nobody/w1") for account in ACCOUNTS)]
            assert await ledger.apply(batch) == await model.apply(batch)
            assert await ledger.look(ACCOUNTS) == await model.look(ACCOUNTS)
            assert await ledger.held("node") == await model.held("node")


@settings(max_examples=250)
@given(steps)
def test_model(valkey: Server, story: list[tuple[int, list[Operation]]]) -> None:
    """Whatever is asked, settled, closed and reset, while time goes on and back: outcomes are those of the model."""
    asyncio.run(compare(valkey.url, story))


@settings(max_examples=30)
@given(steps)
@example([(0, [ask(account) for account in ACCOUNTS])])
def test_model_on_a_cluster(cluster: Cluster, story: list[tuple[int, list[Operation]]]) -> None:
    """The same on a cluster, where the accounts of a batch are on different nodes."""
    asyncio.run(compare(cluster.url, story))


def test_exact_beyond_doubles(valkey: Server) -> None:
    """Amounts and positions are exact where a double is not: one unit is one unit at a billion dollars."""

    async def scenario() -> None:
        async with opened(valkey.url, Clock(START)) as ledger:
            big = 10**18 + 1
            asked = Ask(ACCOUNTS[1], "node/w1", 4 * big, 0, big, big, 0, START + 13_000)
            settle = Settle(ACCOUNTS[1], "node/w1", 0, 2**62 + 1, big, big, START)
            repeated = Settle(ACCOUNTS[1], "node/w1", 2**62, 2**62 + 2, big, big, START)
            outcomes = await ledger.apply([asked, settle, repeated])
            assert [(outcome.used, outcome.leased, outcome.position) for outcome in outcomes] == [
                (0, big, 0),
                (big, 0, 2**62 + 1),
                (big, 0, 2**62 + 1),
            ]
            assert [outcome.is_applied for outcome in outcomes] == [True, True, False]

    asyncio.run(scenario())


def test_freed_one_after_the_other(valkey: Server) -> None:
    """What is needed is free when enough leases have expired, the earliest first; until then each counts."""

    async def scenario() -> None:
        clock = Clock(START)
        async with opened(valkey.url, clock) as ledger:
            account = "org_a|concurrency|lifetime"
            held = [Ask(account, f"node/{n}", 30, 0, 10, 10, 0, START + 1000 * (n % 3 + 1)) for n in range(3)]
            asked = [Ask(account, "node/x", 30, 0, needed, needed, 0, START + 60_000) for needed in (10, 11, 30)]
            outcomes = await ledger.apply([*held, *asked])
            assert [outcome.frees_at for outcome in outcomes[3:]] == [START + 1000, START + 2000, START + 3000]
            clock.now = START + 999
            assert [balance.leased for balance in await ledger.look([account])] == [30]
            clock.now = START + 1000
            assert [balance.leased for balance in await ledger.look([account])] == [20]

    asyncio.run(scenario())


def test_own_clock(valkey: Server) -> None:
    """Without another clock the time is the server's, also for windows whose bounds the server must be told."""

    async def scenario() -> None:
        async with opened(valkey.url) as ledger:
            outcomes = await ledger.apply([Reset("org_a|usd|month@Europe/Berlin"), Reset("org_a|usd|1h")])
            seconds, _ = valkey.call("TIME")
            assert all(abs(outcome.now - int(seconds) * 1000) < 60_000 for outcome in outcomes)
            ends_at = outcomes[0].frees_at
            assert ends_at is not None
            assert outcomes[0].now < ends_at <= outcomes[0].now + 32 * 86_400_000

    asyncio.run(scenario())


def test_one_round_trip(valkey: Server) -> None:
    """A batch on many accounts, whose leases are known, is one write to the server and one script per account."""

    async def scenario() -> None:
        clock = Clock(START)
        async with opened(valkey.url, clock) as ledger:
            batch = [ask(account) for account in ACCOUNTS]
            await ledger.apply(batch)
            before = valkey.call("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
            clock.now += 1000
            await ledger.apply(batch)
            assert valkey.call("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == before + len(ACCOUNTS)

    asyncio.run(scenario())


def test_flushed_scripts(valkey: Server) -> None:
    """A server that has forgotten the scripts is told them again, within the batch."""

    async def scenario() -> None:
        async with opened(valkey.url, Clock(START)) as ledger:
            await ledger.apply([ask()])
            valkey.call("SCRIPT FLUSH")
            [outcome] = await ledger.apply([ask(holder="node/w2")])
            assert outcome.leased == 20

    asyncio.run(scenario())


def test_flushed_scripts_of_a_cluster(cluster: Cluster) -> None:
    """So are the nodes of a cluster."""

    async def scenario() -> None:
        async with opened(cluster.url, Clock(START)) as ledger:
            for server in cluster.servers:
                server.call("SCRIPT FLUSH")
            assert [outcome.leased for outcome in await ledger.apply([ask(account) for account in ACCOUNTS])] == [
                10
            ] * 6

    asyncio.run(scenario())


def test_killed_server(fragile: Server) -> None:
    """A server that is killed and started again has lost nothing it confirmed, and the ledger goes on by itself."""

    async def scenario() -> None:
        async with opened(fragile.url) as ledger:
            [began] = await ledger.apply([Reset(ACCOUNTS[1])])
            charges = [
                Settle(ACCOUNTS[1], "node/w1", position, position + 1, 3, 1, began.now) for position in range(20)
            ]
            for charge in charges[:10]:
                await ledger.apply([charge])
            await ledger.apply([real_ask(began.now)])
            fragile.kill()
            with pytest.raises(LedgerUnavailableError):
                await ledger.apply([charges[10]])
            fragile.start()
            outcomes = await ledger.apply(charges)
            assert [outcome.is_applied for outcome in outcomes] == [False] * 10 + [True] * 10
            assert outcomes[-1].used == 60
            assert [held.holder for held in await ledger.held("node")] == ["node/w1"]

    asyncio.run(scenario())


async def in_the_end(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask until there is an answer: a ledger that waits for so little may miss it on a machine with much to do."""
    while True:
        with suppress(LedgerUnavailableError):
            return await call()


def test_frozen_server(fragile: Server) -> None:
    """A server that does not answer is told in time, and a batch that was cancelled leaves the connections usable."""

    async def scenario() -> None:
        async with opened(fragile.url, patience=0.4) as ledger:
            [began] = await in_the_end(lambda: ledger.apply([Reset(ACCOUNTS[1])]))
            fragile.freeze()
            for call in (ledger.apply([Reset(ACCOUNTS[1])]), ledger.look([ACCOUNTS[1]]), ledger.held("node")):
                with pytest.raises(LedgerUnavailableError, match=r"no answer in time|Timeout"):
                    await call
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await ledger.apply([real_ask(began.now)])
            fragile.thaw()
            asks = [real_ask(began.now, holder=f"node/{number}") for number in range(9)]
            outcomes = await in_the_end(lambda: ledger.apply(asks))
            assert [outcome.now >= began.now for outcome in outcomes] == [True] * 9
            assert [each.account for each in await in_the_end(lambda: ledger.look(ACCOUNTS))] == list(ACCOUNTS)

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_repeated_batch(valkey: Server) -> None:
    """A batch whose answer was lost may be repeated: nothing is granted or charged twice."""

    async def scenario() -> None:
        async with opened(valkey.url, Clock(START)) as ledger:
            batch: list[Operation] = [ask(), Settle(ACCOUNTS[1], "node/w1", 0, 5, 4, 4, START)]
            first = await ledger.apply(batch)
            again = await ledger.apply(batch)
            assert (again[-1].used, again[-1].leased, again[-1].granted) == (4, 6, 10)
            assert (first[-1].used, first[-1].leased, first[-1].granted) == (4, 6, 10)

    asyncio.run(scenario())


def test_expiry(valkey: Server) -> None:
    """A key stays as long as anything in it counts or is remembered, and is gone by itself after that."""

    async def scenario() -> dict[str, int]:
        async with opened(valkey.url) as ledger:
            [began] = await ledger.apply([Reset(ACCOUNTS[0])])
            day, now = 86_400_000, began.now
            await ledger.apply(
                [
                    *(real_ask(now, account) for account in ACCOUNTS[1:]),
                    Settle("org_b|requests|lifetime", "node/w1", 0, 1, 1, 0, now),
                    Ask("org_c|requests|lifetime", "node/w1", 100, 0, 1, 1, 0, now + 9_000),
                    Close("org_c|requests|lifetime", "node/w1"),
                ]
            )
            keys = (
                f"{ledger._prefix}:account:{name}"
                for name in (*ACCOUNTS, "org_b|requests|lifetime", "org_c|requests|lifetime")
            )
            lasting = [valkey.call("PTTL", key) for key in keys]
            assert 60_000 <= lasting[0] <= 120_000
            assert REMEMBERED + 5 * 3_600_000 + 9_000 <= lasting[1] <= REMEMBERED + 6 * 3_600_000
            assert lasting[2] == lasting[6] == -1
            assert REMEMBERED <= lasting[3] <= REMEMBERED + 60_000
            assert REMEMBERED + day < lasting[4] < REMEMBERED + 3 * day
            assert REMEMBERED + 31 * day < lasting[5] < REMEMBERED + 33 * day
            assert REMEMBERED - 60_000 <= lasting[7] <= REMEMBERED + 60_000
            return {}

    asyncio.run(scenario())


def test_index(valkey: Server) -> None:
    """The index of a node has every lease before it is given, and lets go of those that are surely forgotten."""

    async def scenario() -> None:
        clock = Clock(START)
        async with opened(valkey.url, clock) as ledger:
            index = f"{ledger._prefix}:node:node"
            await ledger.apply([ask(ACCOUNTS[1]), ask(ACCOUNTS[2]), ask(ACCOUNTS[2], holder="node2/w1")])
            assert [held.account for held in await ledger.held("node")] == [ACCOUNTS[2], ACCOUNTS[1]]
            assert valkey.call("ZCARD", index) == 2
            assert valkey.call("PTTL", index) > 10**12
            clock.now += REMEMBERED + 7 * 3_600_000
            await ledger.apply([ask(ACCOUNTS[3], at=clock.now)])
            assert [held.account for held in await ledger.held("node")] == [ACCOUNTS[3], ACCOUNTS[2]]
            assert valkey.call("ZCARD", index) == 2
            await ledger.apply([Close(ACCOUNTS[2], "node/w1")])
            assert [held.lease.is_closed for held in await ledger.held("node")] == [False, True]
            clock.now += REMEMBERED + 7_200_000
            await ledger.apply([ask(ACCOUNTS[0], at=clock.now)])
            assert valkey.call("ZCARD", index) == 1
            assert 0 < valkey.call("PTTL", index) < 2 * REMEMBERED

    asyncio.run(scenario())


def test_lost_index(valkey: Server) -> None:
    """After a failure the index is written anew: another server may have taken over without its last entries."""

    async def scenario() -> None:
        async with opened(valkey.url, Clock(START)) as ledger:
            await ledger.apply([ask()])
            valkey.call("DEL", f"{ledger._prefix}:node:node")
            assert await ledger.held("node") == []
            valkey.call("CLIENT KILL", "TYPE", "normal")
            await ledger.apply([ask()])
            await ledger.apply([ask()])
            assert [held.holder for held in await ledger.held("node")] == ["node/w1"]

    asyncio.run(scenario())


def test_index_that_was_lost_in_silence(valkey: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written anew now and then, too: a connection that broke while it lay idle is made again without a word."""
    elapsed = 0.0
    monkeypatch.setattr(RedisLedger, "_elapsed", lambda _ledger: elapsed)

    async def scenario() -> None:
        nonlocal elapsed
        async with opened(valkey.url, Clock(START)) as ledger:
            await ledger.apply([ask()])
            valkey.call("DEL", f"{ledger._prefix}:node:node")
            await ledger.apply([ask()])
            assert await ledger.held("node") == []
            elapsed = 61.0
            await ledger.apply([ask()])
            assert [held.holder for held in await ledger.held("node")] == ["node/w1"]

    asyncio.run(scenario())


def test_many_entries(valkey: Server) -> None:
    """What is in mind of an index does not grow for ever: entries that have ceased to be are forgotten."""

    async def scenario() -> None:
        clock = Clock(START)
        async with opened(valkey.url, clock) as ledger:
            for _ in range(4):
                await ledger.apply([ask(f"tok_{number}|tokens|1s", at=clock.now) for number in range(1_100)])
                clock.now += REMEMBERED + 7_200_000
                await ledger.apply([ask(f"tok_{clock.now}{number}|tokens|1s", at=clock.now) for number in range(1_100)])
            assert len(ledger._indexed) <= 3_300
            assert len(await ledger.held("node")) == 1_100

    asyncio.run(scenario())


def test_too_many_windows(valkey: Server) -> None:
    """A lease in a window that cannot be found out is an error, not an endless conversation."""

    async def scenario() -> None:
        clock = Clock(START)
        async with opened(valkey.url, clock) as ledger:
            account = "org_a|usd|day"
            for day in range(40):
                await ledger.apply([Ask(account, f"node/{day}", 10**6, 0, 1, 1, 0, START + 13_000 + day * 86_400_000)])
            with pytest.raises(LedgerUnavailableError, match="too many windows"):
                await ledger.apply([Ask(account, "node/x", 10**6, 0, 10**6, 10**6, 0, START + 13_000)])

    asyncio.run(scenario())


def test_no_account(valkey: Server) -> None:
    """What is not the name of an account is refused before anything is sent."""

    async def scenario() -> None:
        async with opened(valkey.url, Clock(START)) as ledger:
            with pytest.raises(WindowError):
                await ledger.apply([ask(), Reset("tok_a|usd|often")])
            assert [balance.leased for balance in await ledger.look([ACCOUNTS[1]])] == [0]
            assert await ledger.apply([]) == []

    asyncio.run(scenario())


def test_cluster_node_killed() -> None:
    """Where a node of a cluster is dead its accounts are unavailable, and nothing but those fails for good."""
    nodes = Cluster()

    async def scenario() -> None:
        async with opened(nodes.url, patience=20) as ledger:
            names = [f"tok_{number}|requests|1h" for number in range(30)]
            [began] = await ledger.apply([Reset(names[0])])
            batch: list[Operation] = [Settle(name, "node/w1", 0, 1, 1, 0, began.now) for name in names]
            await ledger.apply(batch)
            killed = nodes.owner(ledger._key(names[0]))
            killed.kill()
            with pytest.raises(LedgerUnavailableError):
                await ledger.apply(batch)
            killed.start()
            outcomes: list[Outcome] = []
            while not outcomes:
                # The other nodes may not have noticed yet that it is back.
                with suppress(LedgerUnavailableError):
                    outcomes = await ledger.apply(batch)
            assert {(outcome.used, outcome.is_applied) for outcome in outcomes} == {(1, False)}

    with nodes:
        asyncio.run(asyncio.wait_for(scenario(), 60))


def test_secret_kept(valkey: Server) -> None:
    """Neither what the ledger shows of itself nor an error has the password in it."""

    async def scenario() -> list[str]:
        texts = []
        for url in (
            f"unix://:{PASSWORD}@/nowhere/s",
            f"redis://user:{PASSWORD}@127.0.0.1:1/0",
            valkey.url.replace("@", "x@"),
        ):
            async with opened(url, patience=1) as ledger:
                attempts: list[Callable[[], Awaitable[object]]] = [
                    lambda: ledger.apply([ask()]),
                    lambda: ledger.look(ACCOUNTS),
                    ledger.check,
                ]
                for attempt in attempts:
                    with pytest.raises(LedgerUnavailableError) as raised:
                        await attempt()
                    texts += [str(raised.value), repr(raised.value.__cause__), repr(ledger)]
        return texts

    texts = asyncio.run(scenario())
    assert not [text for text in texts if re.search(PASSWORD, text)]
