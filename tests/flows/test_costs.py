"""Costs told as conversations: what providers say they charged, and what may cost more than the price we know."""

import gzip

import msgspec
import pytest

from sluicegate.control.prices.drift import Drift, drift
from sluicegate.domain.limits import Calendar, Lifetime, Limit
from sluicegate.domain.pricing import Price, Rates, Service, with_hourly_cache
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import TOKEN, Node, Peer, a_chunk, a_request, a_snapshot, a_stream_head, an_answer, parts

USD = Limit("token", "tok_1", "usd", Calendar("month"), 10_000_000_000)
REQUESTS = Limit("token", "tok_1", "requests", Lifetime(), 100)
SOFT = msgspec.structs.replace(USD, enforcement="soft")
PRICE = Price("v1", Rates(input=1_000_000_000, output=2_000_000_000), longest_output=1_000, context=1_000)
USAGE = b'"usage":{"prompt_tokens":10,"completion_tokens":20,"cost":0.00007}'
OURS = 10 * 1_000 + 20 * 2_000


def limited(node: Node, *limits: Limit, price: Price = PRICE) -> None:
    """The token has these limits, and every model of the tests this price."""
    principal = Principal("tok_1", "tester", "prj_a", "org_a", user_id="usr_1", limits=limits)
    node.link.tokens[digest(TOKEN.encode())] = principal
    node.services.principals.forget(())
    for model in ("gpt-4o-mini", "claude-x", "gemini-x"):
        node.link.prices[model] = price


def ask(node: Node, body: bytes, path: str = "/v1/chat/completions", *fields: str) -> Peer:
    """A client asks."""
    return node.client().says(a_request(path, body, fields=fields))


def test_what_a_provider_says_it_charged_is_kept_beside_our_cost(node: Node) -> None:
    """The limit is charged by our price; the drift report compares the two."""
    limited(node, USD)
    ask(node, b'{"model":"gpt-4o-mini","messages":[]}')
    node.provider.says(an_answer(b'{"model":"gpt-4o-mini","choices":[],%b}' % USAGE))
    ask(node, b'{"model":"gpt-4o-mini","stream":true,"messages":[]}')
    chunk = b'data: {"model":"gpt-4o-mini","choices":[],%b}\n\n' % USAGE
    node.provider.says(a_stream_head() + a_chunk(chunk) + a_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    events = node.events()
    assert [(event.cost, event.provider_cost, event.is_cut) for event in events] == [(OURS, 70_000, False)] * 2
    assert [charge.amount for event in events for charge in event.charges] == [OURS] * 2
    assert drift(events) == [Drift("openai", "gpt-4o-mini", "v1", 2, 2 * OURS, 140_000)]


def test_a_provider_that_says_nothing_of_money_has_no_cost(node: Node) -> None:
    """That is not a cost of zero."""
    limited(node, USD)
    ask(node, b'{"model":"gpt-4o-mini","messages":[]}')
    node.provider.says(an_answer(b'{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}'))
    assert [(event.cost, event.provider_cost) for event in node.events()] == [(OURS, None)]


def test_absurd_counts_leave_an_event(node: Node) -> None:
    """A provider that counts nonsense is not believed; what its answer took besides is written like any other."""
    limited(node, USD, REQUESTS, price=msgspec.structs.replace(PRICE, rates=Rates(75_000_000_000, 150_000_000_000)))
    ask(node, b'{"model":"gpt-4o-mini","messages":[]}')
    node.provider.says(an_answer(b'{"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":5}}' % (2**53 - 1)))
    [event] = node.events()
    assert event.usage is not None
    assert (event.usage.input_tokens, event.usage.output_tokens, event.cost) == (0, 5, 5 * 150_000)
    assert [(charge.account, charge.amount) for charge in event.charges][-1] == ("tok_1|requests|lifetime", 1)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/chat/completions", b'{"model":"gpt-4o-mini","messages":[],"service_tier":"priority"}', "service_tier"),
        ("/v1/responses", b'{"model":"gpt-4o-mini","input":"x","service_tier":"fast"}', "service_tier"),
        ("/v1/messages", b'{"model":"claude-x","max_tokens":9,"messages":[],"speed":"fast"}', "speed"),
        ("/v1/messages", b'{"model":"claude-x","max_tokens":9,"messages":[],"inference_geo":"us"}', "inference_geo"),
        ("/gemini/v1beta/models/gemini-x:generateContent", b'{"serviceTier":"PRIORITY"}', "serviceTier"),
    ],
)
def test_a_dearer_tier_is_refused_under_a_hard_limit_in_dollars(node: Node, path: str, body: bytes, named: str) -> None:
    """What it costs is not known, so the limit could not hold; the error names the field. A soft limit lets it pass."""
    limited(node, USD)
    status, _, got = parts(ask(node, body, path).hears())
    assert (status, named.encode() in got, node.opener.peers) == (400, True, [])
    (event,) = node.events()
    assert (event.error, event.charges) == ("price_unknown", ())
    limited(node, SOFT)
    ask(node, body, path)
    assert node.provider.hears().endswith(body)


SERVICES = (Service("priority", Rates(3 * 10**9, 4 * 10**9)), Service("fast", Rates(5 * 10**9, 6 * 10**9)))


@pytest.mark.parametrize(
    ("path", "body", "answer", "rates"),
    [
        ("/v1/chat/completions", b'{"model":"gpt-4o-mini",%b"service_tier":"priority"}', "priority", (3_000, 4_000)),
        ("/v1/chat/completions", b'{"model":"gpt-4o-mini",%b"service_tier":"priority"}', "default", (1_000, 2_000)),
        ("/v1/responses", b'{"model":"gpt-4o-mini",%b"service_tier":"priority"}', "priority", (3_000, 4_000)),
    ],
)
def test_a_tier_whose_rates_are_known_is_reserved_and_charged(
    node: Node, path: str, body: bytes, answer: str, rates: tuple[int, int]
) -> None:
    """At most what the tier costs is set aside, and charged is the one that the answer tells of."""
    limited(node, USD, price=msgspec.structs.replace(PRICE, services=SERVICES))
    texts = {"chat/completions": b'"max_tokens":5,"messages":[],', "responses": b'"max_output_tokens":5,"input":"x",'}
    ask(node, body % texts[path.removeprefix("/v1/")], path)
    usage = b'"usage":{"prompt_tokens":10,"completion_tokens":5}'
    node.provider.says(an_answer(b'{"model":"gpt-4o-mini","service_tier":"%b",%b}' % (answer.encode(), usage)))
    (event,) = node.events()
    expected = 10 * rates[0] + 5 * rates[1]
    told = "" if answer == "default" else answer
    assert (event.cost, event.service_tier, [charge.amount for charge in event.charges]) == (expected, told, [expected])


def test_a_stream_is_charged_by_the_tier_it_was_served_by(node: Node) -> None:
    """Of Anthropic it is the speed that costs more."""
    limited(node, USD, price=msgspec.structs.replace(PRICE, services=SERVICES))
    ask(node, b'{"model":"claude-x","max_tokens":9,"stream":true,"messages":[],"speed":"fast"}', "/v1/messages")
    usage = b'{"input_tokens":10,"output_tokens":1,"service_tier":"standard","speed":"fast"}'
    events = (
        b'{"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":%b}}' % usage,
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}',
        b'{"type":"message_stop"}',
    )
    stream = b"".join(b"event: x\ndata: %b\n\n" % event for event in events)
    node.provider.says(a_stream_head() + a_chunk(stream) + b"0\r\n\r\n")
    (event,) = node.events()
    assert (event.cost, event.service_tier) == (10 * 5_000 + 5 * 6_000, "fast")


def test_a_tier_that_costs_no_more_passes(node: Node) -> None:
    """Unchanged, also with a limit of the request's own."""
    limited(node, USD)
    body = b'{"model":"gpt-4o-mini","max_tokens":5,"messages":[],"service_tier":"flex"}'
    ask(node, body, "/v1/chat/completions", "X-Gateway-Max-Cost-USD: 1")
    assert node.provider.hears().endswith(body)


def test_a_dearer_tier_is_refused_under_the_requests_own_limit(node: Node) -> None:
    """`x-gateway-max-cost-usd` is a promise as well; a tier given twice is refused for itself."""
    limited(node)
    own = "X-Gateway-Max-Cost-USD: 1"
    body = b'{"model":"gpt-4o-mini","messages":[],"service_tier":"priority"}'
    assert parts(ask(node, body, "/v1/chat/completions", own).hears())[0] == 400
    twice = b'{"model":"gpt-4o-mini","messages":[],"service_tier":"auto","service_tier":"priority"}'
    status, _, got = parts(ask(node, twice, "/v1/chat/completions", own).hears())
    assert (status, b"service_tier is given twice" in got) == (400, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", b'{"model":"gpt-4o-mini","messages":[],"models":["gpt-4o-mini","dear"]}'),
        ("/v1/chat/completions", b'{"model":"gpt-4o-mini","messages":[],"mode\\u006cs":["dear"]}'),
        ("/v1/messages", b'{"model":"claude-x","max_tokens":9,"messages":[],"fallbacks":[{"model":"dear"}]}'),
    ],
)
def test_another_model_is_refused_under_a_hard_limit_in_dollars(node: Node, path: str, body: bytes) -> None:
    """Its provider may ask it instead, and it may cost more; a soft limit lets it pass, and so does its own name."""
    limited(node, USD)
    status, _, got = parts(ask(node, body, path).hears())
    assert (status, b"dear" in got, node.opener.peers) == (400, True, [])
    same = b'{"model":"gpt-4o-mini","max_tokens":5,"messages":[],"models":["gpt-4o-mini"]}'
    ask(node, same)
    assert node.provider.hears().endswith(same)
    limited(node, SOFT)
    ask(node, body, path)
    assert node.provider.hears().endswith(body)


def test_a_body_that_cannot_be_read_could_ask_for_any_tier(node: Node) -> None:
    """Where the path names the model, its price is known: a hard limit in dollars refuses it, a soft one does not."""
    path, body = "/gemini/v1beta/models/gemini-x:generateContent", gzip.compress(b'{"serviceTier":"PRIORITY"}', mtime=0)
    limited(node, USD)
    status, _, got = parts(ask(node, body, path, "Content-Encoding: gzip").hears())
    assert (status, b"service_tier" in got, node.opener.peers) == (400, True, [])
    limited(node, SOFT)
    ask(node, body, path, "Content-Encoding: gzip")
    assert node.provider.hears().endswith(body)


def test_a_tier_that_the_answer_does_not_tell_of_has_no_price(node: Node) -> None:
    """Though its rates are known: nobody could say afterwards by which of them it is charged."""
    limited(node, USD, price=msgspec.structs.replace(PRICE, services=SERVICES))
    path, body = "/gemini/v1beta/models/gemini-x:generateContent", b'{"serviceTier":"priority"}'
    status, _, got = parts(ask(node, body, path).hears())
    assert (status, b"serviceTier" in got, node.opener.peers) == (400, True, [])


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"model":"own","max_tokens":5,"messages":[],"service_tier":"priority"}', ()),
        (gzip.compress(b'{"model":"own"}', mtime=0), ("Content-Encoding: gzip",)),
    ],
)
def test_a_model_without_a_price_is_free_in_any_tier(node: Node, body: bytes, fields: tuple[str, ...]) -> None:
    """Where the configuration says so of unknown prices: there is nothing that a tier could make more of."""
    node.services.configure(a_snapshot(unknown_price="free"))
    limited(node, USD)
    ask(node, body, "/v1/chat/completions", *fields)
    assert node.provider.hears().endswith(body)


def test_what_a_cache_keeps_for_an_hour_is_charged_for_that(node: Node) -> None:
    """Whole and streamed; and no more than was set aside."""
    limited(node, USD, price=with_hourly_cache(PRICE))
    usage = (
        b'{"input_tokens":5,"output_tokens":1,"cache_creation_input_tokens":30,"cache_read_input_tokens":0,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}'
    )
    message = b'{"id":"m","type":"message","model":"claude-x","usage":%b}' % usage
    ask(node, b'{"model":"claude-x","max_tokens":9,"messages":[]}', "/v1/messages")
    node.provider.says(an_answer(message))
    ask(node, b'{"model":"claude-x","max_tokens":9,"stream":true,"messages":[]}', "/v1/messages")
    events = (
        b'data: {"type":"message_start","message":%b}\n\n' % message,
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n',
        b'data: {"type":"message_stop"}\n\n',
    )
    node.provider.says(a_stream_head() + b"".join(map(a_chunk, events)) + b"0\r\n\r\n")
    expected = 15 * 1_000 + 20 * 2_000 + 1 * 2_000
    assert [event.cost for event in node.events()] == [expected] * 2
    assert [charge.amount for event in node.events() for charge in event.charges] == [expected] * 2
