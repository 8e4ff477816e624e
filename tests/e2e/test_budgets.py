"""Limits hold exactly: parallel requests through the real program, and what the provider itself has counted."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.crowd import LOST, Provider, Question, statuses
from tests.e2e.polling import eventually
from tests.e2e.program import Gateway, is_alive
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.ledger import valkey
from tests.store import postgresql

FITS = 137
ASKED = 500
INPUT, OUTPUT = 9, 128
"""Tokens of each exchange, as the mock reports them."""
PRICE = {"input": "0.15", "output": "0.60"}
"""US dollars for a million tokens."""
COST = INPUT * 150 + OUTPUT * 600
"""Nano-dollars of each exchange."""
SLACK = 0.9
"""Of one more exchange: room for the bound of the last ones' input, which is above what the provider reports."""

_BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": OUTPUT}
_LENGTH = {"x-mock-tokens": str(OUTPUT)}
WHOLE = Question(_BODY, headers=_LENGTH)
STREAMED = Question({**_BODY, "stream": True}, headers=_LENGTH)
_SLOW = Question({**_BODY, "stream": True}, headers={**_LENGTH, "x-mock-rate": "320"})

MAXIMA: dict[str, int | str] = {
    "requests": FITS,
    "tokens": int((FITS + SLACK) * (INPUT + OUTPUT)),
    "usd": f"{(FITS + SLACK) * COST / 1e9:.9f}",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Path:
    """Write a configuration with one provider of a known price."""
    path = tmp_path_factory.mktemp("budgets") / "budgets.yaml"
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        f"prices: [{{model: gpt-4o-mini, input: {PRICE['input']}, output: {PRICE['output']}}}]\n"
        # So long that nobody is refused for how long others take on a machine with much to do.
        "limits: {wait: 30}\n"
    )
    return path


def _node(start: Start, file: Path, workers: int = 4) -> Gateway:
    gateway = start(f"--config={file}", f"--workers={workers}", MANAGEMENT_TOKEN=MANAGEMENT_TOKEN)
    return gateway.until_ready()


@pytest.fixture(scope="module")
def node(start_once: Start, file: Path) -> Gateway:
    """A node for tests that leave it as it was; each has a token of its own."""
    return _node(start_once, file)


def _limited(gateway: Gateway, metric: str) -> tuple[str, str]:
    """A token that may do exactly so much, and the limit's id."""
    management = Management(gateway)
    project = management.made("/manage/projects", {"name": "budgets"})
    made = management.made("/manage/tokens", {"project_id": project["project_id"], "duration_minutes": 60})
    limit = {"scope": "token", "scope_id": made["token_id"], "metric": metric, "window": "lifetime"}
    return made["token"], management.made("/manage/limits", {**limit, "maximum": MAXIMA[metric]})["limit_id"]


def _usage(gateway: Gateway, token: str) -> dict[str, Any]:
    """What the caller is told of its only limit."""
    status, answer = Management(gateway, token).ask("GET", "/v1/key/usage")
    assert status == 200, answer
    (limit,) = answer["data"]
    return dict(limit)


def _is_full(gateway: Gateway, ports: list[int], token: str) -> bool:
    """Ask on: whether all was used. What a killed worker held is free only when its journal is settled."""
    statuses(ports, WHOLE, token, 8)
    status, answer = Management(gateway, token).ask("GET", "/v1/key/usage")
    # What was stopped may still be on its way back.
    return status == 200 and bool(answer["data"][0]["used"] == FITS)


def _used(metric: str, exchanges: int) -> float:
    each = {"requests": 1, "tokens": INPUT + OUTPUT, "usd": COST / 1e9}[metric]
    return round(exchanges * each, 9)


def _asked_at_once(
    gateway: Gateway, ports: list[int], metric: str, question: Question, books: Provider
) -> tuple[str, Counter[int], int]:
    """Have the crowd ask with a new token: the token, how often each status was answered, and requests served.

    Where the disk stands still, the ledger does not answer in time, and callers are told so: they ask another time.
    """
    for _ in range(3):
        token, _limit = _limited(gateway, metric)
        before = books.served()
        answered = statuses(ports, question, token, ASKED)
        served = books.served() - before
        if 503 not in answered:
            break
        assert max(answered[200], served) <= FITS
    return token, answered, served


@pytest.mark.parametrize("question", [WHOLE, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize("metric", ["requests", "tokens", "usd"])
def test_exactly_what_fits_is_let_pass(node: Gateway, provider: str, metric: str, question: Question) -> None:
    """Five hundred at once against what 137 of them use: none over, and none refused while something is left."""
    token, answered, served = _asked_at_once(node, [node.port], metric, question, Provider(provider))

    assert answered == Counter({200: FITS, 429: ASKED - FITS})
    assert served == FITS
    eventually(lambda: _usage(node, token)["used"] == _used(metric, FITS))


def test_killed_processes_neither_overrun_nor_lose(start: Start, file: Path, provider: str) -> None:
    """Workers and control are killed while the crowd asks: in the end the account is full."""
    gateway = _node(start, file)
    token, _ = _limited(gateway, "requests")
    before = Provider(provider).served()
    answered: Counter[int] = Counter()

    def ask() -> None:
        answered.update(statuses([gateway.port], _SLOW, token, ASKED))

    crowd = threading.Thread(target=ask)
    crowd.start()
    for name in ("worker-0", "control", "worker-2"):
        eventually(lambda: Provider(provider).served() > before)
        os.kill(gateway.process(name), signal.SIGKILL)
    crowd.join()

    assert answered[200] <= Provider(provider).served() - before <= FITS
    assert set(answered) <= {200, 429, 503, LOST}
    eventually(lambda: _is_full(gateway, [gateway.port], token))
    # A request that was on its way when its worker was killed is charged, but may never have been read.
    assert Provider(provider).served() - before <= FITS
    assert statuses([gateway.port], WHOLE, token, 8) == Counter({429: 8})


@dataclass(frozen=True)
class Servers:
    """The database and the ledger that nodes share."""

    database: postgresql.Server
    ledger: valkey.Server


@dataclass(frozen=True)
class Nodes:
    """Two nodes of two workers each, and the servers behind them."""

    a: Gateway
    b: Gateway
    servers: Servers
    flags: tuple[str, ...]
    variables: dict[str, str]

    @property
    def ports(self) -> list[int]:
        """Where callers come in."""
        return [self.a.port, self.b.port]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Servers of these tests alone, which stop them."""
    with postgresql.Server() as database, valkey.Server() as ledger:
        yield Servers(database, ledger)


def _nodes(start: Start, file: Path, servers: Servers) -> Nodes:
    """Start two on a database of their own, with what `file` says."""
    database = servers.database.create()
    own = file.with_name(f"{database}.yaml")
    own.write_text(
        f"{file.read_text()}"
        f"management_token: {MANAGEMENT_TOKEN}\n"
        f"database: '{servers.database.url(database)}'\n"
        f"redis: {{address: '{servers.ledger.url}'}}\n"
    )
    key = {"SLUICEGATE_MASTER_KEY": "0123456789abcdef" * 4}
    flags = (f"--config={own}", "--workers=2")
    a, b = (start(*flags, name=name, **key) for name in ("a", "b"))
    return Nodes(a.until_ready(), b.until_ready(), servers, flags, key)


@pytest.fixture(scope="module")
def nodes(start_once: Start, file: Path, servers: Servers) -> Nodes:
    """Two for all tests that leave them whole; each has a token of its own."""
    return _nodes(start_once, file, servers)


@contextmanager
def _crowd(nodes: Nodes, question: Question, token: str) -> Iterator[Counter[int]]:
    """Five hundred callers who ask both nodes while the block runs; what they were answered, when it is over."""
    answered: Counter[int] = Counter()
    thread = threading.Thread(target=lambda: answered.update(statuses(nodes.ports, question, token, ASKED)))
    thread.start()
    yield answered
    thread.join()


@pytest.mark.parametrize("question", [WHOLE, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize("metric", ["requests", "usd"])
def test_two_nodes_sell_nothing_twice(nodes: Nodes, provider: str, metric: str, question: Question) -> None:
    """Half of the crowd comes to each node: what one holds and does not need, the other gets."""
    token, answered, served = _asked_at_once(nodes.a, nodes.ports, metric, question, Provider(provider))

    assert answered == Counter({200: FITS, 429: ASKED - FITS})
    assert served == FITS
    eventually(lambda: {_usage(node, token)["used"] for node in (nodes.a, nodes.b)} == {_used(metric, FITS)})


def _restart_database(nodes: Nodes) -> None:
    nodes.servers.database.stop()
    nodes.servers.database.start()


def _restart_ledger(nodes: Nodes) -> None:
    nodes.servers.ledger.kill()
    nodes.servers.ledger.start()


TROUBLES: dict[str, Callable[[Nodes], object]] = {
    "a worker": lambda nodes: nodes.a.kill("worker-0"),
    "control": lambda nodes: nodes.b.kill("control"),
    "the ledger": _restart_ledger,
    "the database": _restart_database,
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_nothing_is_sold_twice_whatever_stops(nodes: Nodes, provider: str, trouble: str) -> None:
    """What serves both nodes is killed, or stopped and started, while a crowd asks; in the end all books agree."""
    token, _ = _limited(nodes.a, "requests")
    books = Provider(provider)
    before = books.served()

    with _crowd(nodes, _SLOW, token) as answered:
        eventually(lambda: books.served() > before)
        TROUBLES[trouble](nodes)

    assert set(answered) <= {200, 429, 503, LOST}
    assert answered[200] <= books.served() - before <= FITS
    eventually(lambda: _is_full(nodes.a, nodes.ports, token))
    # A request that was on its way when its worker was killed is charged, but may never have been read.
    assert books.served() - before <= FITS
    assert statuses(nodes.ports[:1], WHOLE, token, 8) == Counter({429: 8})


def test_a_node_that_is_killed_gives_back_what_it_held(
    start: Start, file: Path, servers: Servers, provider: str
) -> None:
    """All its processes at once, in the middle of a crowd; started again, it settles what it had sent, and no more."""
    nodes = _nodes(start, file, servers)
    token, _ = _limited(nodes.a, "requests")
    books = Provider(provider)
    before = books.served()

    with _crowd(nodes, _SLOW, token):
        eventually(lambda: books.served() > before)
        for process in nodes.b.processes():
            if is_alive(process):
                os.kill(process, signal.SIGKILL)
        nodes.b.wait()
    assert books.served() - before <= FITS
    again = start(*nodes.flags, name="b", **nodes.variables).until_ready()

    eventually(lambda: _is_full(nodes.a, [nodes.a.port, again.port], token))
    # A request that was on its way when its worker was killed is charged, but may never have been read.
    assert books.served() - before <= FITS
    assert statuses(nodes.ports[:1], WHOLE, token, 8) == Counter({429: 8})
