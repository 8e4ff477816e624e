"""Deployments that are left alone, as soon as one worker does so, and asked again, once all of them do.

What a worker said is forgotten with the worker, without a notice: its successor has learnt nothing yet.
"""

from collections.abc import Callable

from sluicegate.control.notices.notices import Telling
from sluicegate.domain.events import Fact
from sluicegate.wire.link import DeploymentHealth


class Circuits:
    """Turns changes into notices."""

    __slots__ = ("_node", "_notices", "_now")

    def __init__(self, notices: Telling, *, node: str, now: Callable[[], int]) -> None:
        """`node` is this node's name, since each has circuits of its own; `now` is Unix milliseconds."""
        self._notices = notices
        self._node = node
        self._now = now

    def __repr__(self) -> str:
        """Tell whose."""
        return f"<Circuits {self._node}>"

    def changed(self, worker: int, health: DeploymentHealth, *, is_open: bool) -> None:
        """By what this worker said, the deployment is left alone now, or not any more."""
        facts: dict[str, Fact] = {"node": self._node, "worker": worker}
        if is_open:
            facts |= {"failures": health.failures, "reopens_in": round(health.reopens_in, 3)}
        self._notices.tell(
            "circuit.opened" if is_open else "circuit.closed",
            health.id,
            occasion=f"{self._node}|{self._now()}",
            facts=facts,
        )
