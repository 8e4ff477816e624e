"""What is set aside for which request. The conversations are in tests/flows/test_budgets.py."""

import msgspec
import pytest

from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ModelAlias, Target
from sluicegate.domain.tokens import digest
from sluicegate.gateway.exchange import Exchange
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.stages.budget import AROUND, budget
from sluicegate.wire.link import Counted
from tests.gateway.limits import REQUESTS, TOKENS, USD, whose
from tests.gateway.node import TOKEN, Node, Peer, a_provider, a_request, a_snapshot, parts

HUGE = msgspec.structs.replace(TOKENS, maximum=10**9)
PRICE = Price("v", Rates(1_000_000, 1_000_000), longest_output=8000, context=200_000)


def limited(node: Node, principal: Principal) -> None:
    """The token is this one's."""
    node.link.tokens[digest(TOKEN.encode())] = principal
    node.services.principals.forget(())


def reserved(node: Node, account: str = HUGE.account) -> int:
    """What is set aside now."""
    return node.services.budgets.borrower.accounts[account].reserved


def asks(node: Node, body: bytes, path: str = "/v1/chat/completions", *fields: str) -> Peer:
    """A client asks."""
    return node.client().says(a_request(path, body, fields=fields))


def test_who_has_no_limits_is_admitted(node: Node) -> None:
    """Nothing is looked up, and the exchange stays as it is."""
    exchange = Exchange(node.listener.make(), node.services, RequestHead(), -1)
    before = repr(exchange)
    budget(exchange)
    assert repr(exchange) == before
    assert exchange.reservation is None
    assert exchange.runtime_or_none is None


@pytest.mark.parametrize(
    ("path", "body", "tokens"),
    [
        ("/v1/chat/completions", b'{"model":"m","max_tokens":50}', 29 + AROUND + 50),
        ("/v1/chat/completions", b'{"model":"m","n":3,"max_tokens":50}', 35 + AROUND + 150),
        ("/v1/chat/completions", b'{"model":"m"}', 13 + AROUND + 8000),
        ("/v1/embeddings", b'{"model":"m","input":"abc"}', 27 + AROUND),
        ("/v1/responses", b'{"model":"m","previous_response_id":"r","max_output_tokens":9}', 200_009),
        ("/v1/images/generations", b'{"model":"m","prompt":"a cat"}', 0),
        ("/v1/chat/completions", b"", 8000),
    ],
)
def test_the_worst_case_is_set_aside(node: Node, path: str, body: bytes, tokens: int) -> None:
    """What can be read, and what can be written; nothing for operations that are not paid by the token."""
    node.link.prices["m"] = PRICE
    limited(node, whose(HUGE))
    asks(node, body, path)
    assert reserved(node) == (tokens if body else reserved(node))


def test_a_body_that_cannot_be_read_is_bounded_by_its_length(node: Node) -> None:
    """It has no price either, so a limit in dollars refuses it."""
    limited(node, whose(HUGE))
    encoded = a_request(fields=("Content-Encoding: identity",), body=b"0" * 1000)
    node.client().says(encoded)
    assert reserved(node) == 1000 + 16_384
    limited(node, whose(USD))
    assert parts(node.client().says(encoded).hears())[0] == 400


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ("Content-Type: text/plain", "Transfer-Encoding: chunked")),
        (b"\x1f\x8b" + b"0" * 998, ("Content-Encoding: gzip",)),
    ],
)
def test_a_body_of_unknown_length_may_be_the_longest(node: Node, body: bytes, fields: tuple[str, ...]) -> None:
    """Chunked and not held, or compressed: a few bytes may stand for a million."""
    limited(node, whose(HUGE))
    node.client().says(a_request(body=body, fields=fields))
    assert reserved(node) == 1_000_000 + 16_384


@pytest.mark.parametrize(
    ("body", "fields", "tokens"),
    [
        (b'{"model":"m"}', (), 13 + AROUND + 8000),
        (b'{"model":"m","max_tokens":50}', (), 29 + AROUND + 50),
        (b'{"model":"m","max_tokens":5,"messages":[{"type":"image_url"}]}', (), None),
        (b"0" * 1000, ("Content-Encoding: identity",), 1000 + 16_384),
    ],
)
def test_what_a_template_adds_is_set_aside_too(
    node: Node, body: bytes, fields: tuple[str, ...], tokens: int | None
) -> None:
    """However the request itself is bounded."""
    node.link.prices["m"] = PRICE
    limited(node, whose(HUGE))
    asks(node, body, "/v1/chat/completions", *fields)
    without = reserved(node)
    assert tokens in (None, without)
    node.services.configure(a_snapshot(providers=(a_provider(prompt_overhead=600),)))
    asks(node, body, "/v1/chat/completions", *fields)
    assert reserved(node) == 2 * without + 600


@pytest.mark.parametrize(("overhead", "is_sent"), [(0, True), (600, True), (650, False)])
def test_what_a_template_adds_is_no_part_of_a_count(node: Node, overhead: int, is_sent: bool) -> None:
    """It comes on top: 300 counted, a sixteenth of that, 32, and the 5 of the answer fit into 1,000 with 600 more."""
    node.services.configure(a_snapshot(providers=(a_provider(prompt_overhead=overhead),)))
    node.link.prices["m"] = PRICE
    limited(node, whose(TOKENS))
    asks(node, b'{"model":"m","max_tokens":5,"messages":["%b"]}' % (b"word " * 300))
    node.link.counted[0](Counted(1, 300, 0, "counted"))
    node.settle()
    assert len(node.opener.peers) == is_sent


def test_two_caps_are_refused(node: Node) -> None:
    """The provider could take the other one."""
    limited(node, whose(HUGE))
    client = asks(node, b'{"model":"m","max_tokens":5,"max_tokens":500}')
    status, _, body = parts(client.hears())
    assert (status, msgspec.json.decode(body)["error"]["param"]) == (400, "max_tokens")


def test_soft_limits_leave_the_request_as_it_is(node: Node) -> None:
    """One unit is set aside, and no cap is written."""
    limited(node, whose(msgspec.structs.replace(HUGE, maximum=10, enforcement="soft")))
    asks(node, b'{"model":"m"}')
    assert reserved(node) == 1
    assert node.provider.hears().endswith(b'\r\n\r\n{"model":"m"}')


def test_a_model_is_chosen_once(node: Node) -> None:
    """However often the stage must wait."""
    calls: list[None] = []

    def choose() -> float:
        calls.append(None)
        return 0.0

    targets = (Target("openai", "gpt-large"), Target("openai", "gpt-large"))
    node.services.configure(a_snapshot(models=(ModelAlias("smart", targets),)))
    node.services.choose = choose
    node.link.prices["gpt-large"] = PRICE
    limited(node, whose(HUGE, USD))
    asks(node, b'{"model":"smart","max_tokens":5}')
    assert b'"model":"gpt-large"' in node.provider.hears()
    assert len(calls) == 1


def test_files_cannot_be_counted(node: Node) -> None:
    """What is not in the bytes is no matter of counting: it is refused for what it may be."""
    limited(node, whose(TOKENS))
    for body in (
        b'{"model":"m","max_tokens":5,"messages":[{"file_id":"f"}]}',
        b'{"model":"m","max_tokens":5,"messages":[{"image_url":"http://x"}]}',
    ):
        assert parts(asks(node, body).hears())[0] == 429
    assert not node.link.questions


def test_other_limits_are_not_counted_for(node: Node) -> None:
    """A limit of requests that is reached stays so."""
    limited(node, whose(msgspec.structs.replace(REQUESTS, maximum=0), HUGE))
    assert parts(asks(node, b'{"model":"m","max_tokens":5}').hears())[0] == 429
    assert not node.link.questions


def test_a_guess_is_no_count(node: Node) -> None:
    """Where no tokenizer could run, the bytes stay the bound."""
    limited(node, whose(TOKENS))
    client = asks(node, b'{"model":"m","max_tokens":5,"messages":["%b"]}' % (b"x" * 2000))
    node.link.counted[0](None)
    node.settle()
    assert parts(client.hears())[0] == 429
    assert len(node.link.questions) == 1


def test_an_api_without_caps_is_watched(node: Node) -> None:
    """Nothing is written into a request whose API we do not know."""
    node.services.configure(a_snapshot(providers=(a_provider("some", "generic"),)))
    limited(node, whose(HUGE))
    asks(node, b'{"model":"m"}', "/some/chat/completions")
    assert node.provider.hears().endswith(b'{"model":"m"}')
    assert reserved(node) > 16_384


def test_the_callers_own_cap_goes_with_limits(node: Node) -> None:
    """Both hold: the lower one is written."""
    node.link.prices["m"] = PRICE
    limited(node, whose(HUGE))
    asks(node, b'{"model":"m","max_tokens":5000}', "/v1/chat/completions", "x-gateway-max-cost-usd: 0.00000015")
    cap = int(node.provider.hears().rpartition(b'"max_tokens":')[2].rstrip(b"}"))
    assert 16 <= cap <= 100


def test_a_price_that_does_not_come(node: Node) -> None:
    """The control process is unavailable then; no limit is said to be reached."""
    limited(node, whose(USD))
    asks(node, b'{"model":"known","max_tokens":5}')
    node.link.is_silent = True
    client = asks(node, b'{"model":"m","max_tokens":5}')
    node.passes(5.1)
    status, _, body = parts(client.hears())
    assert (status, msgspec.json.decode(body)["error"]["code"]) == (503, "control_unavailable")


def test_what_we_cannot_read_is_not_counted(node: Node) -> None:
    """An API that is not known has no texts to count."""
    node.services.configure(a_snapshot(providers=(a_provider("some", "generic"),)))
    limited(node, whose(TOKENS))
    client = asks(node, b'{"model":"m","messages":["%b"]}' % (b"x" * 2000), "/some/chat")
    assert parts(client.hears())[0] == 429
    assert not node.link.questions


def test_a_client_that_leaves_while_its_request_is_counted(node: Node) -> None:
    """The count comes too late, and holds nothing."""
    limited(node, whose(TOKENS))
    client = asks(node, b'{"model":"m","max_tokens":5,"messages":["%b"]}' % (b"x" * 2000))
    client.leaves()
    node.link.counted[0](Counted(0, 100, 0, "counted"))
    node.settle()
    assert not node.opener.peers
    assert reserved(node, TOKENS.account) == 0


def test_a_tool_with_a_fee_has_no_price(node: Node) -> None:
    """A hard limit in dollars refuses it, unless what is not known is free; a limit in tokens lets it pass."""
    node.link.prices["m"] = PRICE
    body = b'{"model":"m","max_tokens":5,"tools":[{"type":"web_search"}]}'
    limited(node, whose(USD))
    status, _, answer = parts(asks(node, body, "/v1/responses").hears())
    assert (status, msgspec.json.decode(answer)["error"]["param"]) == (400, "tools")
    assert b"web_search" in answer
    limited(node, whose(HUGE))
    asks(node, body, "/v1/responses")
    assert node.provider.hears().endswith(body)
    node.services.configure(a_snapshot(unknown_price="free"))
    limited(node, whose(USD))
    asks(node, body, "/v1/responses")
    assert node.provider.hears().endswith(body)
