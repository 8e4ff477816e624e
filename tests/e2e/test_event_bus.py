"""Events as the proxy of withering tokens has them: whoever wants them gets each, by way of the names it is used to."""

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import SLUICEGATE, Gateway, environment
from tests.e2e.scripted import ScriptedProvider, sized
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.e2e.written import lines

PROVIDER_KEY = "sk-provider-0123456789abcdef"
FIELDS = {"timestamp", "token", "project_id", "endpoint", "method", "status_code", "duration_ms", "metadata"}
COUNTS = {"prompt_tokens", "completion_tokens", "total_tokens", "model", "created"}


@pytest.fixture
def hook() -> Iterator[ScriptedProvider]:
    """What `LOGGING_URL` names."""
    with ScriptedProvider(lambda peer, _: peer.sendall(sized(b"{}"))) as receiver:
        yield receiver


@pytest.fixture
def file(tmp_path: Path, provider: str) -> Path:
    """A configuration with one sink, which is left to a dispatcher."""
    path = tmp_path / "bus.yaml"
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"providers: {{openai: {{base_url: '{provider}', api_key: {PROVIDER_KEY}, proxy: none}}}}\n"
        f"sinks: {{own: {{type: file, path: '{tmp_path}/own.jsonl', run_by: dispatcher}}}}\n"
    )
    return path


def hooked(hook: ScriptedProvider) -> list[dict[str, Any]]:
    """The exchanges that came to the webhook, in their order."""
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in [*hook.requests]]
    return [event for body in bodies for event in body["data"] if event["kind"] == "exchange"]


def written(path: Path) -> list[dict[str, Any]]:
    """The exchanges in a file."""
    events = [json.loads(line) for line in lines(path)]
    return [event for event in events if event["kind"] == "exchange"]


def ask(gateway: Gateway, token: str, connection: HTTPConnection, **fields: Any) -> str:
    """Ask for a completion; the request's id."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}], **fields})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    response.read()
    assert response.status == 200
    return str(response.headers["x-request-id"])


def test_every_subscriber_gets_every_event(start: Start, file: Path, hook: ScriptedProvider, tmp_path: Path) -> None:
    """The webhook of LOGGING_URL, the file of --file-event-log and a dispatcher; also of what came before a stop."""
    flags = (f"--config={file}", f"--file-event-log={tmp_path}/log.jsonl")
    variables = {
        "LOGGING_URL": f"http://127.0.0.1:{hook.port}/in",
        "MANAGEMENT_TOKEN": MANAGEMENT_TOKEN,
        "SLUICEGATE_MASTER_KEY": "0123456789abcdef" * 4,
    }
    gateway = start(*flags, **variables).until_ready()
    management = Management(gateway)
    project = management.made("/manage/projects", {"name": "events"})["project_id"]
    token = management.made("/manage/tokens", {"project_id": project, "duration_minutes": 60})["token"]
    command = [*SLUICEGATE, "dispatcher", "--sink=own", f"--config={file}", f"--data-dir={gateway.data}"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as dispatcher:
        try:
            connection = gateway.connection()
            names = [ask(gateway, token, connection) for _ in range(20)]
            eventually(lambda: len(hooked(hook)) == 20)
            names += [ask(gateway, token, connection, stream=True) for _ in range(5)]
            gateway.signal(signal.SIGTERM)
            assert gateway.wait() == 0
            # What the first one had no time for, the next one sends.
            gateway = start(*flags, **variables).until_ready()
            wanted = Counter(names)
            eventually(lambda: Counter(event["request_id"] for event in hooked(hook)) >= wanted)
            eventually(lambda: Counter(event["request_id"] for event in written(tmp_path / "log.jsonl")) >= wanted)
            eventually(lambda: Counter(event["request_id"] for event in written(tmp_path / "own.jsonl")) >= wanted)
            eventually(lambda: left_to_dispatchers(gateway) == {"own": ("local", 0)})
        finally:
            dispatcher.terminate()
        assert dispatcher.wait(60) == 0
        ask(gateway, token, gateway.connection())
        eventually(lambda: left_to_dispatchers(gateway)["own"] > ("local", 0))

    assert len(hook.requests) < 25, "events are sent in batches"
    identifier = management_id(gateway, project)
    for event in (*hooked(hook), *written(tmp_path / "log.jsonl"), *written(tmp_path / "own.jsonl")):
        assert event.keys() >= FIELDS
        assert (event["project_id"], event["token"]) == (project, identifier)
        assert (event["endpoint"], event["method"], event["status_code"]) == ("/v1/chat/completions", "POST", 200)
        assert event["metadata"].keys() >= COUNTS
        assert event["metadata"]["total_tokens"] == sum(
            event["metadata"][name] for name in ("prompt_tokens", "completion_tokens")
        )
    told = "".join(path.read_text() for path in (tmp_path / "log.jsonl", tmp_path / "own.jsonl"))
    told += b"".join(hook.requests).decode() + (tmp_path / "node" / "stderr").read_text()
    assert PROVIDER_KEY not in told
    assert token not in told


def left_to_dispatchers(gateway: Gateway) -> dict[str, tuple[str, int]]:
    """Of each sink that is left to them, where its events come from, and how many bytes wait."""
    told = Management(gateway).ask("GET", "/admin/consumers")[1]["dispatched"]
    return {one["sink"]: (one["source"], one["backlog_bytes"]) for one in told}


def management_id(gateway: Gateway, project: str) -> str:
    """The id of the project's only token."""
    (listed,) = Management(gateway).ask("GET", f"/manage/tokens?project_id={project}")[1]
    return str(listed["token_id"])
