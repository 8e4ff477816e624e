"""Providers in trouble for longer: who is left alone, who is tried, how many requests are sent at the same time."""

import pytest

from sluicegate.domain.snapshot import Circuit, Concurrency, ModelAlias, Provider, Retries, Target
from tests.flows.faults import ANSWER
from tests.flows.test_retrying import ask, calls, good_answer, nothing_is_left
from tests.gateway.node import Node, Peer, a_provider, a_request, a_snapshot, an_answer, parts

BUSY = b'{"error":{"message":"busy"}}'
CIRCUIT = Circuit(consecutive=3, ejection=5.0)


def two(node: Node, *, retries: Retries | None = None, circuit: Circuit = CIRCUIT) -> None:
    """A first provider and one that is asked where it may not be."""
    providers = (a_provider("first", circuit=circuit), a_provider("second", circuit=circuit))
    alias = ModelAlias("smart", (Target("first", "model-a"),), fallbacks=((Target("second", "model-b"),),))
    node.services.configure(a_snapshot(providers=providers, models=(alias,), retries=retries or Retries(attempts=1)))


def one(node: Node, provider: Provider, *, retries: Retries | None = None) -> None:
    """A single provider."""
    alias = ModelAlias("smart", (Target("first", "model-a"),))
    node.services.configure(a_snapshot(providers=(provider,), models=(alias,), retries=retries or Retries(attempts=1)))


def whom(node: Node) -> str:
    """Who has the request that was sent last, by where its bytes are that nobody has read yet."""
    found = [name for peer, name in zip(node.opener.peers, node.opener.reached, strict=True) if peer.hears()]
    assert len(found) == 1
    return found[0]


def says(node: Node, name: str, status: int, *fields: str) -> None:
    """The provider of this name answers."""
    peer = next(
        peer
        for peer, reached in zip(node.opener.peers, node.opener.reached, strict=True)
        if reached == name and peer.is_connected
    )
    peer.says(an_answer(ANSWER if status == 200 else BUSY, status=f"{status} X", fields=fields))


def turn(node: Node, status: int, *fields: str) -> str:
    """A request comes, and whoever has it answers so: who."""
    client = ask(node)
    name = whom(node)
    says(node, name, status, *fields)
    assert parts(client.hears())[0] == status
    return name


def test_a_provider_is_left_alone_after_failures_in_a_row(node: Node) -> None:
    """Three failures; then others are asked until its time is over; then one request tries it."""
    two(node)
    assert [turn(node, 500) for _ in range(3)] == ["first"] * 3
    assert [turn(node, 200) for _ in range(2)] == ["second"] * 2
    node.passes(5.0)
    probe = ask(node)
    assert whom(node) == "first"
    assert turn(node, 200) == "second"
    says(node, "first", 200)
    assert parts(probe.hears())[0] == 200
    assert turn(node, 200) == "first"


def test_a_probe_that_fails_doubles_the_time(node: Node) -> None:
    """Five seconds, then ten."""
    two(node)
    for _ in range(3):
        turn(node, 500)
    node.passes(5.0)
    assert turn(node, 503) == "first"
    node.passes(9.0)
    assert turn(node, 200) == "second"
    node.passes(1.0)
    assert turn(node, 200) == "first"


def test_a_probe_whose_client_leaves_makes_room_for_another(node: Node) -> None:
    """It ended without a verdict."""
    two(node)
    for _ in range(3):
        turn(node, 500)
    node.passes(5.0)
    probe = ask(node)
    assert whom(node) == "first"
    probe.leaves()
    assert turn(node, 200) == "first"


@pytest.mark.parametrize("status", [201, 204, 301, 400, 404])
def test_any_answer_that_is_no_failure_of_its_own_ends_the_probe(node: Node, status: int) -> None:
    """It answers: that is all that was to be known."""
    two(node)
    for _ in range(3):
        turn(node, 500)
    node.passes(5.0)
    probe = ask(node)
    assert whom(node) == "first"
    peer = next(peer for peer in node.opener.peers if peer.is_connected)
    raw = an_answer(BUSY, status=f"{status} X")
    peer.says(b"HTTP/1.1 204 X\r\n\r\n" if status == 204 else raw)
    assert parts(probe.hears())[0] == status
    assert turn(node, 200) == "first"


def test_a_probe_that_nobody_may_ask_is_not_used_up(node: Node) -> None:
    """A retry that the budget refuses was chosen and not sent: the next request tries the provider."""
    two(node, retries=Retries(attempts=2, budget=0.0))
    for _ in range(3):
        turn(node, 500)
    node.passes(5.0)
    second = node.services.providers.by_id["second"]
    second.breaker.limited(node.now, node, node.now + 0.5)
    probe = ask(node)
    assert whom(node) == "first"
    probe.leaves()
    node.passes(0.5)
    assert turn(node, 200) == "first"


def test_who_left_from_before_lets_no_second_probe_through(node: Node) -> None:
    """Requests that were sent before the ejection and are cancelled while it is tried do not end the probe."""
    two(node)
    old = ask(node)
    assert whom(node) == "first"
    for _ in range(3):
        ask(node)
        assert whom(node) == "first"
        node.opener.peers[-1].says(an_answer(BUSY, status="500 X"))
    node.passes(5.0)
    ask(node)
    assert whom(node) == "first"
    old.leaves()
    assert turn(node, 200) == "second"


def test_a_probe_that_finds_no_room_is_not_used_up(node: Node) -> None:
    """It goes elsewhere from our own line; the next one that finds room tries the provider."""
    first = a_provider("first", circuit=CIRCUIT, max_connections=1, concurrency=Concurrency(queue=1))
    alias = ModelAlias("smart", (Target("first", "model-a"),), fallbacks=((Target("second", "model-b"),),))
    providers = (first, a_provider("second"))
    node.services.configure(a_snapshot(providers=providers, models=(alias,), retries=Retries(attempts=2)))
    for _ in range(2):
        ask(node)
    breaker = node.services.providers.by_id["first"].breaker
    for _ in range(3):
        breaker.failed(node.now, node, may_eject=True)
    node.passes(5.0)
    ask(node)
    assert calls(node) == {"first": 1, "second": 1}
    assert (breaker.state, breaker.is_usable(node.now)) == ("open", True)


def test_who_is_limited_rests(node: Node) -> None:
    """429 is no failure: it is asked again when it said so, without a probe."""
    two(node)
    assert turn(node, 429, "Retry-After: 3") == "first"
    assert turn(node, 200) == "second"
    node.passes(2.9)
    assert turn(node, 200) == "second"
    node.passes(0.2)
    assert [turn(node, 200) for _ in range(2)] == ["first"] * 2
    assert node.services.providers.by_id["first"].breaker.state == "closed"


def test_who_has_nothing_left_rests_until_its_reset(node: Node) -> None:
    """A good answer may say so."""
    two(node)
    fields = ("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 6s")
    assert turn(node, 200, *fields) == "first"
    assert turn(node, 200) == "second"
    node.passes(6.1)
    assert turn(node, 200) == "first"


def test_the_last_one_is_asked_however_it_fares(node: Node) -> None:
    """A refusal of ours would help nobody."""
    one(node, a_provider("first", circuit=CIRCUIT))
    assert [turn(node, 500) for _ in range(8)] == ["first"] * 8


def test_where_all_are_in_trouble_the_one_that_is_usable_first_is_asked(node: Node) -> None:
    """The second one is not ejected while the first is; who rests longer waits."""
    two(node)
    assert [turn(node, 500) for _ in range(3)] == ["first"] * 3
    assert [turn(node, 500) for _ in range(6)] == ["second"] * 6
    assert turn(node, 429, "Retry-After: 60") == "second"
    assert turn(node, 200) == "first"


def test_a_circuit_that_opens_for_the_last_one_refuses_at_once(node: Node) -> None:
    """503 with the time until the next try; then one request is sent, and others are refused until it is answered."""
    one(node, a_provider("first", circuit=Circuit(consecutive=2, ejection=5.0, opens_last=True)))
    assert [turn(node, 500) for _ in range(2)] == ["first"] * 2
    client = ask(node)
    status, fields, body = parts(client.hears())
    assert (status, fields["retry-after"]) == (503, "5")
    assert b"no_healthy_target" in body
    assert node.events()[-1].error == "no_healthy_target"
    node.passes(5.0)
    probe = ask(node)
    assert whom(node) == "first"
    assert parts(ask(node).hears())[0] == 503
    says(node, "first", 200)
    assert parts(probe.hears())[0] == 200
    assert turn(node, 200) == "first"


def test_a_circuit_that_opened_ends_the_retries(node: Node) -> None:
    """The pause would end before anybody may be asked: the client gets the provider's own answer."""
    circuit = Circuit(consecutive=2, ejection=5.0, opens_last=True)
    one(node, a_provider("first", circuit=circuit), retries=Retries(attempts=5))
    client = ask(node)
    says(node, "first", 500)
    node.passes(0.375)
    says(node, "first", 500)
    status, _, body = parts(client.hears())
    assert (status, body) == (500, BUSY)
    assert calls(node)["first"] == 2


def test_an_overloaded_provider_has_fewer_at_a_time(node: Node) -> None:
    """Of eight at the same time six remain, down to the least; the others wait, and go as soon as answers come."""
    one(node, a_provider("first", concurrency=Concurrency(least=2)))
    clients = [ask(node) for _ in range(8)]
    peers = list(node.opener.peers)
    peers[0].says(an_answer(BUSY, status="503 X"))
    assert parts(clients[0].hears())[0] == 503
    pool = node.services.providers.by_id["first"].pool
    assert (pool.limit.limit, pool.busy) == (6, 7)
    late = ask(node)
    assert len(node.opener.peers) == 8
    for number in (1, 2):
        assert sum(calls(node).values()) == 8
        peers[number].says(an_answer(ANSWER))
        assert parts(clients[number].hears())[0] == 200
    assert sum(calls(node).values()) == 9
    peer = next(peer for peer in peers if bytes(peer.transport.sent).count(b"POST") == 2)
    peer.says(an_answer(ANSWER))
    assert parts(late.hears())[0] == 200


def test_no_first_byte_in_time_is_an_overload_too(node: Node) -> None:
    """One that is slow with all has fewer."""
    one(node, a_provider("first", concurrency=Concurrency(least=2)))
    for _ in range(8):
        ask(node)
    node.passes(601.0)
    assert node.services.providers.by_id["first"].pool.limit.limit < 8


def test_an_organizations_line_does_not_hold_up_another(node: Node) -> None:
    """Who finds the line full finds another deployment, or is refused with 503 and when to come back."""
    providers = (
        a_provider("first", max_connections=1, concurrency=Concurrency(queue=1)),
        a_provider("second", max_connections=1, concurrency=Concurrency(queue=1)),
    )
    alias = ModelAlias("smart", (Target("first", "model-a"),), fallbacks=((Target("second", "model-b"),),))
    node.services.configure(a_snapshot(providers=providers, models=(alias,), retries=Retries(attempts=3)))
    clients = [ask(node) for _ in range(5)]
    assert calls(node) == {"first": 1, "second": 1}
    status, fields, body = parts(clients[4].hears())
    assert (status, fields["retry-after"], b"overloaded" in body) == (503, "1", True)
    assert [client.hears() for client in clients[:4]] == [b""] * 4
    for _ in range(2):
        for peer in list(node.opener.peers):
            peer.says(an_answer(ANSWER))
    assert [parts(client.hears())[0] for client in clients[:4]] == [200] * 4
    nothing_is_left(node)


def test_a_stale_connection_is_no_failure(node: Node) -> None:
    """A provider may close what was idle; the request is sent anew, and nothing is held against it."""
    two(node, circuit=Circuit(consecutive=1))
    turn(node, 200)
    client = ask(node)
    node.provider.leaves(ConnectionResetError())
    node.provider.says(good_answer(is_stream=False))
    assert parts(client.hears())[0] == 200
    assert node.services.providers.by_id["first"].breaker.state == "closed"


def test_a_websocket_that_is_opened_ends_a_probe(node: Node) -> None:
    """To switch protocols is a good answer."""
    node.services.configure(a_snapshot(providers=(a_provider("first", circuit=Circuit(opens_last=True)),)))
    breaker = node.services.providers.by_id["first"].breaker
    for _ in range(5):
        breaker.failed(node.now, node, may_eject=True)
    node.passes(5.0)
    client: Peer = node.client().says(
        a_request("/first/realtime?model=m", b"", method="GET", fields=("Connection: Upgrade", "Upgrade: websocket"))
    )
    node.provider.says(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert parts(client.hears())[0] == 101
    assert breaker.state == "closed"
