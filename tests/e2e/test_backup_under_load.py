"""A backup made while callers ask and managers write: one moment's state, nobody notices, and what comes after it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import Gateway, run
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management

COPIES = 3


class Traffic:
    """Callers of the gateway and managers who make tokens, until told to end; what each was answered."""

    def __init__(self, gateway: Gateway) -> None:
        """Start asking and writing."""
        self.asked: list[int] = []
        self.made: list[str] = []
        """Ids of tokens, each after its answer."""
        self.failures: list[str] = []
        self._gateway = gateway
        self._end = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._ask, self._ask, self._write, self._write)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._end.is_set():
            try:
                self.asked.append(self._gateway.answers())
            except OSError as error:
                self.failures.append(repr(error))

    def _write(self) -> None:
        management = Management(self._gateway)
        while not self._end.is_set():
            try:
                status, made = management.ask("POST", "/admin/tokens", {"name": "of the backup"})
            except OSError as error:
                self.failures.append(repr(error))
                continue
            if status == 201:
                self.made.append(made["token_id"])
            else:
                self.failures.append(str(made))

    def more(self, answers: int) -> None:
        """Wait for so many more requests and tokens."""
        asked, made = len(self.asked) + answers, len(self.made) + answers
        eventually(lambda: len(self.asked) >= asked and len(self.made) >= made)

    def end(self) -> None:
        """Stop."""
        self._end.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def managed(start: Start, configuration: Path) -> Gateway:
    """A gateway that can be managed."""
    configuration.write_text(configuration.read_text() + f"management_token: {MANAGEMENT_TOKEN}\n")
    return start(f"--config={configuration}", "--workers=1").until_ready()


@pytest.fixture
def traffic(managed: Gateway) -> Iterator[Traffic]:
    """Load on it."""
    traffic = Traffic(managed)
    yield traffic
    traffic.end()


def tokens_in(copy: Path) -> set[str]:
    """The ids of the tokens in a copy, which is whole, and one file that needs no other."""
    with closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in database.execute("SELECT id FROM tokens")}


def test_backup_while_it_serves(
    managed: Gateway, traffic: Traffic, configuration: Path, tmp_path: Path, start: Start
) -> None:
    """Each copy has all that was answered before it and one audit entry for each token; a gateway serves from it."""
    setting = f"--config={configuration}"
    copies = [tmp_path / f"copy-{number}.db" for number in range(COPIES)]
    before: list[set[str]] = []
    for copy in copies:
        traffic.more(5)
        before.append(set(traffic.made))
        done = run("db", "backup", str(copy), setting, f"--data-dir={managed.data}")
        assert (done.returncode, done.stderr) == (0, "")
    traffic.more(5)
    traffic.end()
    assert traffic.failures == []
    assert set(traffic.asked) == {200}
    assert managed.errors() == []
    assert len(before[-1]) > len(before[0]) > 0
    for number, (copy, known) in enumerate(zip(copies, before, strict=True)):
        restored = tmp_path / f"restored-{number}"
        done = run("db", "restore", str(copy), setting, f"--data-dir={restored}")
        assert (done.returncode, done.stderr) == (0, "")
        tokens = tokens_in(copy)
        assert known <= tokens <= set(traffic.made)
        audited = run("audit", "verify", setting, f"--data-dir={restored}")
        assert (audited.returncode, audited.stdout.split(",")[0]) == (0, f"intact: {len(tokens)} entries")
    again = start(setting, f"--data-dir={restored}", name="again").until_ready()
    kept = max(tokens)
    assert Management(again).ask("GET", f"/admin/tokens/{kept}")[0] == 200


def test_what_was_used_since_a_backup_is_used_still(
    managed: Gateway, configuration: Path, tmp_path: Path, start: Start
) -> None:
    """The journal tells: a database that is put back knows how far it had it, for limits, tokens and the log alike."""
    management = Management(managed)
    made = management.made("/admin/tokens", {"name": "limited", "max_requests": 100})

    def used(gateway: Gateway) -> tuple[int, int, int]:
        """What its limit has, what is told of it, and what is in the log."""
        asked = Management(gateway)
        (limit,) = Management(gateway, made["token"]).ask("GET", "/v1/key/usage")[1]["data"]
        token = asked.ask("GET", f"/admin/tokens/{made['token_id']}")[1]
        log = asked.ask("GET", f"/admin/requests?token_id={made['token_id']}")[1]
        return limit["used"], token["request_count"], len(log["data"])

    assert {managed.answers(made["token"]) for _ in range(3)} == {200}
    eventually(lambda: used(managed) == (3, 3, 3))
    setting, copy = f"--config={configuration}", tmp_path / "copy.db"
    assert run("db", "backup", str(copy), setting, f"--data-dir={managed.data}").returncode == 0
    assert {managed.answers(made["token"]) for _ in range(4)} == {200}
    eventually(lambda: used(managed) == (7, 7, 7))
    managed.end()
    assert run("db", "restore", str(copy), setting, f"--data-dir={managed.data}").returncode == 0
    again = start(setting, f"--data-dir={managed.data}", "--workers=1", name="again").until_ready()
    eventually(lambda: used(again) == (7, 7, 7))
