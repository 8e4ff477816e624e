"""What is set aside for which request. The conversations are in tests/flows/test_budgets.py."""

import msgspec
import pytest

from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ClientBounds, ModelAlias, Target
from sluicegate.domain.tokens import digest
from sluicegate.gateway.exchange import Exchange
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.stages.budget import AROUND, LONGEST_UNREAD, budget
from sluicegate.gateway.unmetered import LONGEST_PROMPT, MOST_OF_IMAGE, MOST_OF_SOUND, MOST_SHOWN
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
        ("/v1/moderations", b'{"model":"m","input":"a cat"}', 0),
        ("/v1/images/generations", b'{"model":"m","prompt":"a cat"}', LONGEST_PROMPT + MOST_OF_IMAGE),
        ("/v1/images/generations", b'{"model":"m","prompt":"a cat","n":4}', LONGEST_PROMPT + 4 * MOST_OF_IMAGE),
        ("/v1/images/edits", b'{"model":"m","n":1}', LONGEST_PROMPT + MOST_SHOWN * 8_000 + MOST_OF_IMAGE),
        ("/v1/audio/speech", b'{"model":"m","input":"a cat"}', MOST_OF_SOUND),
        ("/v1/videos", b'{"model":"m","prompt":"a cat"}', 0),
        ("/v1/chat/completions", b"", 8000),
    ],
)
def test_the_worst_case_is_set_aside(node: Node, path: str, body: bytes, tokens: int) -> None:
    """What can be read, and what can be written; nothing for operations whose answers report no tokens."""
    node.link.prices["m"] = PRICE
    limited(node, whose(HUGE))
    asks(node, body, path)
    assert reserved(node) == (tokens if body else reserved(node))


def test_a_body_that_cannot_be_read_is_bounded_by_its_length(node: Node) -> None:
    """It may have the longest answers, and has no price either, so that a limit in dollars refuses it."""
    node.services.configure(a_snapshot(bounds=ClientBounds(held_body_bytes=999)))
    limited(node, whose(HUGE))
    long = a_request(body=b"0" * 1000)
    node.client().says(long)
    assert reserved(node) == 1000 + LONGEST_UNREAD
    limited(node, whose(USD))
    assert parts(node.client().says(long).hears())[0] == 400


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Type: text/plain",),
        ("Content-Type:",),
        ("Content-Type: application/json", "Content-Encoding: identity"),
        ("Content-Type: application/json", "Content-Encoding: Identity"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/chat/completions"])
def test_a_cap_is_seen_by_whatever_name_the_body_goes(node: Node, path: str, fields: tuple[str, ...]) -> None:
    """Providers read JSON whatever its type is said to be: so is what they would read there."""
    node.link.prices["m"] = PRICE
    limited(node, whose(HUGE))
    body = b'{"model":"m","n":3,"max_tokens":90000}'
    raw = a_request(path, b"", fields=(*fields, f"Content-Length: {len(body)}"))
    node.client().says(raw + body)
    assert reserved(node) == len(body) + AROUND + 270_000


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ("Content-Encoding: br", "Transfer-Encoding: chunked")),
        (b"\x1f\x8b" + b"0" * 998, ("Content-Encoding: gzip",)),
    ],
)
def test_a_body_of_unknown_length_may_be_the_longest(node: Node, body: bytes, fields: tuple[str, ...]) -> None:
    """Chunked and not held, or compressed: a few bytes may stand for a million."""
    limited(node, whose(HUGE))
    node.client().says(a_request(body=body, fields=fields))
    assert reserved(node) == 1_000_000 + LONGEST_UNREAD


@pytest.mark.parametrize(
    ("body", "fields", "tokens"),
    [
        (b'{"model":"m"}', (), 13 + AROUND + 8000),
        (b'{"model":"m","max_tokens":50}', (), 29 + AROUND + 50),
        (b'{"model":"m","max_tokens":5,"messages":[{"type":"image_url"}]}', (), None),
        (b"0" * 1000, ("Content-Encoding: gzip",), 1_000_000 + LONGEST_UNREAD),
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


@pytest.mark.parametrize(
    ("body", "fields"),
    [(b'{"messages":[]}', ()), (b"\x1f\x8b\x08", ("Content-Encoding: gzip",))],
)
def test_no_model_to_have_a_price(node: Node, body: bytes, fields: tuple[str, ...]) -> None:
    """Whoever names none, or where nobody can read it, is told so, and not to set the price of nothing."""
    limited(node, whose(USD))
    status, _, answer = parts(node.client().says(a_request(body=body, fields=fields)).hears())
    error = msgspec.json.decode(answer)["error"]
    assert (status, error["code"], error["param"]) == (400, "price_unknown", "model")
    assert "names no model that can be read" in error["message"]


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
    limited(node, whose(msgspec.structs.replace(USD, maximum=2_000_000)))
    asks(node, body, "/v1/responses")
    assert node.provider.hears().endswith(body)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (b'{"model":"m","max_output_tokens":5,"input":[{"type":"item_reference","id":"i"}]}', 200_005),
        (b'{"model":"m","max_output_tokens":5,"input":[{"fil\\u0065_id":"i"}]}', 200_005),
        (b'{"model":"m","max_output_tokens":5,"prompt":{"id":"p"}}', 1_000_005),
        (b'{"model":"m","max_output_tokens":5,"tools":[{"type":"web_search"}]}', 1_000_005),
        (b'{"model":"m","max_output_tokens":5,"tools":[{"type":"we\\u0062_search"}]}', 1_000_005),
        (b'{"model":"m","max_output_tokens":5,"tools":[{"type":"mcp"}]}', 1_000_005),
    ],
)
def test_what_a_model_is_led_to_is_set_aside(node: Node, body: bytes, tokens: int) -> None:
    """What is kept elsewhere is as long as a model can hold; what tools bring is read again at each step. A limit with
    less than that refuses it: to count the bytes would tell nothing."""
    node.link.prices["m"] = PRICE
    limited(node, whose(HUGE))
    asks(node, body, "/v1/responses")
    assert reserved(node) == tokens
    limited(node, whose(TOKENS))
    assert parts(asks(node, body, "/v1/responses").hears())[0] == 429
    assert not node.link.questions


def test_an_escaped_letter_hides_no_fee(node: Node) -> None:
    """Nor does a prompt that the provider keeps, with tools of its own."""
    node.link.prices["m"] = PRICE
    limited(node, whose(USD))
    for body, parameter in (
        (b'{"model":"m","max_output_tokens":5,"tools":[{"type":"we\\u0062_search"}]}', "tools"),
        (b'{"model":"m","max_output_tokens":5,"prompt":{"id":"p"}}', "prompt"),
    ):
        status, _, answer = parts(asks(node, body, "/v1/responses").hears())
        assert (status, msgspec.json.decode(answer)["error"]["param"]) == (400, parameter)
    assert not node.opener.peers


@pytest.mark.parametrize(
    ("path", "body", "tokens"),
    [
        ("/v1/chat/completions", b'{"model":"m","max_tokens":5,"n_predict":700}', 700),
        ("/v1/completions", b'{"model":"m","max_tokens":5,"n_predict":700,"prompt":"a"}', 700),
        ("/v1/chat/completions", b'{"model":"m","max_tokens":5,"n":"7"}', 35),
    ],
)
def test_what_model_servers_read_besides_is_a_cap_as_well(node: Node, path: str, body: bytes, tokens: int) -> None:
    """llama.cpp goes by `n_predict` before it looks at others, and servers in Python take a text for a number."""
    node.link.prices["m"] = PRICE
    limited(node, whose(HUGE))
    asks(node, body, path)
    assert reserved(node) == len(body) + AROUND + tokens


def test_as_much_as_the_model_can_is_no_cap(node: Node) -> None:
    """What is below zero is replaced by ours, wherever a server looks first."""
    node.link.prices["m"] = msgspec.structs.replace(PRICE, longest_output=100_000)
    limited(node, whose(TOKENS))
    asks(node, b'{"model":"m","max_tokens":5,"n_predict":-1}')
    sent = msgspec.json.decode(node.provider.hears().partition(b"\r\n\r\n")[2])
    assert sent["max_tokens"] == sent["n_predict"] > 500


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (b'{"max_tokens":90000,"n":2}', 180_000),
        (b'{"max_output_tokens":7}', 7),
        (b'{"messages":[]}', 16_384),
        (b"[1]", 16_384),
    ],
)
def test_what_seems_to_be_a_cap_is_believed_where_the_api_is_not_known(node: Node, body: bytes, output: int) -> None:
    """None can be written there, and what is no JSON object is the provider's to judge."""
    node.services.configure(a_snapshot(providers=(a_provider("some", "generic"),)))
    limited(node, whose(HUGE))
    asks(node, body, "/some/chat/completions")
    assert reserved(node) == len(body) + AROUND + output
    assert node.provider.hears().endswith(body)
