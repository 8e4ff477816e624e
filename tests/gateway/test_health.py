"""What control is told of how the deployments and the journal do."""

from sluicegate.gateway.health import Health
from sluicegate.gateway.journal import JournalState
from sluicegate.wire.link import DeploymentHealth, Journal
from tests.gateway.node import Node, a_provider, a_request, a_snapshot, an_answer


class Listening:
    """Control, which may be away."""

    def __init__(self) -> None:
        self.heard: list[DeploymentHealth] = []
        self.of_journal: list[Journal] = []
        self.is_away = False

    def health(self, deployments: tuple[DeploymentHealth, ...]) -> bool:
        if not self.is_away:
            self.heard += deployments
        return not self.is_away

    def journal(self, journal: Journal) -> bool:
        if not self.is_away:
            self.of_journal.append(journal)
        return not self.is_away

    def take(self) -> list[DeploymentHealth]:
        heard, self.heard = self.heard, []
        return heard


class Written:
    """A journal that does as the test says."""

    def __init__(self) -> None:
        self.state: JournalState = "writing"
        self.dropped = 0


def a_health(node: Node, listening: Listening, journal: Written | None = None) -> Health:
    """Of two deployments."""
    node.services.configure(a_snapshot(providers=(a_provider(deployment="eu"), a_provider(deployment="us"))))
    return Health(node.services.providers, listening, journal or Written())


def test_nothing_is_told_of_who_is_well(node: Node) -> None:
    """However often it is looked at."""
    listening = Listening()
    health = a_health(node, listening)
    health.sweep(1.0)
    health.sweep(2.0)
    assert listening.take() == []


def test_a_change_is_told_once(node: Node) -> None:
    """Of the one that has changed, with what is left of its times."""
    listening = Listening()
    health = a_health(node, listening)
    breaker = node.services.providers.by_id["openai/us"].breaker
    for _ in range(5):
        breaker.failed(100.0, node, may_eject=True)
    health.sweep(101.0)
    health.sweep(101.5)
    assert listening.take() == [DeploymentHealth("openai/us", "open", 0, 4.0, 0.0, 0, 16_384)]
    breaker.admit(106.0, node)
    breaker.succeeded(106.5)
    breaker.limited(107.0, node, 110.0)
    health.sweep(107.0)
    assert listening.take() == [DeploymentHealth("openai/us", "closed", 0, 0.0, 3.0, 0, 16_384)]
    health.sweep(111.0)
    assert listening.take() == [DeploymentHealth("openai/us", "closed", 0, 0.0, 0.0, 0, 16_384)]


def test_requests_under_way_are_told_when_their_number_has_changed(node: Node) -> None:
    """At a sweep: so it costs the same however many begin and end, and however often somebody asks."""
    listening = Listening()
    health = Health(node.services.providers, listening, Written())
    client = node.client().says(a_request())
    health.sweep(1.0)
    health.sweep(1.5)
    assert [(one.id, one.busy) for one in listening.take()] == [("openai", 1)]
    node.provider.says(an_answer())
    assert client.hears()
    health.sweep(2.0)
    assert [(one.id, one.busy) for one in listening.take()] == [("openai", 0)]


def test_what_could_not_be_told_is_told_later(node: Node) -> None:
    """And again to a control process that is new."""
    listening = Listening()
    health = a_health(node, listening)
    node.services.providers.by_id["openai/eu"].breaker.failed(100.0, node, may_eject=True)
    listening.is_away = True
    health.sweep(101.0)
    listening.is_away = False
    health.sweep(102.0)
    assert [one.failures for one in listening.take()] == [1]
    health.forget()
    health.sweep(103.0)
    assert [one.id for one in listening.take()] == ["openai/eu"]


def test_who_is_gone_is_forgotten(node: Node) -> None:
    """A deployment of a later configuration by the same name is taken to be well."""
    listening = Listening()
    health = a_health(node, listening)
    node.services.providers.by_id["openai/eu"].breaker.failed(100.0, node, may_eject=True)
    health.sweep(101.0)
    assert "openai/eu" in repr(health)
    node.services.configure(a_snapshot())
    health.sweep(102.0)
    a_health(node, listening)
    listening.take()
    health.sweep(103.0)
    assert listening.take() == []


def test_who_is_another_by_the_same_name_is_told_of(node: Node) -> None:
    """It is well, and control still believes what was said of the one before."""
    listening = Listening()
    health = a_health(node, listening)
    node.services.providers.by_id["openai/eu"].breaker.limited(100.0, node, 900.0)
    health.sweep(101.0)
    assert [one.rests_for for one in listening.take()] == [799.0]
    renewed = a_provider(deployment="eu", max_wait=3.0)
    node.services.configure(a_snapshot(providers=(renewed, a_provider(deployment="us"))))
    health.forget()
    health.sweep(102.0)
    assert listening.take() == [DeploymentHealth("openai/eu", "closed", 0, 0.0, 0.0, 0, 16_384)]
    health.sweep(103.0)
    assert listening.take() == []


def test_the_journal_is_told_of_when_it_changes(node: Node) -> None:
    """Once each; also how many events were lost meanwhile. That no new segment can be made does no event any harm."""
    listening, journal = Listening(), Written()
    health = a_health(node, listening, journal)
    states: list[tuple[JournalState, int]] = [
        *(("writing", 0), ("overlong", 0), ("holding", 0), ("holding", 0)),
        *(("dropping", 2), ("dropping", 5), ("writing", 5)),
    ]
    for journal.state, journal.dropped in states:
        health.sweep(1.0)
    assert listening.of_journal == [
        Journal("holding", 0),
        Journal("dropping", 2),
        Journal("dropping", 5),
        Journal("writing", 5),
    ]


def test_the_journal_is_told_of_again_to_who_is_new(node: Node) -> None:
    """And later to who was away."""
    listening, journal = Listening(), Written()
    health = a_health(node, listening, journal)
    journal.state, journal.dropped = "holding", 3
    listening.is_away = True
    health.sweep(1.0)
    listening.is_away = False
    health.sweep(2.0)
    health.forget()
    health.sweep(3.0)
    assert listening.of_journal == [Journal("holding", 3)] * 2
