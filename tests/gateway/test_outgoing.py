"""What of a request reaches its provider, and in how many pieces."""

import msgspec
import pytest

from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer

TELLING = a_provider(
    caller_headers=(("cf-aig-metadata", (("user_id", "user"), ("org_id", "organization"))),),
    price_headers=(("cf-aig-custom-cost", (("in", "input"), ("out", "output"), ("kept", "cache_read"))),),
)
OWN = Price("file 1a2b3c4d", Rates(input=150_000_000, output=1))
"""Fifteen cents for a million tokens read, and a nano-dollar for a million written."""
FORGED = ("CF-AIG-Metadata: {}", "cf-aig-custom-cost: {}")


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        ("gzip, deflate, br", b"Accept-Encoding: gzip, deflate\r\n"),
        ("br, zstd", b"Accept-Encoding: identity\r\n"),
        ("*", b"Accept-Encoding: identity\r\n"),
        ("gzip;q=0.5, compress", b"Accept-Encoding: gzip, deflate\r\n"),
        ("gzip;q=0.5, identity", b"Accept-Encoding: gzip;q=0.5, identity\r\n"),
        ("GZIP", b"Accept-Encoding: gzip\r\n"),
    ],
)
def test_an_answer_is_encoded_as_both_sides_can_read_it(node: Node, offered: str, asked: bytes) -> None:
    """What our taps cannot undo is not offered."""
    node.client().says(a_request(fields=(f"Accept-Encoding: {offered}",)))
    assert asked in node.provider.hears()


def test_a_stream_is_not_encoded(node: Node) -> None:
    """Events inside a compressed stream would wait for its block to fill."""
    node.client().says(a_request(body=b'{"model":"m","stream":true}', fields=("Accept-Encoding: gzip",)))
    assert b"Accept-Encoding: identity\r\n" in node.provider.hears()


def test_a_large_body_is_not_copied_behind_its_head(node: Node) -> None:
    """It arrives as it was all the same."""
    body = b'{"model":"m","messages":["' + b"x" * 70_000 + b'"]}'
    node.client().says(a_request(body=body))
    request = node.provider.hears()
    assert request.endswith(body)
    assert b"Content-Length: %d\r\n" % len(body) in request


def test_what_a_caller_gets_prepared_is_no_other_callers(node: Node) -> None:
    """A connection may change its token: the fields that travel are those of the token of each request."""
    other = "sk-sg-other-0123456789"
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", request_headers=("x-one",))
    node.link.tokens[digest(other.encode())] = Principal("tok_2", request_headers=("x-two",))
    client = node.client()
    for token, name in ((TOKEN, b"X-One"), (other, b"X-Two"), (TOKEN, b"X-One")):
        client.says(a_request(token=token, fields=("X-One: 1", "X-Two: 2")))
        request = node.provider.hears()
        assert [field for field in (b"X-One", b"X-Two") if field in request] == [name]
        node.provider.says(an_answer())


def test_a_provider_has_its_own_fields(node: Node) -> None:
    """A configured field replaces the client's; a default only fills in for it."""
    provider = msgspec.structs.replace(
        a_provider(), headers=(("x-team", "a"),), default_headers=(("x-beta", "1"), ("x-mode", "2"))
    )
    node.services.configure(a_snapshot(providers=(provider,)))
    node.client().says(a_request(fields=("X-Team: b", "X-Mode: 3")))
    request = node.provider.hears()
    for field, is_there in ((b"x-team: a", 1), (b"X-Team: b", 0), (b"x-beta: 1", 1), (b"x-mode: 2", 0)):
        assert request.count(field + b"\r\n") == is_there
    assert b"X-Mode: 3\r\n" in request


def told(request: bytes) -> list[bytes]:
    """What a request says in the fields of Cloudflare's gateway."""
    return [line for line in request.split(b"\r\n") if line.lower().startswith(b"cf-aig-")]


def test_a_default_never_doubles_a_field_that_is_set(node: Node) -> None:
    """A configured field replaces the dialect's default of its name."""
    provider = msgspec.structs.replace(
        a_provider(), headers=(("x-beta", "ours"),), default_headers=(("x-beta", "dialect"),)
    )
    node.services.configure(a_snapshot(providers=(provider,)))
    node.client().says(a_request(fields=("X-Beta: theirs",)))
    assert [line for line in node.provider.hears().split(b"\r\n") if b"beta" in line.lower()] == [b"x-beta: ours"]


def test_a_provider_is_told_who_asks(node: Node) -> None:
    """On one connection each request has the ids of its own caller; what the client says is dropped."""
    node.services.configure(a_snapshot(providers=(TELLING,)))
    other = "sk-sg-other-0123456789"
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", organization_id="org_a", user_id='u"1')
    node.link.tokens[digest(other.encode())] = Principal("tok_2", organization_id="org_b", request_headers=("x-one",))
    client = node.client()
    for token, expected in (
        (TOKEN, rb'cf-aig-metadata: {"user_id":"u\"1","org_id":"org_a"}'),
        (other, b'cf-aig-metadata: {"org_id":"org_b"}'),
        (TOKEN, rb'cf-aig-metadata: {"user_id":"u\"1","org_id":"org_a"}'),
    ):
        client.says(a_request(token=token, fields=FORGED))
        assert told(node.provider.hears()) == [expected]
        node.provider.says(an_answer())


def test_a_provider_is_told_a_price_that_is_our_own(node: Node) -> None:
    """Of each request's model, the first as well: it waits until the price is known. Digits are exact."""
    node.services.configure(a_snapshot(providers=(TELLING,)))
    node.link.prices |= {"dear": OWN, "listed": Price("genai-prices 0.2.3", Rates(input=1, output=1))}
    client = node.client()
    for model, expected in (
        ("dear", [b'cf-aig-custom-cost: {"in":0.00000015,"out":0.000000000000001}']),
        ("listed", []),
        ("unknown", []),
        ("dear", [b'cf-aig-custom-cost: {"in":0.00000015,"out":0.000000000000001}']),
    ):
        client.says(a_request(body=b'{"model":"%b"}' % model.encode(), fields=FORGED))
        assert told(node.provider.hears())[1:] == expected
        node.provider.says(an_answer(b'{"usage":{"prompt_tokens":1000000,"completion_tokens":0}}'))
    assert [event.cost for event in node.events()] == [150_000_000, 1, None, 150_000_000]
    assert len(node.link.priced) == 3


def test_without_a_model_there_is_no_price_to_tell(node: Node) -> None:
    """Nobody is asked for it."""
    node.services.configure(a_snapshot(providers=(TELLING,)))
    node.client().says(a_request("/v1/files", b"", method="GET"))
    assert len(told(node.provider.hears())) == 1
    assert node.link.priced == []


def test_a_price_that_nobody_can_tell_holds_nothing_up_for_long(node: Node) -> None:
    """The request goes without it: it is for the provider's books alone."""
    node.services.configure(a_snapshot(providers=(TELLING,)))
    client = node.client().says(a_request())
    node.provider.hears()
    node.provider.says(an_answer())
    node.link.is_silent = True
    node.services.prices.forget()
    client.says(a_request())
    assert node.provider.hears() == b""
    node.passes(6.0)
    assert len(told(node.provider.hears())) == 1


def test_fields_of_prices_are_bounded(node: Node) -> None:
    """A configuration that changes all the time leaves no trail in memory."""
    node.services.configure(a_snapshot(providers=(TELLING,)))
    runtime = node.services.providers.by_name["openai"]
    runtime.price_fields.update({f"file {number}": b"" for number in range(1_024)})
    node.link.prices["gpt-4o-mini"] = OWN
    node.client().says(a_request())
    assert len(told(node.provider.hears())) == 2
    assert list(runtime.price_fields) == [OWN.version]
