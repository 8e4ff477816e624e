"""A configuration that changes while the gateway runs."""

import signal
from pathlib import Path

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.written import replace

OTHER = "sk-other-123456789abcdef0123456789abcdef"


def test_changed_tokens_are_in_force_after_a_signal(gateway: Gateway, configuration: Path) -> None:
    """A new token works, the old one does not any more, and no process was started again for it."""
    assert (gateway.answers(TOKEN), gateway.answers(OTHER)) == (200, 401)
    before = gateway.processes()
    replace(configuration, configuration.read_text().replace(TOKEN, OTHER))
    gateway.signal(signal.SIGHUP)
    eventually(lambda: gateway.answers(OTHER) == 200)
    eventually(lambda: gateway.answers(TOKEN) == 401)
    assert gateway.processes() == before


def test_broken_file_changes_nothing(gateway: Gateway, configuration: Path) -> None:
    """What is wrong is logged, and the gateway goes on as before; once the file is mended, it counts."""
    good = configuration.read_text()
    replace(configuration, good + "surprise: 1\n")
    gateway.signal(signal.SIGHUP)
    eventually(lambda: any("surprise" in str(entry) for entry in gateway.errors()))
    assert gateway.answers(TOKEN) == 200
    replace(configuration, good.replace(TOKEN, OTHER))
    gateway.signal(signal.SIGHUP)
    eventually(lambda: gateway.answers(OTHER) == 200)


def test_control_killed_over_a_broken_file(gateway: Gateway, configuration: Path) -> None:
    """Its successor goes on with what was in force: no request fails, and callers not met before are known."""
    replace(configuration, "surprise: 1\n")
    gateway.kill("control")
    gateway.kill("worker-0")
    gateway.kill("worker-1")
    assert gateway.answers(TOKEN) == 200


def test_port_cannot_change_while_running(start: Start, configuration: Path) -> None:
    """Host, port and workers are those of the start until the gateway is started anew."""
    gateway = start(f"--config={configuration}").until_ready()
    replace(configuration, configuration.read_text().replace("port: 0", "port: 1, workers: 3").replace(TOKEN, OTHER))
    gateway.signal(signal.SIGHUP)
    eventually(lambda: gateway.answers(OTHER) == 200)
    gateway.kill("control")
    assert gateway.answers(OTHER) == 200
    assert len(gateway.logged("process started", name="worker-1")) == 0
