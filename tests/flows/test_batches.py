"""What runs elsewhere and later, or costs something else than tokens: batches, answers in the background or kept by a
provider, images and sound; and tiers that cost less."""

from typing import Literal

import pytest

from sluicegate.domain.events import Charge
from sluicegate.domain.limits import Calendar, Lifetime, Limit
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import TOKEN, Node, a_request, a_snapshot, an_answer, parts

Enforcement = Literal["hard", "soft", "shadow"]
PRICE = Price("v1", Rates(input=1_000_000_000, output=2_000_000_000), longest_output=1_000, context=1_000)
USAGE = b'"usage":{"prompt_tokens":10,"completion_tokens":20,"input_tokens":10,"output_tokens":20,"total_tokens":30}'


def limited(node: Node, usd: Enforcement | None = "hard", tokens: Enforcement | None = "hard") -> None:
    """The token has limits of dollars and tokens, enforced so, and a hard one of requests."""
    limits = [Limit("token", "tok_1", "requests", Lifetime(), 100)]
    if usd is not None:
        limits.append(Limit("token", "tok_1", "usd", Calendar("month"), 10_000_000_000, usd))
    if tokens is not None:
        limits.append(Limit("token", "tok_1", "tokens", Calendar("day"), 1_000_000, tokens))
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", "tester", "prj_a", "org_a", limits=tuple(limits))
    node.services.principals.forget(())
    node.link.prices["gpt-4o-mini"] = PRICE


BEGUN = [
    ("POST", "/v1/batches", b'{"input_file_id":"file-1","endpoint":"/v1/responses","completion_window":"24h"}'),
    ("POST", "/v1/messages/batches", b'{"requests":[{"custom_id":"1","params":{"model":"gpt-4o-mini"}}]}'),
    ("POST", "/v1beta/models/gemini-x:batchGenerateContent", b'{"batch":{}}'),
    ("POST", "/gemini/v1beta/models/gemini-x:batchGenerateContent", b'{"batch":{}}'),
    ("POST", "/gemini/v1beta/cachedContents", b'{"model":"models/gemini-x","ttl":"864000s","contents":[]}'),
]
"""Batches that are made."""
LOOKED_AT = [
    ("GET", "/v1/batches/batch_1", b""),
    ("POST", "/v1/batches/batch_1/cancel", b""),
    ("GET", "/v1/responses/resp_1", b""),
    ("GET", "/v1/chat/completions", b""),
    ("GET", "/openai/v1/chat/completions?limit=5", b""),
    ("POST", "/v1/responses/resp_1/cancel", b""),
    ("GET", "/v1/messages/batches/msgbatch_1/results", b""),
    ("POST", "/gemini/v1beta/batches/1:cancel", b""),
    ("POST", "/v1/realtime/calls/call_1/hangup", b""),
    ("GET", "/v1/videos/video_1/content", b""),
]
"""What was made before."""
OTHER_UNBOUNDED = [
    ("/v1/responses", b'{"model":"gpt-4o-mini","input":"a","max_output_tokens":9,"background":true}'),
    ("/v1/responses", b'{"background" : 1,"model":"gpt-4o-mini","input":"a"}'),
    ("/v1/responses", b'{"model":"gpt-4o-mini","input":"\\ud83d","background":true}'),
    ("/v1/realtime/calls", b'{"sdp":"v=0"}'),
    ("/anthropic/v1/complete", b'{"model":"gpt-4o-mini","prompt":"a","max_tokens_to_sample":9}'),
    ("/gemini/v1beta/interactions", b'{"model":"gpt-4o-mini","input":"a"}'),
]
UNPRICED = [
    ("/v1/images/generations", b'{"model":"gpt-4o-mini","prompt":"a cat"}'),
    ("/v1/audio/speech", b'{"model":"gpt-4o-mini","input":"a"}'),
    ("/v1/videos", b'{"model":"gpt-4o-mini","prompt":"a"}'),
    ("/v1/fine_tuning/jobs", b'{"model":"gpt-4o-mini","training_file":"file-1"}'),
    ("/gemini/v1beta/models/imagen-4:predict", b'{"instances":[]}'),
]


def asks(node: Node, path: str, body: bytes, *fields: str, method: str = "POST") -> tuple[int, bytes]:
    """What a client hears of us or, if it was sent, of the provider."""
    client = node.client().says(a_request(path, body, method=method, fields=fields))
    if node.opener.peers:
        node.provider.says(an_answer())
    status, _, answer = parts(client.hears())
    return status, answer


@pytest.mark.parametrize(("method", "path", "body"), [*BEGUN, *LOOKED_AT])
def test_what_runs_later_takes_one_request_and_nothing_else(node: Node, method: str, path: str, body: bytes) -> None:
    """Whoever asks how a batch fares is told its usage each time: to count that would be to count it many times."""
    is_begun = (method, path, body) in BEGUN
    limited(node, *("soft", "soft") if is_begun else ("hard", "hard"))
    node.client().says(a_request(path, body, method=method))
    node.provider.says(an_answer(b'{"id":"1","model":"gpt-4o-mini","status":"completed",%b}' % USAGE))
    (event,) = node.events()
    assert (event.status_code, event.cost, event.metadata.total_tokens, event.usage_source) == (200, None, 0, "none")
    assert [(charge.account, charge.amount) for charge in event.charges] == [("tok_1|requests|lifetime", 1)]


@pytest.mark.parametrize(("path", "body"), [*[one[1:] for one in BEGUN], *OTHER_UNBOUNDED])
@pytest.mark.parametrize(
    ("usd", "tokens", "is_refused"),
    [
        ("hard", None, True),
        (None, "hard", True),
        ("soft", "shadow", False),
        ("shadow", "soft", False),
        (None, None, False),
    ],
)
def test_what_runs_later_passes_no_hard_limit(
    node: Node, path: str, body: bytes, usd: Enforcement | None, tokens: Enforcement | None, is_refused: bool
) -> None:
    """Of tokens or of dollars: nobody can tell what it will take, and nothing is sent; soft limits let it pass."""
    limited(node, usd, tokens)
    status, answer = asks(node, path, body)
    assert (status, b"make the limit soft" in answer) == ((403, True) if is_refused else (200, False))
    assert len(node.opener.peers) == (0 if is_refused else 1)


def test_a_cache_is_kept_no_longer_under_a_hard_limit(node: Node) -> None:
    """It costs by the hour; to look at it, or to end it, is one request."""
    limited(node)
    path = "/gemini/v1beta/cachedContents/c1"
    assert asks(node, path, b'{"ttl":"864000s"}', method="PATCH")[0] == 403
    assert not node.opener.peers
    assert asks(node, path, b"", method="DELETE")[0] == 200


@pytest.mark.parametrize("enforcement", ["soft", "hard"])
@pytest.mark.parametrize(
    ("path", "body"),
    [UNPRICED[0], ("/v1/images/edits", b"multipart"), UNPRICED[1], ("/v1/audio/transcriptions", b"multipart")],
)
def test_images_and_sound_take_of_limits_of_tokens(
    node: Node, path: str, body: bytes, enforcement: Enforcement
) -> None:
    """What they report is charged. Under a hard limit the most of it is set aside before, and a soft one lets nobody
    pass once it is reached: what is charged afterwards alone would never end."""
    limited(node, None, enforcement)
    fields = ("Content-Type: multipart/form-data; boundary=b",) if body == b"multipart" else ()
    request = a_request(path, b"", fields=(*fields, f"Content-Length: {len(body)}")) + body
    client = node.client().says(request)
    usage = b'"usage":{"input_tokens":400000,"output_tokens":600000,"total_tokens":1000000}'
    node.provider.says(an_answer(b'{"created":1,"data":[],%b}' % usage))
    assert parts(client.hears())[0] == 200
    (event,) = node.events()
    assert [charge.amount for charge in event.charges] == [1, 1_000_000]
    node.ledger.settles(event.charges)
    client = node.client().says(request)
    node.passes(0.05)
    status, _, answer = parts(client.hears())
    assert (status, b'"metric":"tokens"' in answer, len(node.opener.peers)) == (429, True, 1)


def test_a_list_twice_is_no_way_to_more_images(node: Node) -> None:
    """How many are asked for must be certain where tokens are limited."""
    limited(node, None, "hard")
    status, answer = asks(node, "/v1/images/generations", b'{"model":"gpt-4o-mini","prompt":"a","n":1,"n":10}')
    assert (status, b"n is given twice" in answer, node.opener.peers) == (400, True, [])


@pytest.mark.parametrize("enforcement", ["soft", "shadow"])
def test_a_soft_limit_that_is_reached_begins_nothing_that_runs_later(node: Node, enforcement: Enforcement) -> None:
    """What a batch takes is not seen, but nobody makes one who has nothing left."""
    limited(node, enforcement, enforcement)
    node.ledger.settles([Charge("tok_1|usd|month", 10_000_000_000, 0), Charge("tok_1|tokens|day", 1_000_000, 0)])
    for _, path, body in BEGUN:
        client = node.client().says(a_request(path, body))
        node.passes(0.05)
        if enforcement == "soft":
            assert parts(client.hears())[0] == 429
    assert len(node.opener.peers) == (0 if enforcement == "soft" else len(BEGUN))


@pytest.mark.parametrize(("usd", "tokens"), [("soft", None), (None, "soft")])
def test_one_soft_limit_that_is_reached_is_enough(
    node: Node, usd: Enforcement | None, tokens: Enforcement | None
) -> None:
    """Of dollars or of tokens: what nobody can tell takes of both."""
    limited(node, usd, tokens)
    node.ledger.settles([Charge("tok_1|usd|month", 10_000_000_000, 0), Charge("tok_1|tokens|day", 1_000_000, 0)])
    client = node.client().says(a_request(*BEGUN[0][1:]))
    node.passes(0.05)
    assert (parts(client.hears())[0], node.opener.peers) == (429, [])


@pytest.mark.parametrize(("method", "path", "body"), LOOKED_AT)
def test_a_soft_limit_that_is_reached_hides_nothing_that_was_made(
    node: Node, method: str, path: str, body: bytes
) -> None:
    """To look at it, or to end it, takes neither tokens nor dollars."""
    limited(node, "soft", "soft")
    node.ledger.settles([Charge("tok_1|usd|month", 10_000_000_000, 0), Charge("tok_1|tokens|day", 1_000_000, 0)])
    assert asks(node, path, body, method=method)[0] == 200


@pytest.mark.parametrize(("path", "body"), UNPRICED)
def test_what_is_not_paid_by_the_token_passes_no_hard_limit_of_dollars(node: Node, path: str, body: bytes) -> None:
    """Its price is not known; a limit of tokens is not about it."""
    limited(node, "hard", None)
    status, answer = asks(node, path, body)
    assert (status, b"limits.unknown_price: free" in answer, node.opener.peers) == (403, True, [])
    limited(node, "soft", "hard")
    assert asks(node, path, body)[0] == 200


@pytest.mark.parametrize(("path", "body"), [BEGUN[0][1:], OTHER_UNBOUNDED[0], UNPRICED[0]])
def test_what_has_no_price_may_be_free(node: Node, path: str, body: bytes) -> None:
    """Where the configuration says so; of tokens it says nothing."""
    node.services.configure(a_snapshot(unknown_price="free"))
    limited(node, "hard", None)
    assert asks(node, path, body)[0] == 200
    limited(node, "hard", "hard")
    assert asks(node, path, body)[0] == (200 if (path, body) in UNPRICED else 403)


def test_what_is_free_takes_nothing_of_a_soft_limit_either(node: Node) -> None:
    """A hard limit of dollars of which nothing is left lets it pass; a soft one is no stricter."""
    node.services.configure(a_snapshot(unknown_price="free"))
    limits: tuple[Enforcement, ...] = ("hard", "soft")
    for enforcement in limits:
        limited(node, enforcement, None)
        node.ledger.settles([Charge("tok_1|usd|month", 10_000_000_000, 0)])
        assert asks(node, BEGUN[0][1], BEGUN[0][2])[0] == 200


@pytest.mark.parametrize(("path", "body"), [BEGUN[0][1:], OTHER_UNBOUNDED[0], UNPRICED[0]])
def test_a_callers_own_cap_is_never_ignored(node: Node, path: str, body: bytes) -> None:
    """What cannot be held to it is not sent, whoever has limits."""
    node.services.configure(a_snapshot(unknown_price="free"))
    node.link.prices["gpt-4o-mini"] = PRICE
    status, answer = asks(node, path, body, "x-gateway-max-cost-usd: 5")
    assert (status, b"x-gateway-max-cost-usd" in answer, node.opener.peers) == (403, True, [])


@pytest.mark.parametrize("value", [b"false", b"null"])
def test_an_answer_that_is_waited_for_is_bounded_as_ever(node: Node, value: bytes) -> None:
    """Whoever says that it is not made in the background is believed, unless they say both."""
    limited(node)
    body = b'{"model":"gpt-4o-mini","input":"a","background":%b}' % value
    assert asks(node, "/v1/responses", body)[0] == 200
    status, answer = asks(node, "/v1/responses", body.replace(b"}", b',"background":true}'))
    assert (status, b"background is given twice" in answer) == (400, True)


@pytest.mark.parametrize("tier", [b"flex", b"default", b"auto"])
def test_a_tier_that_costs_less_is_charged_as_the_standard_one(node: Node, tier: bytes) -> None:
    """Where the price says nothing of it, also if the provider says in its answer that it was served so."""
    limited(node)
    body = b'{"model":"gpt-4o-mini","max_tokens":50,"messages":[],"service_tier":"%b"}' % tier
    node.client().says(a_request("/v1/chat/completions", body))
    node.provider.says(an_answer(b'{"model":"gpt-4o-mini","choices":[],"service_tier":"%b",%b}' % (tier, USAGE)))
    (event,) = node.events()
    assert event.cost == 10 * 1_000 + 20 * 2_000
    assert (event.metadata.total_tokens, event.price_version) == (30, "v1")
