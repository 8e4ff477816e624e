"""Two nodes on one PostgreSQL: what is withdrawn at one is refused by the other, whatever fails between them."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.polling import eventually
from tests.e2e.program import Gateway
from tests.e2e.stalls import Stalls
from tests.e2e.tenants import MANAGEMENT_TOKEN, SECONDS, Callers, Management
from tests.store.postgresql import Server

PATIENCE = 8.0
"""Seconds in which any request is answered, if only to say that it cannot be told whose it is; stalls not counted."""
WORKERS = 1
"""Of each node: that one is told what another is told, tests of a single node show."""


@dataclass(frozen=True)
class Nodes:
    """Node A, where everything is managed, and node B, where tokens are used, in front of the same database."""

    server: Server
    a: Gateway
    b: Gateway

    @property
    def manager(self) -> Management:
        """Who manages, through A."""
        return Management(self.a)

    def token(self, **fields: Any) -> tuple[str, str]:
        """A new token: its path in the management API, and itself."""
        made = self.manager.made("/admin/tokens", {"name": "of two nodes", **fields})
        return f"/admin/tokens/{made['token_id']}", str(made["token"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A database server of these tests alone: they stop it."""
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(server: Server, provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Both nodes, started at the same time: one of them makes the tables."""
    directory = tmp_path_factory.mktemp("nodes")
    file = directory / "gateway.yaml"
    file.write_text(
        "server: {port: 0}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        f"management_token: {MANAGEMENT_TOKEN}\n"
        f"database: '{server.url(server.create())}'\n"
    )
    started = [_started(directory / name, file) for name in ("a", "b")]
    try:
        a, b = (gateway.until_ready() for gateway in started)
        yield Nodes(server, a, b)
    finally:
        for gateway in started:
            gateway.end()


def _started(directory: Path, file: Path) -> Gateway:
    directory.mkdir()
    key = {"SLUICEGATE_MASTER_KEY": "0123456789abcdef" * 4}
    return Gateway(directory, f"--config={file}", f"--workers={WORKERS}", variables=key)


@pytest.fixture
def callers(nodes: Nodes) -> Iterator[Callers]:
    """A caller of each worker of B."""
    callers = Callers(nodes.b, WORKERS)
    yield callers
    callers.close()


def refused(callers: Callers, token: str) -> tuple[float, set[int]]:
    """Ask until nobody admits: how many seconds from now the last request was sent that was admitted, and the statuses.

    The seconds are those of a machine that does not stall.
    """
    with Stalls() as stalls:
        began = time.monotonic()
        last = 0.0
        while True:
            sent = time.monotonic() - began - stalls.seconds
            statuses = callers.statuses(token)
            assert time.monotonic() - began - stalls.seconds < sent + PATIENCE
            if 200 not in statuses:
                return last, statuses
            last = sent


def managed(management: Management, path: str) -> int:
    """Status of a read of the management API; 0 where its process has ended in the middle of the answer."""
    try:
        return management.ask("GET", path)[0]
    except (OSError, HTTPException):
        return 0


def test_revoked_at_the_other_node(nodes: Nodes, callers: Callers) -> None:
    """Known to every worker of B, revoked at A: refused by all of them within a second."""
    path, token = nodes.token()
    assert callers.statuses(token) == {200}
    assert nodes.manager.ask("DELETE", path) == (204, None)
    assert callers.seconds_until(token, 403) < SECONDS


def test_suspended_and_resumed_at_the_other_node(nodes: Nodes, callers: Callers) -> None:
    """A suspension and its end are obeyed by B, each within a second."""
    path, token = nodes.token()
    assert callers.statuses(token) == {200}
    assert nodes.manager.ask("POST", f"{path}/suspend")[0] == 200
    assert callers.seconds_until(token, 403) < SECONDS
    assert nodes.manager.ask("POST", f"{path}/resume")[0] == 200
    assert callers.seconds_until(token, 200) < SECONDS


def test_models_changed_at_the_other_node(nodes: Nodes, callers: Callers) -> None:
    """A token that loses its model at A is refused that model by B within a second, and gets it back as fast."""
    path, token = nodes.token(models=["gpt-4o-mini"])
    assert callers.statuses(token) == {200}
    assert nodes.manager.ask("PATCH", path, {"models": ["another"]})[0] == 200
    assert callers.seconds_until(token, 403) < SECONDS
    assert nodes.manager.ask("PATCH", path, {"models": ["gpt-4o-mini"]})[0] == 200
    assert callers.seconds_until(token, 200) < SECONDS


def test_revoked_while_control_is_killed(nodes: Nodes, callers: Callers) -> None:
    """B's control process is killed as the token is revoked: no worker admits it a second later, or ever again."""
    path, token = nodes.token()
    assert callers.statuses(token) == {200}
    ready = len(nodes.b.logged("process is ready", name="control"))
    os.kill(nodes.b.process("control"), signal.SIGKILL)
    assert nodes.manager.ask("DELETE", path) == (204, None)
    last, statuses = refused(callers, token)
    assert last < SECONDS
    assert statuses <= {403, 503}
    eventually(lambda: len(nodes.b.logged("process is ready", name="control")) > ready)
    assert callers.seconds_until(token, 403) < PATIENCE
    assert callers.statuses(token) == {403}


def test_revoked_while_the_feed_stands_still(nodes: Nodes, callers: Callers) -> None:
    """B's control process hangs and announces nothing: its workers believe what they know for less than a second."""
    path, token = nodes.token()
    assert callers.statuses(token) == {200}
    control = nodes.b.process("control")
    os.kill(control, signal.SIGSTOP)
    try:
        assert nodes.manager.ask("DELETE", path) == (204, None)
        last, statuses = refused(callers, token)
        assert last < SECONDS
        assert statuses == {503}
    finally:
        os.kill(control, signal.SIGCONT)
    assert callers.seconds_until(token, 403) < PATIENCE


def test_database_stopped_and_started(nodes: Nodes, callers: Callers) -> None:
    """Without the database both nodes refuse in time; with it they serve again, and no process was started anew."""
    (_, good), (path, revoked) = nodes.token(), nodes.token()
    assert callers.statuses(good) == callers.statuses(revoked) == {200}
    assert nodes.manager.ask("DELETE", path) == (204, None)
    before = nodes.a.processes(), nodes.b.processes()
    nodes.server.stop()
    last, statuses = refused(callers, good)
    assert last < SECONDS
    assert statuses == {503}
    assert [managed(Management(node), "/admin/tokens") for node in (nodes.a, nodes.b)] == [503, 503]
    nodes.server.start()
    eventually(lambda: callers.statuses(good) == {200})
    eventually(lambda: all(managed(Management(node), "/admin/tokens") == 200 for node in (nodes.a, nodes.b)))
    assert callers.statuses(revoked) == {403}
    assert (nodes.a.processes(), nodes.b.processes()) == before


def test_database_that_stands_still(nodes: Nodes, callers: Callers) -> None:
    """A database that answers nothing, though its connections are open, is as good as none: refused in time."""
    path, token = nodes.token()
    assert callers.statuses(token) == {200}
    before = nodes.b.processes()
    with nodes.server.frozen():
        last, statuses = refused(callers, token)
        assert last < SECONDS
        assert statuses == {503}
    eventually(lambda: callers.statuses(token) == {200})
    assert nodes.manager.ask("DELETE", path) == (204, None)
    assert callers.seconds_until(token, 403) < SECONDS
    assert nodes.b.processes() == before
