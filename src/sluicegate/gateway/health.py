"""Tells control how the deployments and the journal do, whenever that changes: for who asks, and for the metrics."""

from typing import Final, Protocol

from sluicegate.gateway.journal import JournalState
from sluicegate.gateway.providers import ProviderRuntime, Providers
from sluicegate.wire.link import DeploymentHealth, Journal, Writing

State = tuple[str, bool, int, int, int]
"""What is told when it has changed at a sweep: the circuit, whether it rests, failures in a row, its requests under way
and the limit of these. So whoever asks control, however often, costs no worker anything."""


_WRITING: Final[dict[JournalState, Writing]] = {"holding": "holding", "dropping": "dropping"}
"""In every other state nothing is wrong with any event."""
_UNTOLD: Final[State] = ("", False, 0, 0, 0)
"""What nobody's state is."""
_WELL: Final = Journal("writing", 0)


class Kept(Protocol):
    """The journal, as far as it is told of."""

    @property
    def state(self) -> JournalState:
        """What happens to lines at present."""
        ...

    @property
    def dropped(self) -> int:
        """Lines lost so far."""
        ...


class Told(Protocol):
    """Who is told."""

    def health(self, deployments: tuple[DeploymentHealth, ...]) -> bool:
        """Take it; False where that cannot be done."""
        ...

    def journal(self, journal: Journal) -> bool:
        """Take it; False where that cannot be done."""
        ...


class Health:
    """Remembers what was told."""

    __slots__ = ("_journal", "_providers", "_said", "_said_of_journal", "_told")

    def __init__(self, providers: Providers, told: Told, journal: Kept) -> None:
        """Nothing was told yet; whoever is new is taken to be well."""
        self._journal = journal
        self._said_of_journal = _WELL
        self._providers = providers
        self._told = told
        self._said: dict[str, State] = {}
        """Of those that are not well."""

    def __repr__(self) -> str:
        """Tell of whom something is known."""
        return f"<Health {self._said!r}>"

    def forget(self) -> None:
        """Somebody else listens now, who knows nothing; or the configuration is another.

        What was told of who was not well is not taken back by that: there may be another deployment by its name.
        """
        self._said = dict.fromkeys(self._said, _UNTOLD)
        self._said_of_journal = _WELL

    def sweep(self, now: float) -> None:
        """Tell what has changed since the last time."""
        changed: list[DeploymentHealth] = []
        said: dict[str, State] = {}
        for name, runtime in self._providers.by_id.items():
            state, well = _state(runtime, now), _well(runtime)
            if state != self._said.get(name, well):
                changed.append(_health(runtime, now))
            if state != well:
                said[name] = state
        if not changed or self._told.health(tuple(changed)):
            self._said = said
        journal = Journal(_WRITING.get(self._journal.state, "writing"), self._journal.dropped)
        if journal != self._said_of_journal and self._told.journal(journal):
            self._said_of_journal = journal


def _state(runtime: ProviderRuntime, now: float) -> State:
    breaker = runtime.breaker
    return breaker.state, breaker.rests_until > now, breaker.in_a_row, runtime.pool.busy, runtime.pool.limit.limit


def _well(runtime: ProviderRuntime) -> State:
    return "closed", False, 0, 0, runtime.provider.max_connections


def _health(runtime: ProviderRuntime, now: float) -> DeploymentHealth:
    breaker = runtime.breaker
    return DeploymentHealth(
        runtime.id,
        breaker.state,
        breaker.in_a_row,
        max(0.0, breaker.reopens_at - now),
        max(0.0, breaker.rests_until - now),
        runtime.pool.busy,
        runtime.pool.limit.limit,
    )
