"""A second one asked beside the first: the first good answer counts, the client gets that alone, the other one ends."""

from typing import Any

import msgspec
import pytest

from sluicegate.domain.errors import UpstreamUnreachableError
from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.limits import Calendar, Limit
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Circuit, ModelAlias, Retries, Target
from sluicegate.domain.tokens import digest
from sluicegate.domain.underway import table_name
from sluicegate.gateway.providers import ProviderRuntime
from tests.flows.faults import ANSWER, TIMEOUTS
from tests.flows.test_retrying import ask, calls, nothing_is_left
from tests.gateway.node import TOKEN, Node, Peer, a_provider, a_request, a_snapshot, an_answer, parts

OTHER = b'{"id":"c2","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
BUSY = b'{"error":{"message":"busy"}}'


def hedged(node: Node, *, circuit: Circuit | None = None, **changes: Any) -> None:
    """Two providers, of which the second is asked after a second."""
    first = a_provider("first", timeouts=TIMEOUTS, circuit=circuit or Circuit())
    second = a_provider("second", timeouts=TIMEOUTS, circuit=circuit or Circuit())
    targets = (Target("first", "model-a"), Target("second", "model-b", 0))
    alias = ModelAlias("smart", targets, hedge=1.0, retries=Retries(attempts=3, **changes))
    node.services.configure(a_snapshot(providers=(first, second), models=(alias,)))


def both(node: Node) -> tuple[Peer, Peer, Peer]:
    """A client whose request both have, and both."""
    client = ask(node)
    node.passes(1.0)
    first, second = node.opener.peers
    assert node.opener.reached == ["first", "second"]
    return client, first, second


def failing(status: int) -> bytes:
    """An answer that is an error."""
    return an_answer(BUSY, status=f"{status} X")


def test_a_quick_answer_asks_nobody_else(node: Node) -> None:
    """Before the time has come there is one request, and after it there is nothing left to do."""
    hedged(node)
    client = ask(node)
    node.passes(0.9)
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[1]["x-gateway-attempts"] == "1"
    assert all(handle.cancelled() for _, handle in node.timers)
    node.passes(1.0)
    assert calls(node) == {"first": 1}
    nothing_is_left(node)


@pytest.mark.parametrize("winner", [0, 1])
def test_the_first_answer_counts(node: Node, winner: int) -> None:
    """Whichever it is: it alone is the client's and the event's, and the other request is cancelled."""
    hedged(node)
    client, *providers = both(node)
    provider, model, body = [("first", "model-a", ANSWER), ("second", "model-b", OTHER)][winner]
    providers[winner].says(an_answer(body))
    status, fields, got = parts(client.hears())
    assert (status, got) == (200, body)
    assert (fields["x-gateway-provider"], fields["x-gateway-model"]) == (provider, model)
    assert fields["x-gateway-attempts"] == "2"
    assert providers[winner].is_connected
    assert not providers[1 - winner].is_connected
    (event,) = node.events()
    assert (event.provider, event.model, event.attempts, event.failed_attempts) == (provider, model, 2, ())
    providers[1 - winner].says(an_answer(b'{"late":true}'))
    assert client.hears() == b""
    nothing_is_left(node)


@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
@pytest.mark.parametrize("loser", [0, 1])
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_failure_does_not_count(node: Node, status: int, loser: int, *, is_whole: bool) -> None:
    """The other one is waited for; what failed is recorded; its connection is used again where it may be."""
    hedged(node)
    client, *providers = both(node)
    raw = failing(status)
    providers[loser].says(raw if is_whole else raw[:-1])
    assert client.hears() == b""
    assert providers[loser].is_connected is is_whole
    providers[1 - loser].says(an_answer(ANSWER))
    answered, _, body = parts(client.hears())
    assert (answered, body) == (200, ANSWER)
    failed = [FailedAttempt("first", "model-a", status), FailedAttempt("second", "model-b", status)][loser]
    assert node.events()[0].failed_attempts == (failed,)
    nothing_is_left(node)
    for runtime in node.services.providers.by_id.values():
        assert all(connection.transport is not None for connection in runtime.pool.all)


@pytest.mark.parametrize("status", [501, 400, 404])
@pytest.mark.parametrize("winner", [0, 1])
def test_an_answer_that_is_no_failure_of_the_deployment_counts(node: Node, status: int, winner: int) -> None:
    """It is the client's, alone; the other one ends."""
    hedged(node)
    client, *providers = both(node)
    providers[winner].says(failing(status))
    answered, _, body = parts(client.hears())
    assert (answered, body) == (status, BUSY)
    assert not providers[1 - winner].is_connected
    nothing_is_left(node)


def test_a_failure_that_is_never_sent_again_does_not_count_either(node: Node) -> None:
    """Nobody is asked anew for a 503 here, but who is asked already is waited for; the client gets one answer."""
    hedged(node, statuses=(429,))
    client, first, second = both(node)
    second.says(failing(503))
    assert client.hears() == b""
    first.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    nothing_is_left(node)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_both_fail(node: Node, order: tuple[int, int]) -> None:
    """Then it is like any other failure: somebody is asked again, after a pause, as the second and last time."""
    hedged(node)
    client, *providers = both(node)
    providers[order[0]].says(failing(503))
    providers[order[1]].says(failing(500))
    assert client.hears() == b""
    node.passes(0.75)
    assert sum(calls(node).values()) == 3
    waiting = [peer for peer in node.opener.peers if peer.is_connected]
    asked = next(peer for peer in waiting if peer.hears().count(b"POST") == 2 or peer not in providers)
    asked.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    event = node.events()[0]
    assert [attempt.status for attempt in event.failed_attempts] == [503, 500]
    assert event.attempts == 3


@pytest.mark.parametrize("loser", [0, 1])
def test_a_connection_that_breaks_leaves_the_other_one(node: Node, loser: int) -> None:
    """A reset of either is recorded, and the other one is waited for."""
    hedged(node)
    client, *providers = both(node)
    providers[loser].leaves(ConnectionResetError())
    assert client.hears() == b""
    providers[1 - loser].says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    (event,) = node.events()
    assert [attempt.error for attempt in event.failed_attempts] == ["upstream_error"]
    nothing_is_left(node)


def test_a_second_one_that_cannot_be_reached_changes_nothing(node: Node) -> None:
    """The first one's answer is waited for."""
    hedged(node)
    client = ask(node)
    node.opener.refusal = UpstreamUnreachableError("refused")
    node.passes(1.0)
    assert client.hears() == b""
    node.opener.peers[0].says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    assert node.events()[0].failed_attempts == (FailedAttempt("second", "model-b", 0, "upstream_unreachable"),)


CHEAP = Rates(input=1_000_000_000, output=2_000_000_000)


def limited(node: Node, maximum: int, second: Rates) -> None:
    """The caller may spend so many nano-dollars; the first provider is cheap, and the second costs that."""
    usd = Limit("organization", "org_a", "usd", Calendar("month"), maximum)
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", organization_id="org_a", limits=(usd,))
    node.link.prices |= {"model-a": Price("v1", CHEAP), "model-b": Price("v2", second)}


def test_a_second_one_that_is_too_dear_is_not_asked(node: Node) -> None:
    """What the limits refuse the second is no reason to end the first."""
    hedged(node)
    limited(node, 1_000_000, Rates(input=9_000_000_000_000, output=9_000_000_000_000))
    client = ask(node)
    node.passes(1.0)
    assert calls(node) == {"first": 1}
    assert client.hears() == b""
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    assert [charge.amount for charge in node.events()[0].charges] == [50_000]
    nothing_is_left(node)


def test_a_client_that_leaves_ends_both(node: Node) -> None:
    """Nothing is under way any more, and one event says so."""
    hedged(node)
    client, first, second = both(node)
    client.leaves()
    assert (first.is_connected, second.is_connected) == (False, False)
    assert [event.status_code for event in node.events()] == [499]
    nothing_is_left(node)


def test_the_first_timeout_is_the_seconds(node: Node) -> None:
    """Who is asked later may take as long; then both are too late."""
    hedged(node)
    client, _, _ = both(node)
    node.passes(20.5)
    assert client.hears() == b""
    assert node.opener.peers[0].is_connected
    assert not node.opener.peers[1].is_connected
    node.passes(0.5)
    assert parts(client.hears())[0] == 504
    nothing_is_left(node)


def test_a_stream_is_never_hedged(node: Node) -> None:
    """Nor is what may not be repeated."""
    hedged(node)
    ask(node, is_stream=True)
    node.client().says(a_request("/first/chat/completions", b'{"model":"smart","messages":[]}'))
    node.passes(5.0)
    assert set(node.opener.reached) == {"first"}


def test_nobody_is_hedged_while_waiting_for_a_connection(node: Node) -> None:
    """What was not sent yet is no sign of a slow provider."""
    hedged(node)
    node.opener.is_stuck = True
    ask(node)
    node.passes(2.0)
    assert [provider.id for provider, _, _ in node.opener.asked] == ["first"]


def test_a_failure_before_the_time_is_a_retry_as_usual(node: Node) -> None:
    """And no second one is asked beside that."""
    hedged(node)
    client = ask(node)
    node.provider.says(failing(500))
    assert node.opener.reached == ["first", "second"]
    assert all(handle.cancelled() for _, handle in node.timers)
    node.passes(2.0)
    node.provider.says(an_answer(OTHER))
    assert parts(client.hears())[1]["x-gateway-attempts"] == "2"


def test_a_second_one_that_waits_for_its_price_is_not_asked_behind_an_answer(node: Node) -> None:
    """What waited when the first one's answer began has nothing to do any more: the client gets that answer alone."""
    hedged(node)
    limited(node, 1_000_000_000, CHEAP)
    client = ask(node)
    node.link.is_silent = True
    node.passes(1.0)
    assert node.link.priced[-1] == ("second", "model-b", "org_a")
    answer = an_answer(ANSWER)
    node.provider.says(answer[:-5])
    node.link.is_silent = False
    node.services.prices.link_restored()
    node.settle()
    node.opener.peers[0].says(answer[-5:])
    assert parts(client.hears())[2] == ANSWER
    assert node.opener.reached == ["first"]
    nothing_is_left(node)


@pytest.mark.parametrize("is_whole", [False, True], ids=["begun", "whole"])
def test_a_second_one_that_waits_for_its_line_is_not_asked_behind_an_answer(node: Node, *, is_whole: bool) -> None:
    """Nor is its connection taken for one to the first provider, whose key it would be sent."""
    hedged(node)
    # No table of what is under way can be had, so that a line of the journal goes before each request.
    (node.directory / table_name(node.journal.incarnation)).touch()
    limited(node, 1_000_000_000, Rates(input=10_000_000_000, output=20_000_000_000))
    client = ask(node)
    node.opener.is_stuck = True
    node.passes(1.0)
    node.passes(0.1)
    ((_, make, _),) = node.opener.asked
    second = node.opener.connect(make)
    answer = an_answer(ANSWER)
    first = node.opener.peers[0]
    if not is_whole:
        first.says(answer[:-1])
        assert second.hears() == b""
        answer = answer[-1:]
    first.says(answer)
    assert parts(client.hears())[2] == ANSWER
    nothing_is_left(node)
    pools = [runtime.pool for runtime in node.services.providers.by_id.values()]
    assert [(len(pool.all), len(pool._idle)) for pool in pools] == [(1, 1), (1, 1)]
    first.hears()
    again = ask(node)
    assert first.hears().startswith(b"POST")
    assert second.hears() == b""
    first.says(an_answer(ANSWER))
    assert parts(again.hears())[2] == ANSWER


def overheads(node: Node) -> list[int | None]:
    """What the events say of our own time."""
    return [event.overhead_us for event in node.events()]


@pytest.mark.parametrize("winner", [0, 1])
def test_what_both_took_is_no_overhead_of_ours(node: Node, winner: int) -> None:
    """Nor is it less than none: the time until a second one was asked is that of the first one's answer."""
    hedged(node)
    client, *providers = both(node)
    node.passes(0.5)
    providers[winner].says(an_answer(ANSWER))
    assert parts(client.hears())[1]["x-gateway-overhead-us"] == "0"
    assert overheads(node) == [0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_both_took_before_a_third_is_no_overhead_either(node: Node, order: tuple[int, int]) -> None:
    """Whichever of them failed first."""
    hedged(node)
    _, *providers = both(node)
    for loser in order:
        node.passes(0.5)
        providers[loser].says(failing(503))
    node.passes(0.75)
    node.passes(0.5)
    next(peer for peer in node.opener.peers if peer.hears().count(b"POST") == 2 or peer not in providers).says(
        an_answer(ANSWER)
    )
    assert overheads(node) == [0]


# -- what is learnt of the one that does not count


def runtimes(node: Node) -> list[ProviderRuntime]:
    """Of the first and the second."""
    return [node.services.providers.by_id[name] for name in ("first", "second")]


@pytest.mark.parametrize("loser", [0, 1])
def test_a_failure_that_does_not_count_is_the_deployments_own(node: Node, loser: int) -> None:
    """Its breaker hears of it; the other one's does not."""
    hedged(node, circuit=Circuit(consecutive=1))
    _, *providers = both(node)
    providers[loser].says(failing(500))
    assert [runtimes(node)[one].breaker.state for one in (loser, 1 - loser)] == ["open", "closed"]


@pytest.mark.parametrize("loser", [0, 1])
def test_a_connection_that_breaks_is_the_deployments_own_failure(node: Node, loser: int) -> None:
    """As of any other request."""
    hedged(node, circuit=Circuit(consecutive=1))
    _, *providers = both(node)
    providers[loser].ends()
    assert [runtimes(node)[one].breaker.state for one in (loser, 1 - loser)] == ["open", "closed"]


@pytest.mark.parametrize(
    "fields", [("Retry-After: 7",), ("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 7s")]
)
def test_a_limited_one_rests_as_long_as_it_asks_for(node: Node, fields: tuple[str, ...]) -> None:
    """Whichever way it says so."""
    hedged(node)
    _, first, _ = both(node)
    first.says(an_answer(BUSY, status="429 X", fields=fields))
    breaker = runtimes(node)[0].breaker
    assert (breaker.is_usable(node.now + 6.9), breaker.is_usable(node.now + 7.1)) == (False, True)


@pytest.mark.parametrize("loser", [0, 1])
def test_what_a_failure_reported_is_paid_for(node: Node, loser: int) -> None:
    """By its own price, on top of what the answer took."""
    hedged(node)
    usd = Limit("organization", "org_a", "usd", Calendar("month"), 10**12)
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", organization_id="org_a", limits=(usd,))
    prices = [Price("v1", Rates(input=10**9, output=10**9)), Price("v2", Rates(input=10**10, output=10**10))]
    node.link.prices |= dict(zip(("model-a", "model-b"), prices, strict=True))
    ask(node)
    node.passes(1.0)
    node.passes(0.05)
    providers = node.opener.peers
    usage = b'{"error":{"message":"x"},"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    providers[loser].says(an_answer(usage, status="500 X"))
    providers[1 - loser].says(an_answer(OTHER))
    (event,) = node.events()
    assert event.cost == [7 * 1_000 + 3 * 10_000, 3 * 1_000 + 7 * 10_000][loser]


def test_a_second_one_that_was_a_probe_leaves_it_to_another(node: Node) -> None:
    """The first one's answer ends it without a verdict."""
    hedged(node)
    breaker = runtimes(node)[1].breaker
    for _ in range(Circuit().consecutive):
        breaker.failed(node.now, node, may_eject=True)
    node.passes(Circuit().ejection)
    _, first, _ = both(node)
    assert (breaker.state, breaker.is_usable(node.now)) == ("half_open", False)
    first.says(an_answer(ANSWER))
    assert breaker.is_usable(node.now)


def test_a_first_one_whose_connection_broke_is_gone_back_to_by_nobody(node: Node) -> None:
    """When the second one fails as well, somebody is asked again."""
    hedged(node)
    client, first, second = both(node)
    first.leaves(ConnectionResetError())
    second.says(failing(503))
    node.passes(0.75)
    assert sum(calls(node).values()) == 3
    assert node.opener.reached == ["first", "second", "first"]
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    nothing_is_left(node)


# -- when nobody is asked


def test_where_there_is_nobody_else_the_first_one_is_waited_for(node: Node) -> None:
    """Nothing happens when the time has come."""
    alias = ModelAlias("smart", (Target("first", "model-a"),), hedge=1.0, retries=Retries(attempts=3))
    node.services.configure(a_snapshot(providers=(a_provider("first"),), models=(alias,)))
    client = ask(node)
    node.passes(1.0)
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[1]["x-gateway-attempts"] == "1"


def test_a_second_one_is_asked_within_the_budget_of_retries(node: Node) -> None:
    """A storm of slow answers doubles no load."""
    hedged(node)
    node.services.configure(msgspec.structs.replace(node.services.snapshot, retries=Retries(budget=0.0)))
    ask(node)
    node.passes(1.0)
    assert calls(node) == {"first": 1}
