"""How the node is, by way of the management API."""

import asyncio

import pytest

from sluicegate import __version__
from sluicegate.config.problem import ConfigurationError
from tests.control.api import Api
from tests.control.conftest import WriteSources


def test_node_is_well(api: Api) -> None:
    """With a worker, a database and the configuration in force, all is well."""
    api.context.workers.joined(0, 11)
    api.context.workers.ready(11, 1)
    api.context.workers.joined(1, 12)
    assert api.ask("GET", "/admin/health").json == {
        "status": "ok",
        "version": __version__,
        "database": "ok",
        "workers": {"connected": 2, "ready": 1},
        "configuration": {"version": 1, "is_newer_refused": False},
    }


def test_node_without_workers_is_degraded(api: Api) -> None:
    """Where no worker serves, the node is not well."""
    answer = api.ask("GET", "/admin/health")
    assert (answer.status, answer.json["status"]) == (200, "degraded")


def test_refused_configuration_degrades(api: Api, write: WriteSources) -> None:
    """A newer configuration that was refused is told until it is mended."""
    api.context.workers.joined(0, 11)
    api.context.workers.ready(11, 1)
    write("prot: 1")
    with pytest.raises(ConfigurationError):
        asyncio.run(api.context.configuration.reload(cause="test"))
    health = api.ask("GET", "/admin/health").json
    assert (health["status"], health["configuration"]["is_newer_refused"]) == ("degraded", True)


def test_everything_is_counted(api: Api) -> None:
    """The summary counts what there is in the installation."""
    world = api.world()
    assert api.ask("GET", "/admin/metrics").json == {
        "version": __version__,
        "workers": {"connected": 0, "ready": 0},
        "configuration": {"version": 1, "is_newer_refused": False},
        "counts": {"organizations": 3, "projects": 3, "users": 2, "tokens": 2, "admin_keys": 5, "accounts": 0},
        "last_change": 0,
    }
    api.make("PATCH", "/admin/users/usr_own", {"status": "suspended"})
    assert api.ask("GET", "/admin/metrics").json["last_change"] > 0
    assert api.ask("GET", "/admin/metrics", key=world.keys["viewer"]).status == 403
    assert api.ask("GET", "/admin/health", key=world.keys["viewer"]).status == 200
