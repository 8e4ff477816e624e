"""Everything that events pass through is killed at random while requests come, and then the books are compared.

A node of two workers on PostgreSQL, its limits in Valkey; sinks of its own: a file, a webhook, a Redis stream; and
dispatchers: one that reads the node's journal, two that share the stream. In each round one or two of them get
`kill -9`; the gateway starts its own processes again, all others are started by this program after a while.

In the end the provider's own count, the clients' answers, the database, the metrics and the sinks are compared.
Run it from the repository's directory, for as many rounds as you like:

    python -m tests.e2e.soak --rounds 50 --seed 1
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.mocks import Mock
from tests.e2e.polling import eventually
from tests.e2e.program import SLUICEGATE, TOKEN, Gateway, environment, is_alive
from tests.e2e.scripted import ScriptedProvider, sized
from tests.e2e.traffic import Asking, Traffic
from tests.e2e.written import lines
from tests.ledger import valkey
from tests.store import postgresql

MANAGER = "soak-management-0123456789abcdef"
VICTIMS = ("worker-0", "worker-1", "control", "local", "replica-0", "replica-1", "valkey", "postgresql")
DISPATCHERS = {"local": ("local", "local"), "replica-0": ("shared", "redis"), "replica-1": ("shared", "redis")}
"""Of each that reads events in a process of its own: its sink, and where it has them from."""
_CALLERS = 6
_REST = 0.1
"""Seconds that a caller waits who was not served: the processors are needed by those who are to come back."""
_MODEL = "gpt-4o-mini"
_SLOWLY = {"x-mock-delay-ms": "20"}
_ASKINGS = (
    Asking(_MODEL, headers=_SLOWLY),
    Asking(_MODEL, stream=True, headers=_SLOWLY),
    Asking(_MODEL, headers={**_SLOWLY, "x-mock-usage": "off"}),
)
_LONGEST_REST = 1.5
"""Seconds that a server or a dispatcher is away."""
_REQUESTS = 30
"""Requests of each round that must be served: in its second part, when everything was started again."""
_PATIENCE = 90.0
"""Seconds: processes that have died often are started again half a minute later."""


@dataclass(frozen=True)
class Books:
    """What everybody has in the end. `whole` are the clients' answers that came to their end, by request id."""

    asked: int
    """Requests that the provider has received."""
    whole: Counter[str]
    ends: Counter[int | str]
    rows: Counter[str]
    """By request id, how often it is in the request log."""
    attempts: int
    """Attempts at the provider, of all rows."""
    lost_workers: int
    """Rows that tell of a request that was under way in a worker that died."""
    added_up: int
    """Requests, as the sums by day have it."""
    counted: int
    """Requests, as the metrics have it."""
    sinks: dict[str, Counter[str]]
    pending: int
    """Messages of the stream that a dispatcher took and did not acknowledge."""
    dead: dict[str, int]
    """Dead letters by sink, before they were sent again."""

    def complaints(self) -> list[str]:
        """What is wrong, in words; nothing where all is well."""
        found = [
            f"{len(missing)} whole answers are not in SQL"
            for missing in [self.whole.keys() - self.rows.keys()]
            if missing
        ]
        found += [f"{name} is in SQL {count} times" for name, count in self.rows.items() if count > 1]
        for sink, sent in self.sinks.items():
            if missing := self.rows.keys() - sent.keys():
                found.append(f"{len(missing)} requests that are in SQL are not in the sink {sink}")
            if more := sent.keys() - self.rows.keys():
                found.append(f"{len(more)} requests of the sink {sink} are not in SQL")
        total = self.rows.total()
        found += [
            f"{name} are {had}, not {total}"
            for name, had in (("sums", self.added_up), ("metrics", self.counted))
            if had != total
        ]
        if self.asked > self.attempts:
            # Also what was under way in a worker that died is told: who asks here has limits.
            found.append(f"the provider was asked {self.asked} times, SQL has {self.attempts} attempts")
        if self.attempts > self.asked + self.lost_workers:
            found.append(f"SQL has {self.attempts} attempts, of which the provider knows {self.asked}")
        if self.pending:
            found.append(f"{self.pending} messages are left idle")
        return found


@dataclass
class Site:
    """Everything there is, and who of it is away."""

    directory: Path
    provider: Mock
    ledger: valkey.Server
    database: postgresql.Server
    receiver: ScriptedProvider
    gateway: Gateway
    flags: tuple[str, ...]
    dispatchers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def dispatch(self, name: str) -> None:
        """Start a dispatcher."""
        sink, source = DISPATCHERS[name]
        # What reads the stream could be on another machine: its dead letters are its own.
        data = self.gateway.data if source == "local" else self.directory / "elsewhere"
        flags = [*self.flags, f"--sink={sink}", f"--from={source}", "--abandoned-after=1", f"--data-dir={data}"]
        with (self.directory / f"{name}.log").open("ab") as log:
            self.dispatchers[name] = subprocess.Popen(
                [*SLUICEGATE, "dispatcher", *flags], env=environment(), stderr=log
            )

    def kill(self, name: str) -> bool:
        """Kill it without a word; whether it was there."""
        if name == "valkey":
            self.ledger.kill()
        elif name == "postgresql":
            self.database.kill()
        elif name in DISPATCHERS:
            self.dispatchers[name].kill()
            self.dispatchers[name].wait()
        elif is_alive(process := self.gateway.process(name)):
            os.kill(process, signal.SIGKILL)
        else:
            return False
        return True

    def revive(self, name: str) -> None:
        """Start again what does not by itself."""
        if name == "valkey":
            self.ledger.start()
        elif name == "postgresql":
            self.database.start(synchronous_commit="on")
        elif name in DISPATCHERS:
            self.dispatch(name)

    def asked(self, path: str) -> Any:
        """What the management says."""
        connection = self.gateway.connection()
        connection.request("GET", path, headers={"Authorization": f"Bearer {MANAGER}"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise OSError(f"{response.status} {body!r}")
        return body

    def replay(self, sink: str) -> int:
        """Send dead letters again; return how many."""
        elsewhere = self.directory / "elsewhere" if sink == "shared" else self.gateway.data
        command = [*SLUICEGATE, "dispatcher", "replay", *self.flags, f"--sink={sink}", f"--data-dir={elsewhere}"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return 0 if "no dead letters" in done.stdout else int(done.stdout.split()[0])


def _configured(directory: Path, provider: Mock, database: str, ledger: str, hook: int) -> Path:
    """Write the configuration of all."""
    retries = "retries: {longest_wait: 0.5}"
    path = directory / "soak.yaml"
    requests, usd = "metric: requests, window: 1d", "metric: usd, window: month"
    limits = f"limits: [{{{requests}, maximum: 100000000}}, {{{usd}, maximum: 1000000}}]"
    base = f"http://127.0.0.1:{provider.port}/v1"
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{base}', api_key: key, proxy: none}}}}\n"
        "prices: [{model: '*', input: 1, output: 2}]\n"
        f"management_token: {MANAGER}\n"
        f"database: '{database}'\n"
        f"redis: {{address: '{ledger}'}}\n"
        "request_log: {enabled: true}\n"
        f"tokens: [{{name: soak, token: {TOKEN}, {limits}}}]\n"
        "sinks:\n"
        f"  archive: {{type: file, path: '{directory}/archive.jsonl', {retries}}}\n"
        f"  hook: {{type: webhook, url: 'http://127.0.0.1:{hook}/in', {retries}}}\n"
        f"  bridge: {{type: redis, address: '{ledger}', stream: soak, {retries}}}\n"
        f"  local: {{type: file, path: '{directory}/local.jsonl', run_by: dispatcher, {retries}}}\n"
        f"  shared: {{type: file, path: '{directory}/shared.jsonl', run_by: dispatcher, {retries}}}\n"
    )
    return path


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """Start everything, and end it with the block."""
    with ExitStack() as stack:
        database, ledger = postgresql.Server(), valkey.Server()
        stack.callback(database.remove)
        stack.callback(ledger.remove)
        database.start(synchronous_commit="on")
        ledger.start()
        provider = stack.enter_context(Mock())
        receiver = stack.enter_context(ScriptedProvider(lambda peer, _: peer.sendall(sized(b"{}"))))
        address = database.url(database.create())
        flags = (f"--config={_configured(directory, provider, address, ledger.url, receiver.port)}",)
        key = {"SLUICEGATE_MASTER_KEY": "0123456789abcdef" * 4}
        gateway = Gateway(directory, *flags, "--workers=2", variables=key)
        stack.callback(gateway.end)
        gateway.until_ready()
        there = Site(directory, provider, ledger, database, receiver, gateway, flags)
        stack.callback(_end_all, there.dispatchers)
        for name in DISPATCHERS:
            there.dispatch(name)
        yield there


def soak(directory: Path, rounds: int, chance: random.Random, *, say: Any = lambda text: None) -> Books:
    """So many rounds, and the books after them."""
    with site(directory) as there:
        with Traffic(there.gateway.port, _ASKINGS, callers=_CALLERS, rest=_REST) as traffic:
            traffic.answer(_REQUESTS)
            for number in range(rounds):
                victims = chance.sample(VICTIMS, chance.choice((1, 1, 2)))
                traffic.go_on(chance.randrange(1, _REQUESTS), _PATIENCE)
                killed = [name for name in victims if there.kill(name)]
                traffic.go_on_for(chance.uniform(0.05, _LONGEST_REST))
                for name in killed:
                    there.revive(name)
                traffic.answer(_REQUESTS, _PATIENCE)
                say(f"{number + 1:3} {', '.join(killed)}: {traffic!r}")
        return _settled(there, traffic)


def _settled(there: Site, traffic: Traffic) -> Books:
    """Wait until everybody has read everything; the books of then."""
    eventually(lambda: is_alive(there.gateway.process("control")) and _is_read(there), _PATIENCE)
    dead = {sink: there.replay(sink) for sink in ("archive", "hook", "bridge", "local", "shared")}
    logged = [*_logged(there)]
    wanted = {each["request_id"] for each in logged}
    eventually(lambda: all(wanted <= sent.keys() for sent in _sent(there).values()))
    eventually(lambda: _pending(there) == 0)
    whole = Counter(each.request_id for each in traffic.outcomes if isinstance(each.end, int))
    return Books(
        asked=there.provider.asked(),
        whole=whole,
        ends=traffic.ends(),
        rows=Counter(each["request_id"] for each in logged),
        attempts=sum(each["attempts"] for each in logged),
        lost_workers=sum(each["error"] == "worker_lost" for each in logged),
        added_up=json.loads(there.asked("/admin/usage"))["total"]["requests"],
        counted=_counted(there),
        sinks=_sent(there),
        pending=_pending(there),
        dead=dead,
    )


def _is_read(there: Site) -> bool:
    """Whether all consumers of the node have read everything."""
    standings = json.loads(there.asked("/admin/consumers"))["data"]
    return all(each["backlog_bytes"] == 0 and each["last_error"] is None for each in standings)


def _counted(there: Site) -> int:
    text = there.asked("/metrics").decode()
    (metric,) = (each for each in text_string_to_metric_families(text) if each.name == "sluicegate_requests")
    return sum(int(sample.value) for sample in metric.samples)


def _pending(there: Site) -> int:
    return sum(group["pending"] for group in there.ledger.call("XINFO GROUPS", "soak"))


def _logged(there: Site) -> Iterator[dict[str, Any]]:
    """The request log, the newest first."""
    cursor = ""
    while cursor is not None:
        answer = json.loads(there.asked(f"/admin/requests?limit=200{cursor and '&after='}{cursor}"))
        yield from answer["data"]
        cursor = answer["next_cursor"]


def _sent(there: Site) -> dict[str, Counter[str]]:
    """What each sink has, by request id."""
    found = {name: _in_file(there.directory / f"{name}.jsonl") for name in ("archive", "local", "shared")}
    hook: Counter[str] = Counter()
    for request in [*there.receiver.requests]:
        events = json.loads(request.partition(b"\r\n\r\n")[2])["data"]
        hook.update(event["request_id"] for event in events if event["kind"] == "exchange")
    stream: Counter[str] = Counter()
    for _, fields in there.ledger.call("XRANGE", "soak", "-", "+"):
        event = json.loads(fields["event"])
        stream.update([event["request_id"]] if event["kind"] == "exchange" else [])
    return {**found, "hook": hook, "bridge": stream}


def _in_file(path: Path) -> Counter[str]:
    events = [json.loads(line) for line in lines(path)]
    return Counter(event["request_id"] for event in events if event["kind"] == "exchange")


def _end_all(dispatchers: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in dispatchers.values():
        process.kill()
        process.wait()


def summary(books: Books) -> str:
    """What came of it, for people."""
    sinks = ", ".join(f"{name} {sent.total()}" for name, sent in books.sinks.items())
    return (
        f"asked of the provider: {books.asked}\nclients: {dict(books.ends)}\n"
        f"in SQL: {books.rows.total()} requests with {books.attempts} attempts, {books.lost_workers} of lost workers\n"
        f"sums {books.added_up}, metrics {books.counted}\nsinks (with what came twice): {sinks}\n"
        f"dead letters that were sent again: {books.dead}\n"
    )


def main(arguments: Sequence[str]) -> int:
    """Soak, and tell; 1 where something is lost or twice."""
    parser = argparse.ArgumentParser("tests.e2e.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sluicegate-soak-") as directory:
        books = soak(
            Path(directory), given.rounds, random.Random(given.seed), say=lambda text: sys.stdout.write(f"{text}\n")
        )
    complaints = books.complaints()
    sys.stdout.write(summary(books) + "".join(f"WRONG: {text}\n" for text in complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
