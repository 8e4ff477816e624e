"""What runs elsewhere and later: batches, answers that a provider keeps, and tiers that cost less."""

import pytest

from sluicegate.domain.limits import Calendar, Lifetime, Limit
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import TOKEN, Node, a_request, an_answer

LIMITS = (
    Limit("token", "tok_1", "usd", Calendar("month"), 10_000_000_000),
    Limit("token", "tok_1", "tokens", Calendar("day"), 1_000_000),
    Limit("token", "tok_1", "requests", Lifetime(), 100),
)
PRICE = Price("v1", Rates(input=1_000_000_000, output=2_000_000_000), longest_output=1_000, context=1_000)
USAGE = b'"usage":{"prompt_tokens":10,"completion_tokens":20,"input_tokens":10,"output_tokens":20,"total_tokens":30}'


def limited(node: Node) -> None:
    """The token has hard limits of dollars, tokens and requests."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", "tester", "prj_a", "org_a", limits=LIMITS)
    node.services.principals.forget(())
    node.link.prices["gpt-4o-mini"] = PRICE


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/batches", b'{"input_file_id":"file-1","endpoint":"/v1/responses","completion_window":"24h"}'),
        ("GET", "/v1/batches/batch_1", b""),
        ("GET", "/v1/responses/resp_1", b""),
        ("POST", "/v1/messages/batches", b'{"requests":[{"custom_id":"1","params":{"model":"gpt-4o-mini"}}]}'),
        ("GET", "/v1/messages/batches/msgbatch_1/results", b""),
        ("POST", "/gemini/v1beta/models/gemini-x:batchGenerateContent", b'{"batch":{}}'),
    ],
)
def test_what_runs_later_takes_one_request_and_nothing_else(node: Node, method: str, path: str, body: bytes) -> None:
    """Whoever asks how a batch fares is told its usage each time: to count that would be to count it many times."""
    limited(node)
    request = a_request(path, body)
    node.client().says(request.replace(b"POST", method.encode(), 1))
    node.provider.says(an_answer(b'{"id":"1","model":"gpt-4o-mini","status":"completed",%b}' % USAGE))
    (event,) = node.events()
    assert (event.status_code, event.cost, event.metadata.total_tokens, event.usage_source) == (200, None, 0, "none")
    assert [(charge.account, charge.amount) for charge in event.charges] == [("tok_1|requests|lifetime", 1)]


@pytest.mark.parametrize("tier", [b"flex", b"default", b"auto"])
def test_a_tier_that_costs_less_is_charged_as_the_standard_one(node: Node, tier: bytes) -> None:
    """Also where the provider says in its answer that it was served so."""
    limited(node)
    body = b'{"model":"gpt-4o-mini","max_tokens":50,"messages":[],"service_tier":"%b"}' % tier
    node.client().says(a_request("/v1/chat/completions", body))
    node.provider.says(an_answer(b'{"model":"gpt-4o-mini","choices":[],"service_tier":"%b",%b}' % (tier, USAGE)))
    (event,) = node.events()
    assert event.cost == 10 * 1_000 + 20 * 2_000
    assert (event.metadata.total_tokens, event.price_version) == (30, "v1")
