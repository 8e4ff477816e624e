"""What people are warned of is in the journal, and the log says more when it is asked to."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway, run
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management


@pytest.fixture
def gateway(start: Start, tmp_path: Path, provider: str) -> Gateway:
    """A node with a token of four requests."""
    file = tmp_path / "notices.yaml"
    file.write_text(
        "server: {port: 0}\n"
        "providers:\n"
        f"  mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}\n"
        "notices: {budget_percents: [50, 100]}\n"
        "tokens:\n"
        f"  - {{name: bob, token: {TOKEN}, limits: [{{metric: requests, window: lifetime, maximum: 4}}]}}\n"
    )
    return start(f"--config={file}", MANAGEMENT_TOKEN=MANAGEMENT_TOKEN).until_ready()


def notices(gateway: Gateway, event: str) -> list[dict[str, Any]]:
    """Those of a kind, so far."""
    return [line for line in gateway.lines() if line["kind"] == "notice" and line["event"] == event]


def percents(gateway: Gateway) -> list[int]:
    """The shares of budgets that were told, so far."""
    return [notice["facts"]["percent"] for notice in notices(gateway, "budget.threshold")]


def test_budget_is_told_once_whatever_dies(gateway: Gateway) -> None:
    """Each share when it is used up, and not again by the next control process; `events cat` prints it."""
    assert [gateway.answers() for _ in range(2)] == [200, 200]
    eventually(lambda: percents(gateway) == [50])
    gateway.kill("control")
    assert [gateway.answers() for _ in range(3)] == [200, 200, 429]
    eventually(lambda: percents(gateway) == [50, 100])
    half, full = notices(gateway, "budget.threshold")
    assert half["subject"] == full["subject"]
    assert (half["facts"]["maximum"], full["facts"]["used"]) == (4, 4)
    printed = run("events", "cat", f"--data-dir={gateway.data}")
    assert printed.stdout.count('"kind":"notice"') == 2
    assert printed.stderr == ""
    assert [entry["event"] for entry in gateway.errors()] == ["process died"]


def test_log_level_is_changed_while_it_runs(gateway: Gateway) -> None:
    """The change is a line with the id of the request that asked for it."""
    management = Management(gateway)
    status, answer = management.ask("PUT", "/admin/log-level", {"level": "debug"})
    assert (status, answer["levels"]["sluicegate"]) == (200, "debug")
    [line] = eventually(lambda: gateway.logged("log level changed"))
    assert line["request_id"].startswith("req_")
