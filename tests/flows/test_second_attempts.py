"""What bounds a second attempt, what it costs, and that nothing of it outlives its client."""

import json
from typing import Any

import msgspec
import pytest

from sluicegate.domain.errors import UpstreamUnreachableError
from sluicegate.domain.events import FailedAttempt
from sluicegate.domain.fallback import is_fallback
from sluicegate.domain.limits import Calendar, Limit
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Circuit, ModelAlias, Retries, Target
from sluicegate.domain.tokens import digest
from sluicegate.domain.underway import lost_event, read_entry, table_name, taken_places
from tests.flows.faults import ANSWER
from tests.flows.test_retrying import ask, calls, counted, nothing_is_left
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer, parts

BUSY = b'{"error":{"message":"busy"}}'
FAILURE = an_answer(BUSY, status="500 X")
CIRCUIT = Circuit()
CHEAP = Price("v1", Rates(input=1_000_000_000, output=2_000_000_000))
DEAR = Price("v2", Rates(input=10_000_000_000, output=20_000_000_000))


def two(node: Node, retries: Retries, *, is_alone: bool = False, circuit: Circuit = CIRCUIT) -> None:
    """A provider, and one for when it fails, unless it is alone."""
    fallbacks = () if is_alone else ((Target("second", "model-b"),),)
    node.services.configure(
        a_snapshot(
            providers=(a_provider("first", circuit=circuit), a_provider("second", circuit=circuit)),
            models=(ModelAlias("smart", (Target("first", "model-a"),), fallbacks=fallbacks),),
            retries=retries,
        )
    )


def funded(node: Node, nano_dollars: int) -> None:
    """The token has a limit in dollars; the first model is cheap, the second dear."""
    usd = Limit("organization", "org_a", "usd", Calendar("month"), nano_dollars)
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", organization_id="org_a", limits=(usd,))
    node.link.prices |= {"model-a": CHEAP, "model-b": DEAR}


def sent_to(node: Node, provider: str) -> dict[str, Any]:
    """The body that this one was sent last."""
    assert node.opener.reached[-1] == provider
    decoded = json.loads(node.provider.hears().partition(b"\r\n\r\n")[2])
    assert isinstance(decoded, dict)
    return decoded


# -- bounds


def test_there_are_no_more_attempts_than_that(node: Node) -> None:
    """The last failure is the client's, as it is."""
    two(node, Retries(attempts=3))
    client = ask(node)
    node.provider.says(FAILURE)
    node.provider.says(FAILURE)
    node.passes(0.76)
    node.opener.peers[0].says(an_answer(b'{"last":1}', status="502 X"))
    status, fields, body = parts(client.hears())
    assert (status, body, fields["x-gateway-attempts"]) == (502, b'{"last":1}', "3")
    (event,) = node.events()
    assert event.failed_attempts == (
        FailedAttempt("first", "model-a", 500),
        FailedAttempt("second", "model-b", 500),
    )
    assert (event.attempts, event.provider) == (3, "first")


def test_nobody_is_asked_after_the_deadline(node: Node) -> None:
    """Counted from the request's beginning."""
    two(node, Retries(attempts=3, deadline=5.0))
    client = ask(node)
    node.passes(5.5)
    node.provider.says(FAILURE)
    assert parts(client.hears())[0] == 500
    assert calls(node) == {"first": 1}


def test_a_pause_that_ends_after_the_deadline_is_not_begun(node: Node) -> None:
    """The client has its answer at once."""
    two(node, Retries(attempts=3, deadline=1.0), is_alone=True)
    client = ask(node)
    node.provider.says(an_answer(BUSY, status="429 X", fields=("Retry-After: 2",)))
    assert parts(client.hears())[0] == 429
    nothing_is_left(node)


@pytest.mark.parametrize(("budget", "again"), [(0.2, 30), (0.0, 0)])
def test_a_budget_bounds_the_attempts_of_all(node: Node, budget: float, again: int) -> None:
    """Small traffic has thirty in ten seconds; with a budget of nothing there are none."""
    two(node, Retries(attempts=2, budget=budget), circuit=Circuit(consecutive=1_000, least=1_000))
    for _ in range(40):
        client = ask(node)
        for peer in [peer for peer in node.opener.peers if peer.hears()]:
            peer.says(FAILURE)
        for peer in [peer for peer in node.opener.peers if peer.hears()]:
            peer.says(FAILURE)
        assert parts(client.hears())[0] == 500
    assert sum(event.attempts for event in node.events()) == 40 + again


def test_the_pause_doubles(node: Node) -> None:
    """A quarter of a second, then half a second, each varied by half."""
    two(node, Retries(attempts=3), is_alone=True)
    ask(node)
    for shortest, longest in ((0.125, 0.375), (0.25, 0.75)):
        node.provider.says(FAILURE)
        before = calls(node)["first"]
        node.passes(shortest - 0.01)
        assert calls(node)["first"] == before
        node.passes(longest - shortest + 0.01)
        assert calls(node)["first"] == before + 1


def test_only_who_asks_for_a_long_pause_gets_it(node: Node) -> None:
    """The second one wants a minute; the first one, which failed at once, is asked again after the usual pause."""
    two(node, Retries(attempts=3))
    client = ask(node)
    node.provider.says(FAILURE)
    node.provider.says(an_answer(BUSY, status="429 X", fields=("Retry-After: 60",)))
    assert client.hears() == b""
    node.passes(0.75)
    assert calls(node) == {"first": 2, "second": 1}


def test_a_worker_that_drains_sends_nothing_again(node: Node) -> None:
    """It has no time left for it."""
    two(node, Retries(attempts=3))
    client = ask(node)
    node.services.is_draining = True
    node.provider.says(FAILURE)
    assert parts(client.hears())[0] == 500


@pytest.mark.parametrize("path", ["/v1/files", "/v1/images/generations", "/v1/audio/speech"])
def test_what_changes_something_is_not_sent_again(node: Node, path: str) -> None:
    """An operation that was read may have been done."""
    node.services.configure(a_snapshot(retries=Retries(attempts=3)))
    client = node.client().says(a_request(path, b'{"model":"m"}'))
    node.provider.says(FAILURE)
    assert parts(client.hears())[0] == 500
    assert len(node.opener.peers) == 1


def test_to_look_is_always_repeated(node: Node) -> None:
    """GET changes nothing."""
    node.services.configure(a_snapshot(retries=Retries(attempts=2)))
    client = node.client().says(a_request("/v1/files/f1", b"", method="GET"))
    node.provider.says(FAILURE)
    node.passes(0.375)
    node.provider.says(an_answer())
    assert parts(client.hears())[1]["x-gateway-attempts"] == "2"


def test_a_body_that_was_passed_on_is_not_sent_again(node: Node) -> None:
    """Nobody has it any more."""
    node.services.configure(a_snapshot(retries=Retries(attempts=3)))
    fields = ("Content-Type: application/json", "Content-Encoding: gzip", "Content-Length: 4")
    client = node.client().says(a_request("/v1/chat/completions", b"", fields=fields) + b"abcd")
    node.provider.says(FAILURE)
    assert parts(client.hears())[0] == 500
    assert len(node.opener.peers) == 1


# -- pass-through


def deployments(node: Node) -> None:
    """Two deployments of a provider."""
    providers = (a_provider("openai", deployment="east"), a_provider("openai", deployment="west", weight=0))
    node.services.configure(a_snapshot(providers=providers, models=(), retries=Retries(attempts=3)))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_providers_own_path_is_transparent(node: Node, status: int) -> None:
    """Its answers are the client's, whatever they are."""
    deployments(node)
    client = node.client().says(a_request("/openai/chat/completions"))
    node.provider.says(an_answer(BUSY, status=f"{status} X"))
    answered, fields, body = parts(client.hears())
    assert (answered, body, fields["x-gateway-attempts"]) == (status, BUSY, "1")
    assert node.opener.reached == ["openai/east"]


def test_a_reset_on_a_providers_own_path_is_final(node: Node) -> None:
    """The request may have been read."""
    deployments(node)
    client = node.client().says(a_request("/openai/chat/completions"))
    node.provider.leaves(ConnectionResetError())
    assert parts(client.hears())[0] == 502
    assert node.opener.reached == ["openai/east"]


@pytest.mark.parametrize("is_held", [True, False])
def test_what_was_never_sent_on_a_providers_own_path_goes_elsewhere(node: Node, *, is_held: bool) -> None:
    """Another deployment is asked where no connection could be made; also for a body that is passed on."""
    deployments(node)
    node.opener.is_stuck = True
    body = b'{"model":"m"}'
    fields = () if is_held else ("Content-Encoding: gzip",)
    client = node.client().says(a_request("/openai/chat/completions", body, fields=fields))
    node.opener.is_stuck = False
    node.opener.asked[0][2](UpstreamUnreachableError("refused"))
    node.settle()
    assert node.opener.reached == ["openai/west"]
    assert node.provider.hears().endswith(body)
    node.provider.says(an_answer())
    assert parts(client.hears())[1]["x-gateway-deployment"] == "west"
    nothing_is_left(node)


# -- a client that leaves


def test_a_client_that_leaves_during_a_pause(node: Node) -> None:
    """The timer is cancelled, nothing is sent, and the event says how often it was tried."""
    two(node, Retries(attempts=3), is_alone=True)
    client = ask(node)
    node.provider.says(FAILURE)
    (timer,) = [handle for _, handle in node.timers]
    client.leaves()
    assert timer.cancelled()
    node.passes(1.0)
    assert calls(node) == {"first": 1}
    (event,) = node.events()
    assert (event.status_code, event.attempts, event.client_disconnected) == (499, 1, True)
    assert event.failed_attempts == (FailedAttempt("first", "model-a", 500),)
    nothing_is_left(node)


def test_a_client_that_leaves_while_the_second_is_awaited(node: Node) -> None:
    """It is cancelled, whether it has a connection or waits for one."""
    two(node, Retries(attempts=3))
    client = ask(node)
    node.provider.says(FAILURE)
    client.leaves()
    assert not node.provider.is_connected
    client = ask(node)
    first = next(peer for peer in node.opener.peers if peer.is_connected)
    node.opener.is_stuck = True
    first.says(FAILURE)
    assert "waiting=1" in repr(node.services.providers.by_id["second"].pool)
    client.leaves()
    assert "waiting=0" in repr(node.services.providers.by_id["second"].pool)


def test_a_configuration_that_comes_during_a_pause_is_for_others(node: Node) -> None:
    """The request goes where it was to go; the connection is closed behind it."""
    two(node, Retries(attempts=3), is_alone=True)
    client = ask(node)
    node.provider.says(FAILURE)
    node.services.configure(a_snapshot())
    node.passes(0.375)
    assert node.opener.reached == ["first", "first"]
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    assert not node.provider.is_connected


# -- costs


@pytest.mark.parametrize("is_limited", [True, False])
def test_a_failed_attempt_costs_what_it_reported(node: Node, *, is_limited: bool) -> None:
    """Its usage and its price are added to those of the answer; the request is one."""
    two(node, Retries(attempts=2))
    if is_limited:
        funded(node, 10**12)
    client = ask(node)
    node.provider.says(
        an_answer(b'{"error":{"message":"x"},"usage":{"prompt_tokens":3,"completion_tokens":4}}', status="500 X")
    )
    node.passes(0.05)
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    event = counted(node)
    assert event.usage is not None
    assert (event.usage.input_tokens, event.usage.output_tokens) == (13, 24)
    if is_limited:
        dollars = 3 * 1000 + 4 * 2000 + 10 * 10_000 + 20 * 20_000
        assert event.cost == dollars
        assert [charge.amount for charge in event.charges] == [dollars]
    nothing_is_left(node)


@pytest.mark.parametrize("is_limited", [True, False])
def test_a_failure_that_is_passed_on_costs_what_it_reported_once(node: Node, *, is_limited: bool) -> None:
    """Nothing comes after it: it is the answer, and metered as one."""
    two(node, Retries(attempts=2))
    if is_limited:
        funded(node, 10**12)
    client = ask(node)
    failure = b'{"error":{"message":"x"},"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    node.provider.says(an_answer(failure, status="500 X"))
    node.passes(0.05)
    node.provider.says(an_answer(failure, status="500 X"))
    assert parts(client.hears())[2] == failure
    event = counted(node)
    assert event.usage is not None
    assert (event.usage.input_tokens, event.usage.output_tokens) == (6, 8)
    if is_limited:
        assert event.cost == 11 * (3 * 1000 + 4 * 2000)
        assert [charge.amount for charge in event.charges] == [event.cost]
    nothing_is_left(node)


def test_a_dearer_fallback_is_reserved_for(node: Node) -> None:
    """The difference is set aside before it is sent, and what is over comes back; the price is the one that answers."""
    two(node, Retries(attempts=2))
    funded(node, 10**9)
    client = ask(node)
    (account,) = node.services.budgets.borrower.accounts.values()
    before = account.reserved
    node.provider.says(FAILURE)
    node.passes(0.05)
    assert account.reserved == 10 * before
    assert json.loads(node.provider.hears().partition(b"\r\n\r\n")[2])["max_tokens"] == 50
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    assert [charge.amount for charge in node.events()[0].charges] == [500_000]
    assert node.events()[0].price_version == "v2"
    nothing_is_left(node)


def test_what_was_sent_is_charged_where_its_dearer_fallback_is_not(node: Node) -> None:
    """More is set aside for who is asked next; that nobody was in the end undoes nothing of the first attempt."""
    two(node, Retries(attempts=2))
    funded(node, 10**9)
    principal = node.link.tokens[digest(TOKEN.encode())]
    requests = Limit("token", "tok_1", "requests", Calendar("month"), 10)
    node.link.tokens[digest(TOKEN.encode())] = msgspec.structs.replace(principal, limits=(*principal.limits, requests))
    client = ask(node)
    node.opener.is_stuck = True
    node.provider.says(FAILURE)
    node.passes(0.05)
    client.leaves()
    event = counted(node)
    assert calls(node) == {"first": 1}
    assert {charge.account: charge.amount for charge in event.charges}[requests.account] == 1
    assert [account.reserved for account in node.services.budgets.borrower.accounts.values()] == [0, 0]


@pytest.mark.parametrize(("allowance", "is_sent"), [(10**9, True), (10**6, False)])
def test_a_dearer_fallback_without_the_ledger(node: Node, allowance: int, is_sent: bool) -> None:
    """The day's allowance stands in for the limit: what is lacking comes of it, or nobody is asked again."""
    two(node, Retries(attempts=2))
    funded(node, 10**9)
    digest_of_token = digest(TOKEN.encode())
    principal = node.link.tokens[digest_of_token]
    assert principal is not None
    node.link.tokens[digest_of_token] = msgspec.structs.replace(
        principal, failure_mode="open", fallback_daily_limit=allowance
    )
    node.ledger.failure = "no connection"
    client = ask(node)
    (fallback,) = [one for one in node.services.budgets.borrower.accounts.values() if is_fallback(one.account)]
    before = fallback.reserved
    node.provider.says(FAILURE)
    for _ in range(12):
        node.passes(0.05)
    if is_sent:
        assert fallback.reserved == 10 * before
        path = node.directory / table_name(node.journal.incarnation)
        (lost,) = [lost_event(*read_entry(entry)) for entry in taken_places(path.read_bytes())]
        assert [(charge.amount, charge.leased) for charge in lost.charges] == [(10 * before, 0)]
        node.provider.says(an_answer(ANSWER))
        assert parts(client.hears())[2] == ANSWER
        assert [charge.amount for charge in node.events()[0].charges] == [500_000]
    else:
        assert b"limit_reached" in client.hears()
        assert calls(node) == {"first": 1}
        assert node.events()[0].limit == fallback.account
    assert fallback.reserved == 0


def test_a_dearer_fallback_is_capped_lower(node: Node) -> None:
    """Where the client has no cap, ours was the first one's: whoever is dearer may write what is left for."""
    two(node, Retries(attempts=2))
    funded(node, 10**8)
    client = node.client().says(a_request(body=b'{"model":"smart","messages":[]}'))
    cheap = sent_to(node, "first")
    assert cheap["max_tokens"] == 16_384
    node.provider.says(FAILURE)
    # The lease grows to what is left of the limit.
    for _ in range(12):
        node.passes(0.05)
    dear = sent_to(node, "second")
    assert (dear["model"], cheap["model"]) == ("model-b", "model-a")
    assert 4_000 < dear["max_tokens"] < 10**8 / DEAR.rates.output * 10**6
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    nothing_is_left(node)


@pytest.mark.parametrize(("maximum", "is_sent"), [(400_000, False), (10**6, True)])
def test_what_a_failed_attempt_took_is_no_longer_there_for_the_next(node: Node, maximum: int, is_sent: bool) -> None:
    """It is set aside on top of what the next one may take; where that is not left, nobody is asked again."""
    two(node, Retries(attempts=2))
    funded(node, maximum)
    node.link.prices["model-b"] = CHEAP
    client = ask(node)
    (account,) = node.services.budgets.borrower.accounts.values()
    before = account.reserved
    assert before < 400_000
    failure = b'{"error":{"message":"x"},"usage":{"prompt_tokens":100,"completion_tokens":150}}'
    node.provider.says(an_answer(failure, status="500 X"))
    for _ in range(12):
        node.passes(0.05)
    if is_sent:
        assert account.reserved == before + 100 * 1_000 + 150 * 2_000
        node.provider.says(an_answer(ANSWER))
        assert parts(client.hears())[2] == ANSWER
    else:
        assert b"limit_reached" in client.hears()
        assert calls(node) == {"first": 1}
    nothing_is_left(node)


def test_what_a_failed_attempt_cost_counts_against_the_requests_own_limit(node: Node) -> None:
    """A caller who says what one request may cost does not mean each attempt."""
    two(node, Retries(attempts=2))
    node.link.prices |= {"model-a": CHEAP, "model-b": CHEAP}
    body = b'{"model":"smart","max_tokens":50,"messages":[]}'
    client = node.client().says(a_request(body=body, fields=("x-gateway-max-cost-usd: 0.0003",)))
    failure = b'{"error":{"message":"x"},"usage":{"prompt_tokens":100,"completion_tokens":50}}'
    node.provider.says(an_answer(failure, status="500 X"))
    assert b"max_cost_exceeded" in client.hears()
    assert calls(node) == {"first": 1}


@pytest.mark.parametrize("asks", [(True, False), (False, True)])
def test_each_provider_is_asked_for_usage_as_it_can_be(node: Node, asks: tuple[bool, bool]) -> None:
    """One that does not know `stream_options` is not sent them because the one before it did, nor the other way."""
    node.services.configure(
        a_snapshot(
            providers=(a_provider("first", ask_usage=asks[0]), a_provider("second", ask_usage=asks[1])),
            models=(ModelAlias("smart", (Target("first", "model-a"),), fallbacks=((Target("second", "model-b"),),)),),
            retries=Retries(attempts=2),
        )
    )
    node.client().says(a_request(body=b'{"model":"smart","stream":true,"messages":[]}'))
    assert ("stream_options" in sent_to(node, "first")) is asks[0]
    node.provider.says(FAILURE)
    node.passes(0.05)
    assert ("stream_options" in sent_to(node, "second")) is asks[1]


def test_what_the_client_sent_counts_among_the_bodies_held(node: Node) -> None:
    """It is kept beside what is sent instead of it, until the exchange is over."""
    two(node, Retries(attempts=2))
    body = b'{"model":"smart","messages":[],"user":"%b"}' % (b"x" * 20_000)
    client = node.client().says(a_request(body=body))
    assert node.services.held_bytes == 2 * len(body)
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER
    assert node.services.held_bytes == 0


def test_a_fallback_that_the_limit_does_not_allow_is_not_asked(node: Node) -> None:
    """The client is told of its limit; what was sent is charged as one request that took nothing."""
    two(node, Retries(attempts=2))
    funded(node, 1_000_000)
    client = ask(node)
    node.provider.says(FAILURE)
    assert client.hears() == b""
    for _ in range(12):
        node.passes(0.05)
    status, _, body = parts(client.hears())
    assert (status, b"limit_reached" in body) == (429, True)
    assert calls(node) == {"first": 1}
    (event,) = node.events()
    assert event.charges == ()
    assert event.error == "limit_reached"
    nothing_is_left(node)


def test_a_fallback_of_unknown_price_is_not_asked(node: Node) -> None:
    """Under a limit in dollars nothing is sent whose price nobody knows."""
    two(node, Retries(attempts=2))
    funded(node, 10**12)
    del node.link.prices["model-b"]
    client = ask(node)
    node.provider.says(FAILURE)
    assert b"price_unknown" in client.hears()
    assert calls(node) == {"first": 1}
    nothing_is_left(node)


def test_the_requests_own_limit_holds_for_the_fallback(node: Node) -> None:
    """`x-gateway-max-cost-usd` is about whoever answers, also where the token has no limit."""
    two(node, Retries(attempts=2))
    node.link.prices |= {"model-a": CHEAP, "model-b": DEAR}
    body = b'{"model":"smart","max_tokens":50,"messages":[]}'
    client = node.client().says(a_request(body=body, fields=("x-gateway-max-cost-usd: 0.0003",)))
    node.provider.says(FAILURE)
    assert b"max_cost_exceeded" in client.hears()
    assert calls(node) == {"first": 1}
    client = node.client().says(a_request(body=body, fields=("x-gateway-max-cost-usd: 0.003",)))
    next(peer for peer in node.opener.peers if peer.is_connected).says(FAILURE)
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[2] == ANSWER


def test_the_cap_is_true_for_whoever_answers(node: Node) -> None:
    """What the cap of a request may cost at the second one's price is set aside before it is sent there."""
    two(node, Retries(attempts=2))
    funded(node, 10**9)
    body = b'{"model":"smart","messages":[]}'
    node.client().says(a_request(body=body))
    node.provider.says(FAILURE)
    for _ in range(12):
        node.passes(0.05)
    first, second = (json.loads(peer.hears().partition(b"\r\n\r\n")[2]) for peer in node.opener.peers)
    (account,) = node.services.budgets.borrower.accounts.values()
    field = "max_tokens" if "max_tokens" in second else "max_completion_tokens"
    assert second[field] * 20_000 <= account.reserved
    assert first[field] * 2_000 <= 10**9


def test_a_fallback_is_charged_by_its_own_price(node: Node) -> None:
    """Also without a limit, where the first provider was told what its model costs."""
    told = (("x-cost", (("in", "input"),)),)
    node.services.configure(
        a_snapshot(
            providers=(a_provider("first", price_headers=told), a_provider("second")),
            models=(ModelAlias("smart", (Target("first", "model-a"),), fallbacks=((Target("second", "model-b"),),)),),
            retries=Retries(attempts=2),
        )
    )
    node.link.prices |= {"model-a": CHEAP, "model-b": DEAR}
    ask(node)
    node.provider.says(FAILURE)
    node.provider.says(an_answer(ANSWER))
    assert counted(node).cost == 10 * 10_000 + 20 * 20_000


# -- what it is not


def test_what_others_took_is_no_overhead_of_ours(node: Node) -> None:
    """Neither a connection that had to be opened, nor an attempt that failed, nor the pause behind it."""
    two(node, Retries(attempts=3), is_alone=True)
    node.opener.is_stuck = True
    client = ask(node)
    node.passes(2.0)
    node.opener.is_stuck = False
    (provider, make, _) = node.opener.asked[0]
    node.opener.connect(make, provider)
    node.settle()
    node.passes(1.0)
    node.provider.says(FAILURE)
    node.passes(1.0)
    node.settle()
    node.passes(0.5)
    node.provider.says(an_answer(ANSWER))
    status, fields, _ = parts(client.hears())
    event = node.events()[-1]
    assert (status, fields["x-gateway-attempts"], fields["x-gateway-overhead-us"]) == (200, "2", "0")
    assert (event.attempts, event.overhead_us, event.duration_ms) == (2, 0, 4500.0)
