"""What a control process ends with, and what it says when it cannot begin."""

import asyncio
import socket

from structlog.testing import LogCapture

from sluicegate.control.beginning import Choice
from sluicegate.control.process import run
from sluicegate.store.upgrade import downgrade, upgrade
from sluicegate.store.version import NEWEST, VERSIONS
from tests.control.bench import Bench
from tests.control.conftest import MINIMAL


def test_node_without_a_name_does_not_start(bench: Bench, captured: LogCapture) -> None:
    """Under another name it would leave what it holds behind."""
    (bench.directory / "data" / "node.id").write_text("?")
    assert run(bench.begun(), log=bench.log, logs=bench.logs) == 2
    assert "does not hold a node's name" in captured.entries[-1]["reason"]


def test_broken_key_file_refuses_the_start(bench: Bench, captured: LogCapture) -> None:
    """Who declares keys in a file is not served without them."""
    file = bench.directory / "keys.json"
    file.write_text("{")
    begun = bench.begun(f"{MINIMAL}key_file: {file}\n")
    assert run(begun, log=bench.log, logs=bench.logs) == 2
    assert captured.entries[-1]["event"] == "control cannot start"
    assert "JSON" in captured.entries[-1]["reason"]


def test_successor_says_why_it_is_not_on_the_file(bench: Bench, captured: LogCapture) -> None:
    """A process that begins with its predecessor's configuration logs what is wrong with the file, and ends with it."""
    compiled = bench.write(MINIMAL).load(1)
    bench.last_good.keep(compiled, compiled)
    begun = bench.begun("nonsense: 1")
    assert begun.choice == Choice(compiled, compiled, begun.choice.refused)
    bench.supervisor.shutdown(socket.SHUT_RDWR)
    run(begun, log=bench.log, logs=bench.logs)
    assert captured.entries[0]["event"] == "configuration refused, the last good one is used"
    assert "nonsense" in captured.entries[0]["problems"]


def test_upgrade_of_an_older_database_is_logged(bench: Bench, captured: LogCapture) -> None:
    """The program before this one cannot be started on it any more: who looks for why finds the line."""
    begun = bench.begun()
    url, data = begun.choice.started.settings.database_url, bench.directory / "data"
    asyncio.run(upgrade(url, data))
    asyncio.run(downgrade(url, data))
    bench.supervisor.shutdown(socket.SHUT_RDWR)
    run(begun, log=bench.log, logs=bench.logs)
    told = captured.entries[0]
    assert (told["event"], told["before"], told["version"]) == ("the database was upgraded", VERSIONS[-2], NEWEST)
