"""The deployments of all providers, and how each fares."""

from sluicegate.control.routes.deployments import address_of
from sluicegate.domain.snapshot import Origin, Provider
from sluicegate.wire.link import CircuitState, DeploymentHealth
from tests.control.api import Api


def test_every_deployment_is_listed_with_its_worst_state(api: Api) -> None:
    """What is configured stands beside what each worker said; one that is left alone anywhere is shown as such."""
    [shown] = api.ask("GET", "/admin/deployments").json["data"]
    assert shown == {
        "id": "first",
        "provider": "first",
        "deployment": "",
        "dialect": "openai",
        "address": "http://127.0.0.1:9001/v1",
        "region": "",
        "tags": [],
        "weight": 1,
        "models": [],
        "state": "closed",
        "workers": [],
    }
    states: tuple[CircuitState, ...] = ("closed", "open", "half_open")
    for worker, state in enumerate(states):
        api.context.workers.joined(worker, 10 + worker)
        api.context.workers.told(10 + worker, [DeploymentHealth("first", state, worker, 3.0, 1.0, 2, 16)])
    [shown] = api.ask("GET", "/admin/deployments").json["data"]
    assert (shown["state"], [one["state"] for one in shown["workers"]]) == ("open", ["closed", "open", "half_open"])
    assert shown["workers"][1] == {
        "worker": 1,
        "pid": 11,
        "state": "open",
        "failures": 1,
        "reopens_in": 3.0,
        "rests_for": 1.0,
        "busy": 2,
        "limit": 16,
    }


def test_viewers_see_no_secret(api: Api) -> None:
    """Who may only look sees addresses, and no key."""
    answer = api.ask("GET", "/admin/deployments", key=api.add_key("viewer"))
    assert (answer.status, b"secret" in answer.body) == (200, False)


def test_one_organization_does_not_see_what_all_do(api: Api) -> None:
    """Addresses of the installation's own network, and how busy everyone keeps them, are not for one organisation."""
    answer = api.ask("GET", "/admin/deployments", key=api.world().keys["viewer"])
    assert (answer.status, answer.json["detail"]) == (403, "This is for managers of all organizations.")


def test_address_of_a_socket() -> None:
    """A provider on this machine has its socket's path."""
    assert address_of(Provider("a", "openai", Origin("unix", "/run/a", 0), "localhost")) == "unix:/run/a"
