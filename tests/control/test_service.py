"""A whole control process but for its own process: a scripted supervisor and scripted workers talk to it."""

import asyncio
import os
import signal
import sqlite3
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from structlog.testing import LogCapture

from sluicegate.control.channel import (
    DrainChanged,
    Reload,
    WorkerReady,
    line,
)
from sluicegate.control.storage import opened
from sluicegate.domain.events import Exchange, Metadata, Notice
from sluicegate.domain.leases import Balance
from sluicegate.domain.segments import segment_name
from sluicegate.domain.snapshot import Snapshot
from sluicegate.domain.tokens import digest
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.tail import ALL_EVENTS
from sluicegate.ledger.sql import SQLLedger
from sluicegate.wire.link import (
    AskLease,
    Configure,
    Count,
    Counted,
    DeploymentHealth,
    ForgetPrices,
    Health,
    Lend,
    Lent,
    Ready,
)
from tests.control.bench import CALLER, ISSUED, Bench, Peer, converse, end
from tests.control.conftest import MINIMAL
from tests.control.limits.journals import Writer, charge
from tests.control.usage_log.journals import logged


def test_worker_is_served(bench: Bench) -> None:
    """A worker gets its snapshot, its questions are answered, and the supervisor learns that it is ready."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker(pid=77)
        assert (await worker.hear(Configure)).snapshot.version == 1
        worker.say(Ready(1))
        assert await supervisor.told() == WorkerReady(0, 77)
        principal = await worker.ask(CALLER)
        assert principal is not None
        assert principal.name == "lan"
        worker.say(Count(2, "openai", "no such operation", "m", b"", b"", is_text=True))
        counted = await worker.hear(Counted)
        assert (counted.number, counted.output_tokens) == (2, 0)
        end()

    converse(bench, conversation)


def test_supervisor_sees_that_it_lives(bench: Bench) -> None:
    """From when its loop turns."""
    assert bench.pulses[0] == 0

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        del supervisor
        await (await bench.worker(pid=77)).hear(Configure)
        assert bench.pulses[0] > 0
        end()

    converse(bench, conversation)


def test_end_before_it_can_be_managed(bench: Bench) -> None:
    """The management API is loaded while workers are served already; told to end then, the process does."""
    begun = bench.begun()

    async def main() -> None:
        async with opened(begun.choice.started, now=lambda: 1.0) as storage:
            service = bench.service(begun, storage)
            serving = asyncio.ensure_future(service.run())
            await bench.peer(asyncio.open_unix_connection(sock=bench.supervisor))
            worker = await bench.worker()
            await worker.hear(Configure)
            end()
            await serving
        await bench.close()

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("cause", ["supervisor", "signal", "file"])
def test_change_reaches_workers_and_supervisor(bench: Bench, cause: str, captured: LogCapture) -> None:
    """However it is caused, a reload swaps the snapshot, has the changed token forgotten, and tells the drain time."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear(Configure)
        bench.write(MINIMAL.replace("caller-secret", "other-caller-secret") + "server: {drain_seconds: 3}\n")
        if cause == "supervisor":
            supervisor.writer.write(line(Reload()))
        elif cause == "signal":
            os.kill(os.getpid(), signal.SIGHUP)
        snapshot = (await worker.hear(Configure)).snapshot
        assert (snapshot.version, snapshot.drain_seconds) == (2, 3.0)
        assert await worker.hear_names() == {CALLER, digest(b"other-caller-secret")}
        assert await supervisor.told() == DrainChanged(3.0)
        assert await worker.ask(CALLER) is None
        end()

    converse(bench, conversation)
    assert captured.entries[0]["event"] == "configuration loaded"
    recalled = bench.last_good.recall()
    assert recalled is not None
    assert recalled[1].snapshot.version == 2


def test_a_reload_asked_for_before_the_word_to_begin_is_done(bench: Bench, captured: LogCapture) -> None:
    """What was loaded before may not know of what changed since, such as a certificate that is not watched."""
    begun = replace(bench.begun(), is_outdated=True)

    async def conversation(bench: Bench, _supervisor: Peer) -> None:
        worker = await bench.worker()
        while (await worker.hear(Configure)).snapshot.version != 2:
            pass
        end()

    converse(bench, conversation, begun)
    assert captured.entries[0]["event"] == "configuration loaded"


CHEAPEST = """
models: [{name: smart, strategy: cheapest, targets: [{model: first/a}, {model: first/b}]}]
prices: [{model: a, input: 1, output: 5}]
"""


@pytest.mark.parametrize("text", [MINIMAL, MINIMAL + CHEAPEST], ids=["none", "cheapest"])
def test_rates_follow_prices(bench: Bench, text: str) -> None:
    """Where a model's target is the cheapest one, workers are told the rates, anew when prices change by themselves."""
    begun = bench.begun(text)

    def rates(snapshot: Snapshot) -> list[int | None]:
        return [target.rate for alias in snapshot.models for target in alias.targets]

    async def main() -> None:
        async with opened(begun.choice.started, now=lambda: 1.0) as storage:
            service = bench.service(begun, storage)
            serving = asyncio.ensure_future(service.run())
            await bench.peer(asyncio.open_unix_connection(sock=bench.supervisor))
            worker = await bench.worker()
            first = (await worker.hear(Configure)).snapshot
            assert rates(first) == ([2_000_000_000, None] if text.endswith(CHEAPEST) else [])
            service.forget_prices()
            await worker.hear(ForgetPrices)
            if text.endswith(CHEAPEST):
                second = (await worker.hear(Configure)).snapshot
                assert (second.version, rates(second)) == (2, [2_000_000_000, None])
            end()
            await serving
        await bench.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_broken_change_leaves_workers_alone(bench: Bench, captured: LogCapture) -> None:
    """A broken file is logged; what workers run on, and what is answered, stays."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear(Configure)
        bench.write("nonsense: 1")
        supervisor.writer.write(line(Reload()))
        while not captured.entries:
            assert await worker.ask(CALLER) is not None
        end()

    converse(bench, conversation)
    assert captured.entries[0]["event"] == "configuration refused, the old one stays"


def test_management_api_is_served(bench: Bench) -> None:
    """The management API answers on its own socket."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        assert (await bench.manage("GET", "/", ""))["name"] == "sluicegate"
        end()

    converse(bench, conversation)


def test_issued_token_is_found_in_the_database(bench: Bench) -> None:
    """A token that no file declares is looked up; what is nobody's is nobody's."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        token = await bench.issue()
        worker = await bench.worker()
        principal = await worker.ask(ISSUED)
        assert principal is not None
        assert (principal.token_id, principal.project_id, principal.is_active) == (token.id, token.project_id, True)
        assert await worker.ask(digest(b"nobody's")) is None
        end()

    converse(bench, conversation)


def test_change_through_the_api_reaches_workers(bench: Bench) -> None:
    """What a manager commits is announced to the workers, before and after the commit; then they hear how it is now."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        token = await bench.issue()
        worker = await bench.worker()
        assert await worker.ask(ISSUED) is not None
        answer = await bench.manage("POST", f"/admin/tokens/{token.id}/suspend", "management-secret")
        assert answer["status"] == "suspended"
        for _ in range(2):
            assert await worker.hear_names() == {ISSUED}
        principal = await worker.ask(ISSUED)
        assert principal is not None
        assert not principal.is_active
        end()

    converse(bench, conversation)


def key_file(*keys: str) -> str:
    """The text of a key file with these keys."""
    limits = {"token_limit_per_5h": 1000, "expiry_date": "2099-12-31T00:00:00Z"}
    return msgspec.json.encode({"keys": [{"key": key, "name": key, **limits} for key in keys]}).decode()


def test_key_file_is_followed(bench: Bench) -> None:
    """Its keys are known from the start, to workers and to who asks with them; an edit has its keys forgotten."""
    file = bench.directory / "keys.json"
    file.write_text(key_file("first-key"))
    begun = bench.begun(f"{MINIMAL}key_file: {file}\n")
    first, second = digest(b"first-key"), digest(b"second-key")

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        principal = await worker.ask(first)
        assert principal is not None
        assert (await bench.manage("GET", "/v1/key", "first-key"))["token_id"] == principal.token_id
        assert (await bench.manage("GET", "/v1/key", "caller-secret"))["name"] == "lan"
        file.write_text(key_file("second-key"))
        assert await worker.hear_names() == {first, second}
        assert await worker.ask(first) is None
        assert await worker.ask(second) is not None
        end()

    converse(bench, conversation, begun)


def test_use_of_the_key_file_is_written_into_it(bench: Bench) -> None:
    """What the journal says of its keys is counted, and is in the file when the process has ended."""
    file = bench.directory / "keys.json"
    file.write_text(key_file("first-key"))
    begun = bench.begun(f"{MINIMAL}key_file: {file}\n")
    data = bench.directory / "data"

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        principal = await worker.ask(digest(b"first-key"))
        assert principal is not None
        event = Exchange(
            request_id="req_1",
            timestamp="2026-11-21T12:00:00.000Z",
            token=principal.token_id,
            project_id="prj_default",
            organization_id="org_default",
            endpoint="/v1/chat/completions",
            method="POST",
            status_code=200,
            duration_ms=1.0,
            metadata=Metadata(total_tokens=7),
        )
        (data / "events").mkdir(exist_ok=True)
        segment = data / "events" / segment_name("000-0193a5b0c0de", 1)
        segment.write_bytes(msgspec.json.encode(event) + b"\n")
        counted = 0
        while not counted:
            answer = await bench.manage("GET", "/admin/consumers", "management-secret")
            counted = {each["name"]: each["events_total"] for each in answer["data"]}["token-uses"]
        end()

    converse(bench, conversation, begun)
    [key] = msgspec.json.decode(file.read_bytes())["keys"]
    assert key["total_lifetime_tokens"] == 7


@pytest.mark.parametrize("is_enabled", [True, False])
def test_requests_are_recorded(bench: Bench, is_enabled: bool) -> None:
    """By one of the consumers that tell how they stand; none where the configuration says so."""
    begun = bench.begun(f"{MINIMAL}request_log: {{enabled: {str(is_enabled).lower()}}}\n")
    events = bench.directory / "data" / "events"
    events.mkdir()
    event = Exchange("req_1", "2026-11-21T12:00:00.000Z", "", "", "", "/v1/x", "POST", 401, 1.0, Metadata())
    (events / segment_name("000-0193a5b0c0de", 1)).write_bytes(msgspec.json.encode(event) + b"\n")
    standings: dict[str, dict[str, Any]] = {}

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        while standings.get("token-uses", {}).get("events_total") != 1 or (
            is_enabled and standings["request-log"]["events_total"] != 1
        ):
            answer = await bench.manage("GET", "/admin/consumers", "management-secret")
            standings.update({standing["name"]: standing for standing in answer["data"]})
        end()

    converse(bench, conversation, begun)
    assert {"limits", "token-uses"} <= standings.keys()
    with sqlite3.connect(bench.directory / "data" / "sluicegate.db") as connection:
        rows = [row.request_id for row in logged(connection)]
    connection.close()
    assert rows == (["req_1"] if is_enabled else [])
    assert ("request-log" in standings) is is_enabled


def test_worker_is_lent_and_what_it_leaves_is_settled(bench: Bench) -> None:
    """A worker's lease comes from the ledger in the database; when the node ends, its journal is settled there."""
    account = "tok_1|requests|lifetime"

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        writer = Writer(bench.directory / "data" / "events", "000-a")
        worker.say(Lend(1, "000-a", (AskLease(account, 100, 0, 20, 20, 0),)))
        lent = await worker.hear(Lent)
        assert [(loan.granted, loan.leased) for loan in lent.loans] == [(20, 20)]
        writer.end("req_1", charge(account, 3))
        writer.die()
        end()

    converse(bench, conversation)

    async def look() -> Balance:
        ledger = SQLLedger.open("sqlite", bench.directory / "data")
        [balance] = await ledger.look([account])
        await ledger.close()
        return balance

    balance = asyncio.run(look())
    assert (balance.used, balance.leased) == (3, 0)


def test_orphan_serves_workers_to_their_end(bench: Bench, captured: LogCapture) -> None:
    """Without a supervisor the process goes on until the draining workers are gone, and then ends by itself."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear(Configure)
        supervisor.writer.close()
        while not captured.entries:
            await worker.ask(CALLER)
        assert await worker.ask(CALLER) is not None
        worker.writer.close()

    converse(bench, conversation)
    assert [entry["event"] for entry in captured.entries] == ["the supervisor is gone, ending"]


def test_orphan_does_not_wait_for_ever(bench: Bench, captured: LogCapture) -> None:
    """Workers that do not end in their time to drain are left behind."""
    begun = bench.begun(MINIMAL + "server: {drain_seconds: 0}\n")

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear(Configure)
        supervisor.writer.close()

    converse(bench, conversation, begun)
    assert captured.entries[-1]["event"] == "workers did not end in time"


def test_process_without_a_file_runs(bench: Bench) -> None:
    """Where there is no configuration file, there is nothing to watch, and all else works."""
    begun = bench.begun()
    fileless = replace(begun, sources=replace(begun.sources, path=None), seen=None)

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        await (await bench.worker()).hear(Configure)
        end()

    converse(bench, conversation, fileless)


def test_what_a_worker_finds_wrong_is_told_beside_its_events(bench: Bench) -> None:
    """A notice is in the journal by the time the process ends at the latest."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear(Configure)
        worker.say(Health((DeploymentHealth("first", "open", 5, 9.0, 0.0, 0, 8),)))
        await worker.ask(CALLER)
        end()

    converse(bench, conversation)
    batch: Batch[Exchange | Notice] = SegmentReader(bench.directory / "data" / "events").read_as(
        ALL_EVENTS, Checkpoint(), 10
    )
    assert [(event.event, event.subject) for event in batch.events if isinstance(event, Notice)] == [
        ("circuit.opened", "first")
    ]


def test_log_follows_the_configuration(bench: Bench) -> None:
    """A reload changes from which level on lines are written."""

    async def conversation(bench: Bench, supervisor: Peer) -> None:
        worker = await bench.worker()
        await worker.hear(Configure)
        bench.write(MINIMAL + "log: {level: error}\n")
        supervisor.writer.write(line(Reload()))
        await worker.hear(Configure)
        assert bench.logs.levels()["sluicegate"] == "error"
        end()

    converse(bench, conversation)
