"""Deployments that are left alone, and asked again, are told."""

from sluicegate.control.notices.circuits import Circuits
from sluicegate.wire.link import DeploymentHealth
from tests.control.notices.listening import Listener


def test_both_changes_are_told() -> None:
    """With who says so, and, of a failure, how bad it is; each is a notice of its own."""
    listener = Listener()
    circuits = Circuits(listener, node="n1", now=lambda: listener.now)
    circuits.changed(2, DeploymentHealth("openai", "open", 5, 9.87654, 0.0, 1, 8), is_open=True)
    listener.now += 1
    circuits.changed(2, DeploymentHealth("openai", "closed", 0, 0.0, 0.0, 1, 8), is_open=False)
    assert listener.told == [("circuit.opened", "openai"), ("circuit.closed", "openai")]
    assert listener.facts == [
        {"node": "n1", "worker": 2, "failures": 5, "reopens_in": 9.877},
        {"node": "n1", "worker": 2},
    ]
    assert len(set(listener.occasions)) == 2
    assert repr(circuits) == "<Circuits n1>"


def test_nodes_have_circuits_of_their_own() -> None:
    """What two nodes tell at one moment are two notices."""
    listener = Listener()
    for node in ("n1", "n2"):
        health = DeploymentHealth("openai", "open", 5, 9.0, 0.0, 1, 8)
        Circuits(listener, node=node, now=lambda: 7).changed(0, health, is_open=True)
    assert len(set(listener.occasions)) == 2
