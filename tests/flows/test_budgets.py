"""Limits told as conversations: who is admitted, who waits, who is refused, and what is charged however it ends."""

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from sluicegate.domain.errors import UpstreamUnreachableError
from sluicegate.domain.events import Exchange, Pending
from sluicegate.domain.limits import Calendar, Lifetime, Limit, Rolling
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.domain.underway import lost_event, read_entry, table_name, taken_places
from sluicegate.gateway.stages.budget import AROUND
from sluicegate.gateway.underway import NO_PLACE
from sluicegate.wire.link import Counted, Lend, frame
from tests.gateway.node import (
    TOKEN,
    Node,
    Peer,
    a_chunk,
    a_provider,
    a_request,
    a_snapshot,
    a_stream_head,
    an_answer,
    parts,
)

REQUESTS = Limit("token", "tok_1", "requests", Rolling(3600), 3)
TOKENS = Limit("user", "usr_1", "tokens", Rolling(18_000), 1000)
USD = Limit("organization", "org_a", "usd", Calendar("month"), 1_000_000)
PLACES = Limit("project", "prj_a", "concurrency", Lifetime(), 2)
PRICE = Price("v1", Rates(input=1_000_000_000, output=2_000_000_000), longest_output=100_000)
"""A thousand nano-dollars for a token read, two thousand for one written."""
BODY = b'{"model":"gpt-4o-mini","max_tokens":50,"messages":[]}'
ANSWER = b'{"id":"c1","model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}'


def limited(node: Node, *limits: Limit, **changes: object) -> Principal:
    """The token has these limits from now on."""
    principal = Principal("tok_1", "tester", "prj_a", "org_a", user_id="usr_1", limits=limits)
    principal = msgspec.structs.replace(principal, **changes)
    node.link.tokens[digest(TOKEN.encode())] = principal
    node.services.principals.forget(())
    node.link.prices["gpt-4o-mini"] = PRICE
    return principal


def ask(node: Node, body: bytes = BODY, path: str = "/v1/chat/completions", *fields: str) -> Peer:
    """A client asks."""
    return node.client().says(a_request(path, body, fields=fields))


def answered(node: Node, client: Peer, body: bytes = ANSWER) -> dict[str, str]:
    """The provider answers, and the client has its answer: the fields."""
    node.provider.says(an_answer(body))
    status, fields, got = parts(client.hears())
    assert (status, got) == (200, body)
    return fields


def test_what_remains_falls_with_each_request(node: Node) -> None:
    """Though the ledger hears of charges later than it is asked for more."""
    limited(node, REQUESTS)
    seen = [answered(node, ask(node))["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert seen == ["2", "1", "0"]


def test_a_limit_of_requests_admits_as_many_as_it_says(node: Node) -> None:
    """The next one is refused at once with all facts, and when to come back, to the second."""
    limited(node, REQUESTS)
    for _ in range(3):
        answered(node, ask(node))
        node.ledger.settles(node.events()[-1].charges)
    client = ask(node)
    status, fields, body = parts(client.hears())
    assert status == 429
    error = msgspec.json.decode(body)["error"]
    assert error["type"] == "rate_limit_exceeded"
    assert error["code"] == "rate_limit_exceeded"
    resets_at = error["limit"].pop("resets_at")
    assert error["limit"] == {
        "scope": "token",
        "scope_id": "tok_1",
        "metric": "requests",
        "window": "1h",
        "used": 3,
        "maximum": 3,
        "organization_id": "org_a",
        "project_id": "prj_a",
        "user_id": "usr_1",
    }
    assert resets_at.endswith("Z")
    assert 3540 <= int(fields["retry-after"]) <= 3660
    assert fields["x-should-retry"] == "false"
    assert len(node.opener.peers) == 1
    refused = node.events()[-1]
    assert (refused.status_code, refused.limit, refused.charges) == (429, "tok_1|requests|1h", ())


def test_parallel_requests_are_never_over(node: Node) -> None:
    """Of many at the same time as many are admitted as the limit has, and the others wait until those are charged."""
    limited(node, REQUESTS)
    clients = [ask(node) for _ in range(8)]
    assert len(node.opener.peers) == 3
    for provider in node.opener.peers[:3]:
        provider.says(an_answer(ANSWER))
    node.ledger.settles([charge for event in node.events() for charge in event.charges])
    node.passes(0.05)
    statuses = sorted(parts(client.hears())[0] for client in clients)
    assert statuses == [200] * 3 + [429] * 5
    assert node.ledger.used(REQUESTS.account) == 3


def test_a_place_is_passed_on_in_the_order_of_coming(node: Node) -> None:
    """Who waits for a place among those that run at the same time gets the next one that is free, first come first."""
    limited(node, PLACES)
    clients = [ask(node) for _ in range(4)]
    assert len(node.opener.peers) == 2
    node.opener.peers[1].says(an_answer(ANSWER))
    assert [len(peer.hears()) > 0 for peer in node.opener.peers[:2]] == [True, True]
    assert parts(clients[1].hears())[0] == 200
    node.opener.peers[1].says(an_answer(ANSWER))
    assert parts(clients[2].hears())[0] == 200
    node.opener.peers[0].says(an_answer(ANSWER))
    assert parts(clients[0].hears())[0] == 200
    assert all(not event.charges for event in node.events())


@pytest.mark.parametrize("cap", [b"1e999", b"1e300", b"1" + b"0" * 400])
def test_an_absurd_cap_is_no_number_to_others(node: Node, cap: bytes) -> None:
    """A soft limit lets it pass. Under a hard one it waits, and what others ask control meanwhile is asked, too."""
    body = b'{"model":"gpt-4o-mini","max_tokens":%b,"messages":[]}' % cap
    limited(node, msgspec.structs.replace(TOKENS, enforcement="soft"))
    answered(node, ask(node, body))
    assert [charge.amount for event in node.events() for charge in event.charges] == [30]
    limited(node, TOKENS)
    ask(node, body)
    node.passes(1.0)
    assert max(one.needed for asks in node.ledger.asked for one in asks) > TOKENS.maximum
    assert all(frame([Lend(1, "h", asks)]) for asks in node.ledger.asked)


def test_who_waits_too_long_is_refused(node: Node) -> None:
    """As long as others hold what is needed a request waits, but no longer than it may."""
    limited(node, PLACES)
    node.ledger.others_take(PLACES.account, 2, 2)
    client = ask(node)
    node.passes(4.9)
    assert client.hears() == b""
    node.passes(0.2)
    status, fields, body = parts(client.hears())
    assert status == 429
    assert msgspec.json.decode(body)["error"]["limit"]["metric"] == "concurrency"
    assert "retry-after" in fields


def test_what_others_give_back_admits_who_waits(node: Node) -> None:
    """It is asked for again and again, and as soon as it is there the request goes on."""
    limited(node, PLACES)
    node.ledger.others_take(PLACES.account, 2, 2)
    client = ask(node)
    node.passes(0.05)
    node.ledger.others_return(PLACES.account, 2, 1)
    node.passes(0.05)
    answered(node, client)


def test_a_client_that_leaves_the_line_lets_others_pass(node: Node) -> None:
    """Nobody waits behind one that is gone."""
    limited(node, PLACES)
    for _ in range(2):
        ask(node)
    gone, patient = ask(node), ask(node)
    gone.leaves()
    node.opener.peers[0].says(an_answer(ANSWER))
    assert node.opener.peers[0].hears().count(b"POST") == 2
    node.opener.peers[0].says(an_answer(ANSWER))
    assert parts(patient.hears())[0] == 200
    assert [event.status_code for event in node.events()] == [499, 200, 200]


def test_the_cap_is_written_into_the_request(node: Node) -> None:
    """Without a cap of the client's, what remains of the limit becomes it; every other byte stays."""
    limited(node, TOKENS)
    body = b'{ "model": "gpt-4o-mini",  "messages": [] }'
    client = ask(node, body)
    sent = node.provider.hears().partition(b"\r\n\r\n")[2]
    head, rest = sent[:1], sent[1:]
    assert head == b"{"
    cap, comma, rest = rest.partition(b",")
    assert rest == body[1:]
    name, _, value = cap.partition(b":")
    assert (name, comma) == (b'"max_tokens"', b",")
    assert int(value) == 1000 - len(body) - AROUND
    answered(node, client)
    (event,) = node.events()
    assert event.charges[0].amount == 30
    assert event.charges[0].leased == 30


@pytest.mark.parametrize(
    ("path", "model", "body", "cap"),
    [
        ("/v1/messages", "claude-x", b'{"model":"claude-x","messages":[]}', b'"max_tokens":'),
        ("/v1/responses", "gpt-x", b'{"model":"gpt-x","input":""}', b'"max_output_tokens":'),
        (
            "/v1beta/models/gemini-x:generateContent",
            "gemini-x",
            b'{"contents":[],"generationConfig":{"temperature":0}}',
            b'"generationConfig":{"maxOutputTokens":',
        ),
    ],
)
def test_each_api_has_its_own_cap(node: Node, path: str, model: str, body: bytes, cap: bytes) -> None:
    """The field is the one the API knows."""
    limited(node, TOKENS)
    node.link.prices[model] = PRICE
    ask(node, body, path)
    sent = node.provider.hears().partition(b"\r\n\r\n")[2]
    assert cap in sent
    msgspec.json.decode(sent)


def test_a_clients_own_cap_stays(node: Node) -> None:
    """Where it is low enough nothing is written."""
    limited(node, TOKENS)
    ask(node)
    assert node.provider.hears().endswith(BODY)


def test_a_model_that_writes_less_needs_no_cap(node: Node) -> None:
    """A cap is only written where it is below what the model can write."""
    limited(node, msgspec.structs.replace(TOKENS, maximum=10**9))
    node.link.prices["gpt-4o-mini"] = msgspec.structs.replace(PRICE, longest_output=4096)
    body = b'{"model":"gpt-4o-mini","messages":[]}'
    limited_price = node.link.prices["gpt-4o-mini"]
    assert limited_price.longest_output == 4096
    ask(node, body)
    assert node.provider.hears().endswith(body)


def test_dollars_are_charged_exactly(node: Node) -> None:
    """The cost is what the price says of the usage, with the version of the price; the headers tell what is left."""
    limited(node, USD)
    fields = answered(node, ask(node))
    (event,) = node.events()
    assert (event.cost, event.price_version) == (10 * 1000 + 20 * 2000, "v1")
    assert [(charge.account, charge.amount, charge.leased) for charge in event.charges] == [
        ("org_a|usd|month", 50_000, 50_000)
    ]
    assert fields["x-gateway-limit-usd"] == "0.00"
    assert node.link.priced == [("openai", "gpt-4o-mini", "org_a")]


def test_cost_without_limits(node: Node) -> None:
    """No client waits for a price that no limit needs: the first event does, whose line says so until then."""
    node.link.prices["gpt-4o-mini"] = PRICE
    for _ in range(2):
        answered(node, ask(node))
    assert [event.cost for event in node.events()] == [50_000, 50_000]
    assert [isinstance(line, Pending) for line in node.lines()] == [True, False, False]
    assert not node.ledger.asked


def test_an_unknown_price_is_refused(node: Node) -> None:
    """A limit in dollars cannot hold for what has no price; the error says how to add one."""
    limited(node, USD)
    status, _, body = parts(ask(node, b'{"model":"nobody-knows","messages":[]}').hears())
    assert status == 400
    error = msgspec.json.decode(body)["error"]
    assert error["code"] == "price_unknown"
    assert "nobody-knows" in error["message"]
    assert "POST /manage/prices" in error["message"]
    assert not node.opener.peers


def test_an_unknown_price_may_be_free(node: Node) -> None:
    """Where it is configured so, it is admitted and costs nothing that we know of."""
    node.services.configure(a_snapshot(unknown_price="free"))
    limited(node, USD)
    answered(node, ask(node, b'{"model":"nobody-knows","messages":[]}'))
    (event,) = node.events()
    assert (event.cost, event.charges) == (None, ())


def test_the_bytes_alone_do_not_refuse(node: Node) -> None:
    """Where the length of the body is more than remains its tokens are counted; then it fits."""
    limited(node, TOKENS)
    body = b'{"model":"gpt-4o-mini","max_tokens":50,"messages":[{"role":"user","content":"%b"}]}' % (b"word " * 300)
    client = ask(node, body)
    (question,) = node.link.questions
    assert question.request == body
    node.link.counted[0](Counted(1, 310, 0, "counted"))
    node.settle()
    answered(node, client)


def test_what_does_not_fit_when_counted_is_refused(node: Node) -> None:
    """A count is made once, and is the last word."""
    limited(node, TOKENS)
    body = b'{"model":"gpt-4o-mini","max_tokens":50,"messages":[{"role":"user","content":"%b"}]}' % (b"word " * 600)
    client = ask(node, body)
    node.link.counted[0](Counted(1, 999, 0, "counted"))
    node.settle()
    status, _, answer = parts(client.hears())
    error = msgspec.json.decode(answer)["error"]
    assert (status, error["tokens_limit"], error["tokens_used"]) == (429, 1000, 0)
    assert len(node.link.questions) == 1


def test_a_soft_limit_admits_while_anything_is_left(node: Node) -> None:
    """One unit is set aside, the true amount is charged, and only then it is full."""
    limited(node, msgspec.structs.replace(TOKENS, maximum=25, enforcement="soft"))
    answered(node, ask(node, b'{"model":"gpt-4o-mini","messages":[]}'))
    (event,) = node.events()
    assert [(charge.amount, charge.leased) for charge in event.charges] == [(30, 1)]
    node.ledger.settles(event.charges)
    status, _, body = parts(ask(node).hears())
    assert status == 429
    assert msgspec.json.decode(body)["error"]["tokens_used"] == 30


def test_a_shadow_limit_only_reports(node: Node) -> None:
    """The event of a request that it would have refused says so."""
    limited(node, msgspec.structs.replace(REQUESTS, maximum=1, enforcement="shadow"))
    for _ in range(3):
        answered(node, ask(node))
        node.ledger.settles(node.events()[-1].charges)
        node.passes(0.05)
    events = node.events()
    assert [event.status_code for event in events] == [200] * 3
    assert [event.limit for event in events][-1] == REQUESTS.account
    assert node.ledger.used(REQUESTS.account) == 3


def test_headers_tell_what_is_left(node: Node) -> None:
    """OpenAI's names, in place of what the provider says of its own limits."""
    limited(node, REQUESTS, TOKENS)
    client = ask(node)
    node.provider.says(an_answer(ANSWER, fields=("x-ratelimit-limit-requests: 10000", "x-other: 1")))
    _, fields, _ = parts(client.hears())
    assert (fields["x-ratelimit-limit-requests"], fields["x-ratelimit-remaining-requests"]) == ("3", "2")
    assert fields["x-ratelimit-limit-tokens"] == "1000"
    assert fields["x-other"] == "1"
    assert "x-gateway-limit-usd" not in fields


def test_a_caller_may_bound_its_own_request(node: Node) -> None:
    """The cap is lowered to what the caller wants to pay; where not even the input fits it is refused."""
    node.link.prices["gpt-4o-mini"] = PRICE
    ask(node, BODY, "/v1/chat/completions", "x-gateway-max-cost-usd: 0.00025")
    sent = node.provider.hears()
    assert b"x-gateway-max-cost" not in sent
    assert b'"max_tokens":50' in sent
    ask(node, BODY.replace(b"50", b"5000"), "/v1/chat/completions", "x-gateway-max-cost-usd: 0.00025")
    cap = int(node.opener.peers[-1].hears().partition(b'"max_tokens":')[2].partition(b",")[0])
    assert 16 <= cap <= 100
    for refused in ("0.00001", "much"):
        status, _, body = parts(ask(node, BODY, "/v1/chat/completions", f"x-gateway-max-cost-usd: {refused}").hears())
        assert (status, msgspec.json.decode(body)["error"]["code"]) == (400, "max_cost_exceeded")


def test_a_web_socket_cannot_be_bounded(node: Node) -> None:
    """A hard limit of tokens refuses it, and a cap of the caller's own; one of requests does not."""
    upgrade = ("Connection: Upgrade", "Upgrade: websocket")
    limited(node, TOKENS)
    request = a_request("/v1/realtime", b"", method="GET", fields=upgrade)
    assert parts(node.client().says(request).hears())[0] == 403
    limited(node, REQUESTS)
    node.client().says(request)
    assert b"Upgrade: websocket" in node.provider.hears()
    capped = a_request("/v1/realtime", b"", method="GET", fields=(*upgrade, "x-gateway-max-cost-usd: 1"))
    status, _, body = parts(node.client().says(capped).hears())
    assert (status, b"x-gateway-max-cost-usd" in body, len(node.opener.peers)) == (403, True, 1)


def test_the_ledger_is_away(node: Node) -> None:
    """An organisation that wants it so gets a 503, and its client is told to try again."""
    limited(node, REQUESTS)
    node.ledger.failure = "no connection"
    status, fields, body = parts(ask(node).hears())
    assert (status, msgspec.json.decode(body)["error"]["code"]) == (503, "ledger_unavailable")
    assert "retry-after" in fields


def test_an_allowance_for_the_time_without_a_ledger(node: Node) -> None:
    """Where the organisation prefers that, dollars come of the day's allowance and all else is admitted, and said."""
    limited(node, REQUESTS, USD, failure_mode="open", fallback_daily_limit=300_000)
    node.ledger.failure = "no connection"
    answered(node, ask(node))
    (event,) = node.events()
    assert event.is_degraded
    assert {charge.account: (charge.amount, charge.leased) for charge in event.charges} == {
        REQUESTS.account: (1, 0),
        USD.account: (50_000, 0),
    }
    status, _, body = parts(ask(node, BODY.replace(b"50", b"5000")).hears())
    assert (status, msgspec.json.decode(body)["error"]["code"]) == (429, "budget_exceeded")


def test_a_lost_link_is_no_refusal(node: Node) -> None:
    """A question that was never answered is asked again on the next link, with the same figures."""
    limited(node, REQUESTS)
    node.ledger.is_silent = True
    client = ask(node)
    node.ledger.breaks()
    node.ledger.is_silent = False
    node.services.budgets.borrower.link_restored()
    node.settle()
    answered(node, client)
    assert node.ledger.asked[0] == node.ledger.asked[1]


def test_no_link_in_time_is_a_failure_of_ours(node: Node) -> None:
    """A limit of which nothing was heard is not said to be reached."""
    limited(node, REQUESTS)
    node.ledger.is_silent = True
    client = ask(node)
    node.passes(5.1)
    assert parts(client.hears())[0] == 503


def test_a_lease_that_ended_is_not_spent(node: Node) -> None:
    """When control was silent for as long as a lease is good, the next request asks first."""
    limited(node, msgspec.structs.replace(REQUESTS, maximum=100))
    answered(node, ask(node))
    node.ledger.is_silent = True
    node.now += 11
    client = ask(node)
    assert client.hears() == b""
    assert node.provider.hears().count(b"POST") == 1
    node.ledger.answers()
    node.settle()
    answered(node, client)


def test_what_is_recalled_goes_back(node: Node) -> None:
    """What no request has reserved is given back at once, the rest is not."""
    limited(node, PLACES)
    client = ask(node)
    node.ledger.others_take(PLACES.account, 2, 1)
    answered(node, client)
    node.services.budgets.borrower.recalled((PLACES.account, "unknown"))
    node.settle()
    assert node.ledger.leased(PLACES.account) == 1


def test_what_lies_idle_goes_back(node: Node) -> None:
    """After a second without use nothing is held any more."""
    limited(node, PLACES, TOKENS)
    answered(node, ask(node))
    node.ledger.settles(node.events()[-1].charges)
    for _ in range(12):
        node.passes(1.1)
    assert node.ledger.leased(PLACES.account) == node.ledger.leased(TOKENS.account) == 0


def _whole(node: Node, client: Peer) -> None:
    node.provider.says(an_answer(ANSWER))


def _refused_there(node: Node, client: Peer) -> None:
    node.provider.says(an_answer(b'{"error":{}}', status="400 Bad Request"))


def _broken(node: Node, client: Peer) -> None:
    node.provider.leaves()


def _gone_before(node: Node, client: Peer) -> None:
    client.leaves()


def _gone_within(node: Node, client: Peer) -> None:
    node.provider.says(a_stream_head() + a_chunk(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'))
    client.leaves()


def _stream(node: Node, client: Peer) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}\n\ndata: [DONE]\n\n'
    node.provider.says(a_stream_head() + a_chunk(usage) + b"0\r\n\r\n")


def _counted(node: Node, client: Peer) -> None:
    node.provider.says(an_answer(b'{"choices":[]}'))


@pytest.mark.parametrize(
    ("end", "amounts"),
    [
        (_whole, (1, 30)),
        (_refused_there, (1, 0)),
        (_broken, (1, 0)),
        (_gone_before, (1, 7)),
        (_gone_within, (1, 7)),
        (_stream, (1, 30)),
        (_counted, (1, 7)),
    ],
)
def test_charges_are_made_once_however_it_ends(
    node: Node, end: Callable[[Node, Peer], None], amounts: tuple[int, int]
) -> None:
    """One final event with what was taken; nothing stays reserved, and places are free at once."""
    limited(node, REQUESTS, TOKENS, PLACES)
    client = ask(node)
    end(node, client)
    node.settle()
    for counted in node.link.counted:
        counted(Counted(1, 5, 2, "counted"))
    (event,) = node.events()
    got = {charge.account: charge.amount for charge in event.charges}
    assert (got.get(REQUESTS.account, 0), got.get(TOKENS.account, 0)) == amounts
    accounts = node.services.budgets.borrower.accounts
    assert {account.reserved for account in accounts.values()} == {0}


def test_nothing_is_charged_that_was_not_sent(node: Node) -> None:
    """A provider that cannot be reached costs no request."""
    limited(node, REQUESTS, TOKENS)
    node.services.configure(a_snapshot(providers=(a_provider(),)))
    node.opener.is_stuck = True
    client = ask(node)
    client.leaves()
    (event,) = node.events()
    assert (event.status_code, event.charges) == (499, ())
    assert {account.reserved for account in node.services.budgets.borrower.accounts.values()} == {0}


def _noted(node: Node) -> list[Exchange]:
    """What the worker's table would tell if the worker died now."""
    path = node.directory / table_name(node.journal.incarnation)
    return [lost_event(*read_entry(entry)) for entry in taken_places(path.read_bytes())]


def _crowd(node: Node) -> None:
    """So much is under way that nothing can be noted any more."""
    facts = ("other", 0, "", "POST", "model", "openai", "chat", "", "", "", 1, 0, None, None, False, False, (0,))
    while node.journal.note(facts, b'["","","",null,[],[]]') != NO_PLACE:
        pass


def _is_worst(node: Node, event: Exchange) -> bool:
    client, principal = "203.0.113.9", node.link.tokens[digest(TOKEN.encode())]
    assert principal is not None
    assert {charge.account: charge.amount for charge in event.charges} == {
        REQUESTS.account: 1,
        TOKENS.account: len(BODY) + AROUND + 50,
    }
    assert (event.status_code, event.error, event.error_source) == (0, "worker_lost", "gateway")
    assert (event.endpoint, event.method, event.client_address) == ("/v1/chat/completions", "POST", client)
    assert (event.dialect, event.operation, event.route, event.provider) == ("openai", "chat", "model", "openai")
    assert (event.token, event.project_id) == (principal.token_id, principal.project_id)
    assert (event.model, event.requested_model, event.request_bytes) == ("gpt-4o-mini", "gpt-4o-mini", len(BODY))
    return True


def test_a_note_in_advance(node: Node) -> None:
    """Before a request with limits is sent, it is noted what it is charged if this process dies; then it is cleared."""
    limited(node, REQUESTS, TOKENS, PLACES)
    client = ask(node)
    (lost,) = _noted(node)
    assert _is_worst(node, lost)
    assert node.lines() == []
    answered(node, client)
    (final,) = node.events()
    assert (final.request_id, _noted(node)) == (lost.request_id, [])
    assert lost.timestamp == final.timestamp


def test_a_note_without_the_ledger(node: Node) -> None:
    """Nothing could be set aside; what it may take is charged all the same if this process dies."""
    limited(node, REQUESTS, USD, failure_mode="open", fallback_daily_limit=300_000)
    node.ledger.failure = "no connection"
    client = ask(node)
    (lost,) = _noted(node)
    worst = (len(BODY) + AROUND) * 1000 + 50 * 2000
    assert {charge.account: (charge.amount, charge.leased) for charge in lost.charges} == {
        REQUESTS.account: (1, 0),
        USD.account: (worst, 0),
    }
    assert lost.is_degraded
    answered(node, client)
    assert _noted(node) == []


def test_a_note_stays_until_there_is_a_line(node: Node) -> None:
    """Also one that awaits a count."""
    limited(node, REQUESTS)
    ask(node)
    assert len(_noted(node)) == 1
    node.provider.says(an_answer(b'{"choices":[]}'))
    assert isinstance(node.lines()[-1], Pending)
    assert _noted(node) == []


def test_a_line_in_advance(node: Node) -> None:
    """Where so much is under way that nothing can be noted, the journal has what is charged if this process dies."""
    _crowd(node)
    limited(node, REQUESTS, TOKENS, PLACES)
    client = ask(node)
    (line,) = node.lines()
    assert isinstance(line, Pending)
    assert _is_worst(node, line.exchange)
    answered(node, client)
    final = node.lines()[-1]
    assert isinstance(final, Exchange)
    assert final.request_id == line.request_id


def test_a_line_in_advance_only_with_limits(node: Node) -> None:
    """Who has none pays nothing for it."""
    ask(node)
    assert node.lines() == []


def test_a_count_that_is_late_keeps_the_reservation(node: Node) -> None:
    """Until it is in, the pending line says what would be charged by the guess."""
    limited(node, TOKENS, PLACES)
    ask(node)
    node.provider.says(an_answer(b'{"choices":[]}'))
    pending = node.lines()[-1]
    assert isinstance(pending, Pending)
    assert pending.exchange.charges[0].amount == pending.exchange.metadata.total_tokens
    accounts = node.services.budgets.borrower.accounts
    assert accounts[TOKENS.account].reserved > 0
    assert accounts[PLACES.account].reserved == 0
    node.link.counted[0](None)
    assert accounts[TOKENS.account].reserved == 0
    assert node.events()[-1].charges == pending.exchange.charges


def _again(node: Node) -> Peer:
    """A second request is read, for which a connection and units are there; its turn of the loop is not over yet.

    It cannot be noted, so it waits for its line.
    """
    _crowd(node)
    limited(node, REQUESTS)
    answered(node, ask(node))
    client = node.client()
    cast("asyncio.Protocol", client.transport.protocol).data_received(a_request(body=BODY))
    return client


def _leaves_at_once(node: Node, client: Peer) -> None:
    client.transport.is_open = False
    cast("asyncio.Protocol", client.transport.protocol).connection_lost(None)
    node.settle()


def test_a_client_that_leaves_before_its_line_is_written(node: Node) -> None:
    """Nothing is sent, nothing charged, and the connection is there for the next one."""
    _leaves_at_once(node, _again(node))
    assert node.provider.hears().count(b"POST") == 1
    assert [event.status_code for event in node.events()] == [200, 499]
    answered(node, ask(node))
    assert len(node.opener.peers) == 1


def test_a_connection_that_is_lost_before_the_line_is_written(node: Node) -> None:
    """The request goes out on another one."""
    client = _again(node)
    node.provider.leaves()
    assert len(node.opener.peers) == 2
    answered(node, client)


def test_both_are_lost_before_the_line_is_written(node: Node) -> None:
    """Nobody is left to do anything for."""
    client = _again(node)
    node.provider.transport.lose(None)
    _leaves_at_once(node, client)
    assert len(node.opener.peers) == 1


def test_no_other_connection_is_to_be_had(node: Node) -> None:
    """The client is told so, and nothing is charged."""
    client = _again(node)
    node.opener.refusal = UpstreamUnreachableError("refused")
    node.provider.leaves()
    assert parts(client.hears())[0] == 502
    assert node.events()[-1].charges == ()
