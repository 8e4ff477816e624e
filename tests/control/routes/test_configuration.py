"""The configuration by way of the management API."""

from tests.control.api import Api
from tests.control.asgi import Answer
from tests.control.conftest import MINIMAL, WriteSources


def manage(api: Api, method: str, path: str) -> Answer:
    """Ask with the management token."""
    return api.ask(method, path, key=None, headers={"x-admin-secret": "management-secret"})


def test_configuration_is_shown_without_secrets(api: Api) -> None:
    """All settings are shown with version and source, and no secret among them."""
    answer = manage(api, "GET", "/admin/config")
    body = answer.json
    assert (body["version"], body["last_error"], body["waiting_for_restart"]) == (1, None, [])
    assert body["source"].endswith("/sluicegate.yaml")
    assert body["configuration"]["providers"]["first"]["base_url"] == "http://127.0.0.1:9001/v1"
    assert b"-secret" not in answer.body


def test_reload_brings_a_change_into_force(api: Api, write: WriteSources) -> None:
    """A reload answers with the new version and with what waits for a restart."""
    write(MINIMAL + "server: {workers: 2}\n")
    answer = manage(api, "POST", "/admin/config/reload")
    assert answer.json == {"version": 2, "waiting_for_restart": ["server.workers"]}


def test_refused_reload_tells_every_problem(api: Api, write: WriteSources) -> None:
    """A broken file is answered with 422 and all its problems, is shown from then on, and changes nothing."""
    write(MINIMAL + "prot: 1\nserver: {prt: 2}\n")
    answer = manage(api, "POST", "/admin/config/reload")
    assert (answer.status, [error["path"] for error in answer.json["errors"]]) == (422, ["prot", "server.prt"])
    assert answer.json["errors"][1]["suggestion"] == "port"
    assert "version 1 stays in force" in answer.json["detail"]
    shown = manage(api, "GET", "/admin/config").json
    assert shown["version"] == 1
    assert shown["last_error"] == {"at": "2026-11-21T12:00:00Z", "problems": answer.json["errors"]}


def test_what_a_reload_would_change_is_shown_before(api: Api, write: WriteSources) -> None:
    """Every setting that differs is told, secrets not; nothing changes, and afterwards nothing is left to change."""
    assert manage(api, "GET", "/admin/config/diff").json == {"version": 1, "changes": []}
    write(MINIMAL.replace("sk-provider-secret", "sk-other-secret") + "server: {workers: 2, drain_seconds: 7}\n")
    answer = manage(api, "GET", "/admin/config/diff")
    told = {change["path"]: change for change in answer.json["changes"]}
    assert set(told) == {"server.workers", "server.drain_seconds", "providers.first.api_key"}
    assert (told["server.workers"]["after"], told["server.workers"]["needs_restart"]) == ("2", True)
    assert (told["server.drain_seconds"]["after"], told["server.drain_seconds"]["needs_restart"]) == ("7.0", False)
    assert told["providers.first.api_key"]["is_secret"]
    assert b"sk-" not in answer.body
    assert manage(api, "GET", "/admin/config").json["version"] == 1
    assert manage(api, "POST", "/admin/config/reload").status == 200
    assert manage(api, "GET", "/admin/config/diff").json["changes"] == []


def test_a_reload_that_would_be_refused_is_told_before(api: Api, write: WriteSources) -> None:
    """A broken file is answered with 422 and all its problems, and is no failure of the configuration in force."""
    write(MINIMAL + "prot: 1\n")
    answer = manage(api, "GET", "/admin/config/diff")
    assert (answer.status, [error["path"] for error in answer.json["errors"]]) == (422, ["prot"])
    assert manage(api, "GET", "/admin/config").json["last_error"] is None
