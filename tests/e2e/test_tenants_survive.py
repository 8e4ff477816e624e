"""Processes that are killed while managers write: nothing that was answered is lost, nothing revoked comes back."""

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start, written
from tests.e2e.polling import eventually
from tests.e2e.program import Gateway, is_alive
from tests.e2e.tenants import MANAGEMENT_TOKEN, Callers, Management, is_answered

WRITERS = 3


@dataclass
class Writer:
    """A manager who makes tokens and revokes every other one, and remembers what was answered."""

    management: Management
    number: int
    good: dict[str, str] = field(default_factory=dict)
    """Token by id, of those whose creation was answered and whose revocation was not asked for."""
    revoked: dict[str, str] = field(default_factory=dict)
    """Token by id, of those whose revocation was answered."""
    failures: list[str] = field(default_factory=list)
    """What came in place of an answer, or the status of one that says: not now. Whether it happened nobody was told."""

    names: list[str] = field(default_factory=list)
    """Of all tokens that were asked for; each is the idempotency key of its own creation."""

    def write(self, end: threading.Event) -> None:
        """Write until told to end."""
        while not end.is_set():
            if not self._succeeds(self._make):
                # Whoever asks on and on meanwhile leaves a thousand names, each of which has to be checked in the end.
                eventually(lambda: end.is_set() or self._succeeds(self._read))

    def _make(self) -> int:
        """Make a token, and revoke it if the last one was left; the first status that is none of success, or 200."""
        self.names.append(f"writer-{self.number}-{len(self.names)}.")
        status, token = made_once(self.management, self.names[-1])
        if status != 201:
            return status
        identifier, secret = token["token_id"], token["token"]
        if len(self.good) <= len(self.revoked):
            self.good[identifier] = secret
            return 200
        status, _ = self.management.ask("DELETE", f"/admin/tokens/{identifier}")
        if status != 204:
            return status
        self.revoked[identifier] = secret
        return 200

    def _read(self) -> int:
        return self.management.ask("GET", "/admin/tokens?limit=1")[0]

    def _succeeds(self, ask: Callable[[], int]) -> bool:
        """Whether it was answered with 200; what came instead is a failure."""
        try:
            status = str(ask())
        except OSError:
            status = "OSError"
        except HTTPException:
            status = "HTTPException"
        if status != "200":
            self.failures.append(status)
        return status == "200"


def made_once(management: Management, name: str) -> tuple[int, Any]:
    """Ask for a token of this name, once however often this is asked; status and body of the answer."""
    return management.ask("POST", "/admin/tokens", {"name": name}, idempotency_key=name)


class Writers:
    """Several at once."""

    def __init__(self, gateway: Gateway) -> None:
        """Start writing."""
        self.all = [Writer(Management(gateway), number) for number in range(WRITERS)]
        self._end = threading.Event()
        self._threads = [threading.Thread(target=writer.write, args=(self._end,)) for writer in self.all]
        for thread in self._threads:
            thread.start()

    def more(self, answers: int) -> None:
        """Wait until so many more tokens were made and revoked."""
        enough = self._written() + answers
        eventually(lambda: self._written() >= enough)

    def _written(self) -> int:
        return sum(len(writer.good) + len(writer.revoked) for writer in self.all)

    def close(self) -> None:
        """Stop."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def end(self) -> tuple[dict[str, str], dict[str, str]]:
        """Stop; the good and the revoked tokens of all."""
        self.close()
        good: dict[str, str] = {}
        revoked: dict[str, str] = {}
        for writer in self.all:
            good |= writer.good
            revoked |= writer.revoked
        return good, revoked


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Path:
    """Write a configuration of a gateway that can be managed."""
    path = written(tmp_path_factory.mktemp("managed"), provider)
    path.write_text(path.read_text() + f"management_token: {MANAGEMENT_TOKEN}\n")
    return path


@pytest.fixture(scope="module")
def managed(start_once: Start, file: Path) -> Gateway:
    """A gateway of two workers, of which tests kill what comes back."""
    return start_once(f"--config={file}", "--workers=2").until_ready()


@pytest.fixture
def writers(managed: Gateway) -> Iterator[Writers]:
    """Managers who write."""
    writers = Writers(managed)
    yield writers
    writers.close()


def check_repetitions(gateway: Gateway, writers: Writers) -> None:
    """Asked for again, no token is made a second time, and the answer is the first, or that it cannot be given."""
    management = Management(gateway)
    for writer in writers.all:
        for name in writer.names:
            status, token = made_once(management, name)
            found = management.ask("GET", f"/admin/tokens?search={name}")[1]["data"]
            assert status in {201, 409}
            assert [one["token_id"] for one in found] == [token["token_id"]] if status == 201 else len(found) <= 1


def check(gateway: Gateway, good: dict[str, str], revoked: dict[str, str]) -> None:
    """What was answered is so: in the API, in each worker, and in the audit log."""
    management = Management(gateway)
    eventually(lambda: is_answered(management, "/admin/tokens"))
    for status, tokens in (("active", good), ("revoked", revoked)):
        for identifier in tokens:
            found = management.ask("GET", f"/admin/tokens/{identifier}")
            assert (found[0], found[1]["status"]) == (200, status)
    callers = Callers(gateway)
    for secret in revoked.values():
        callers.settle(secret, 403)
    for secret in good.values():
        callers.settle(secret, 200)
    callers.close()
    with closing(sqlite3.connect(f"file:{gateway.data}/sluicegate.db?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_control_is_killed(managed: Gateway, writers: Writers) -> None:
    """Its successor knows all that was answered, and writing goes on."""
    for _ in range(2):
        writers.more(12)
        managed.kill("control")
    writers.more(12)
    good, revoked = writers.end()
    assert {one for writer in writers.all for one in writer.failures} <= {"502", "503", "OSError", "HTTPException"}
    check(managed, good, revoked)
    check_repetitions(managed, writers)


def test_node_is_killed(start: Start, file: Path) -> None:
    """Every process at once: what is started in its place knows all that was answered."""
    node = start(f"--config={file}", "--workers=2").until_ready()
    with closing(Writers(node)) as writers:
        writers.more(24)
        for process in node.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        good, revoked = writers.end()
    node.wait()
    eventually(lambda: not any(map(is_alive, node.processes())))
    again = start(f"--config={file}", "--workers=2").until_ready()
    check(again, good, revoked)
    check_repetitions(again, writers)


def test_revocation_outlives_control(managed: Gateway) -> None:
    """Workers that knew a token admit it no more, though control is killed right behind the answer."""
    management = Management(managed)
    token = management.made("/admin/tokens", {"name": "known"})
    callers = Callers(managed)
    assert callers.statuses(token["token"]) == {200}
    assert management.ask("DELETE", f"/admin/tokens/{token['token_id']}") == (204, None)
    os.kill(managed.process("control"), signal.SIGKILL)
    # They may wait for the successor of control, or say that they cannot tell; they never admit it.
    callers.settle(token["token"], 403)
    eventually(lambda: is_answered(management, "/admin/tokens"))
    callers.settle(token["token"], 403)
    callers.close()


def test_worker_is_killed(managed: Gateway) -> None:
    """A worker that is started anew brings no revoked token back."""
    management = Management(managed)
    good, revoked = (management.made("/admin/tokens", {"name": name}) for name in ("good", "revoked"))
    callers = Callers(managed)
    assert callers.statuses(good["token"]) | callers.statuses(revoked["token"]) == {200}
    callers.close()
    assert management.ask("DELETE", f"/admin/tokens/{revoked['token_id']}") == (204, None)
    for name in ("worker-0", "worker-1"):
        managed.kill(name)
    check(managed, {good["token_id"]: good["token"]}, {revoked["token_id"]: revoked["token"]})
