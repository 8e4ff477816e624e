"""Whom a request goes to: by weight, by conversation, user or header, by region and tags; and what is sent there."""

import json
from collections import Counter
from typing import Any

import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import AllowRule, ModelAlias, Provider, Retries, Target
from sluicegate.domain.tokens import digest
from tests.flows.faults import ANSWER, STREAM
from tests.flows.test_retrying import good_answer, unchunked
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer, parts

NAMES = ("first", "second", "third")
FAILURE = an_answer(b"{}", status="500 X")


def several(node: Node, *providers: Provider, **alias: Any) -> None:
    """Some providers of one model."""
    providers = providers or tuple(a_provider(name) for name in NAMES)
    targets = tuple(Target(name, "model") for name in dict.fromkeys(provider.name for provider in providers))
    node.services.configure(
        a_snapshot(
            providers=providers,
            models=(ModelAlias("smart", targets, **alias),),
            retries=Retries(attempts=3),
        )
    )


def body_of(text: str, *more: str, **fields: Any) -> bytes:
    """A conversation that begins with this text."""
    messages = [{"role": "user", "content": one} for one in (text, *more)]
    return json.dumps({"model": "smart", "messages": messages, **fields}).encode()


def asked(node: Node, body: bytes, *fields: str, raw: bytes = an_answer(ANSWER)) -> str:
    """Whose answer a request gets."""
    client = node.client().says(a_request(body=body, fields=fields))
    for peer in list(node.opener.peers):
        if peer.hears():
            peer.says(raw)
    status, headers, _ = parts(client.hears())
    assert status in (200, 500)
    name = headers["x-gateway-provider"]
    return f"{name}/{headers['x-gateway-deployment']}" if "x-gateway-deployment" in headers else name


def test_weights_split_the_requests(node: Node) -> None:
    """20 to 80, within the binomial 99.9 % band of 500 draws (3.29 standard deviations of 9)."""
    node.services.configure(
        a_snapshot(
            providers=(a_provider("first"), a_provider("second")),
            models=(ModelAlias("smart", (Target("first", "a", 20), Target("second", "b", 80))),),
        )
    )
    counts = Counter(asked(node, body_of("hello")) for _ in range(500))
    assert abs(counts["first"] - 100) <= 3.29 * 9


def test_a_round_takes_turns(node: Node) -> None:
    """Each once before any twice."""
    several(node, strategy="round_robin")
    rounds = [asked(node, body_of("hello")) for _ in range(9)]
    assert Counter(rounds) == dict.fromkeys(NAMES, 3)


def test_the_quickest_is_asked_most(node: Node) -> None:
    """Once all are known, the one that answered soonest."""
    several(node, strategy="lowest_latency")
    pauses = {"first": 3.0, "second": 0.1, "third": 3.0}
    for _ in range(3):
        client = node.client().says(a_request(body=body_of("hello")))
        name = node.opener.reached[-1]
        node.passes(pauses[name])
        node.provider.says(an_answer(ANSWER))
        client.hears()
    for peer in node.opener.peers:
        peer.hears()
    assert set(node.opener.reached) == set(NAMES)
    assert {asked(node, body_of("hello")) for _ in range(5)} == {"second"}


@pytest.mark.parametrize("turns", [(), ("more",), ("more", "and more")])
def test_a_conversation_stays_where_it_began(node: Node, turns: tuple[str, ...]) -> None:
    """All its turns go to one provider, and many conversations to all of them."""
    several(node, sticky="conversation")
    homes = {text: asked(node, body_of(text)) for text in map(str, range(30))}
    assert set(homes.values()) == set(NAMES)
    assert {text: asked(node, body_of(text, *turns)) for text in homes} == homes


def test_a_conversation_comes_back_after_its_provider_failed(node: Node) -> None:
    """Another one answers in between, and the next turn is where its beginning was read before."""
    several(node, sticky="conversation")
    home = asked(node, body_of("hello"))
    client = node.client().says(a_request(body=body_of("hello")))
    node.opener.peers[0].says(FAILURE)
    node.provider.says(an_answer(ANSWER))
    assert parts(client.hears())[1]["x-gateway-provider"] != home
    for peer in node.opener.peers:
        peer.hears()
    assert asked(node, body_of("hello")) == home


def test_a_user_stays(node: Node) -> None:
    """By the request's user; without one, by the token's; whatever is asked."""
    several(node, sticky="user")
    homes = {name: asked(node, body_of("hello", user=name)) for name in map(str, range(30))}
    assert set(homes.values()) == set(NAMES)
    assert {name: asked(node, body_of("other", user=name)) for name in homes} == homes
    assert len({asked(node, body_of(text)) for text in map(str, range(20))}) == 1


def test_a_header_stays(node: Node) -> None:
    """By the field that is named, which travels on; without it, anywhere."""
    several(node, sticky="header", sticky_header="x-session")
    homes = {name: asked(node, body_of("hello"), f"X-Session: {name}") for name in map(str, range(30))}
    assert set(homes.values()) == set(NAMES)
    assert {name: asked(node, body_of("other"), f"x-session: {name}") for name in homes} == homes
    assert len({asked(node, body_of("hello")) for _ in range(30)}) == 3


def test_organizations_do_not_share_a_key(node: Node) -> None:
    """The same conversation of another organisation may be elsewhere: nothing can be told from the way."""
    several(node, sticky="conversation")
    texts = [str(number) for number in range(30)]
    ours = [asked(node, body_of(text)) for text in texts]
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_2", organization_id="org_b")
    node.services.principals.forget(())
    theirs = [asked(node, body_of(text)) for text in texts]
    assert sum(one == other for one, other in zip(ours, theirs, strict=True)) < 20


EAST = a_provider("first", deployment="east", region="eu", tags=("fast",))
WEST = a_provider("first", deployment="west", region="us", tags=("fast", "large"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("x-gateway-region: eu",), {"first/east"}),
        (("X-Gateway-Region: us",), {"first/west"}),
        (("x-gateway-region: us, eu",), {"first/east", "first/west"}),
        (("x-gateway-tags: large",), {"first/west"}),
        (("x-gateway-tags: fast , large",), {"first/west"}),
        (("x-gateway-tags: fast",), {"first/east", "first/west"}),
        ((), {"first/east", "first/west"}),
        (("x-gateway-region:",), {"first/east", "first/west"}),
    ],
)
def test_a_request_narrows_the_choice(node: Node, fields: tuple[str, ...], expected: set[str]) -> None:
    """One of the regions, and all of the tags."""
    several(node, EAST, WEST)
    assert {asked(node, body_of("hello"), *fields) for _ in range(20)} == expected


def test_the_fields_that_narrow_do_not_travel(node: Node) -> None:
    """They are about us."""
    several(node, EAST, WEST)
    node.client().says(a_request(body=body_of("hello"), fields=("x-gateway-region: eu", "x-gateway-tags: fast")))
    assert b"x-gateway" not in node.provider.hears().lower()


@pytest.mark.parametrize("providers", [(EAST, WEST), (EAST,)])
@pytest.mark.parametrize("field", ["x-gateway-region: mars", "x-gateway-tags: fast,huge"])
def test_nobody_fits(node: Node, providers: tuple[Provider, ...], field: str) -> None:
    """Then nobody is asked, also where there is just one."""
    several(node, *providers)
    client = node.client().says(a_request(body=body_of("hello"), fields=(field,)))
    status, _, body = parts(client.hears())
    assert (status, b"no_healthy_target" in body) == (503, True)
    assert node.opener.peers == []


def test_a_narrowed_request_is_not_sent_elsewhere(node: Node) -> None:
    """Not even when who may be asked fails; nor where the model itself says where."""
    several(node, EAST, WEST)
    client = node.client().says(a_request(body=body_of("hello"), fields=("x-gateway-region: eu",)))
    for _ in range(3):
        node.provider.says(FAILURE)
        node.passes(0.75)
    assert parts(client.hears())[0] == 500
    assert set(node.opener.reached) == {"first/east"}
    several(node, EAST, WEST, regions=("us",))
    assert {asked(node, body_of("hello")) for _ in range(10)} == {"first/west"}


def test_each_target_gets_its_own_model_and_the_question_for_usage(node: Node) -> None:
    """The body is the client's but for the model and what asks for the usage, at every target; the client's stream is
    without what it did not ask for."""
    node.services.configure(
        a_snapshot(
            providers=(a_provider("first"), a_provider("second")),
            models=(ModelAlias("smart", (Target("first", "a"),), fallbacks=((Target("second", "b"),),)),),
            retries=Retries(attempts=2),
        )
    )
    body = b'{ "model": "smart", "stream": true, "messages": [ {"role":"user","content":"x"} ], "n" : 1 }'
    client = node.client().says(a_request(body=body))
    first = node.provider
    first.says(FAILURE)
    sent = [peer.hears().partition(b"\r\n\r\n")[2] for peer in node.opener.peers]
    assert [json.loads(one)["model"] for one in sent] == ["a", "b"]
    assert sent[0].replace(b'"a"', b'"b"') == sent[1]
    assert all(json.loads(one)["stream_options"] == {"include_usage": True} for one in sent)
    assert all(b'"messages": [ {"role":"user","content":"x"} ], "n" : 1' in one for one in sent)
    node.provider.says(good_answer(is_stream=True))
    heard = unchunked(parts(client.hears())[2])
    assert b"usage" in STREAM
    assert b"usage" not in heard
    assert node.events()[0].usage_source == "reported"


def test_deployments_may_have_paths_and_keys_of_their_own(node: Node) -> None:
    """What one is sent is never what is another's."""
    east = a_provider("first", deployment="east", weight=1)
    west = Provider(
        name="first",
        deployment="west",
        dialect="openai",
        origin=east.origin,
        authority="west.test",
        base_path="/openai/v1",
        version_path="/openai/v1",
        headers=(("api-key", "west-key"),),
        weight=0,
    )
    several(node, east, west)
    node.client().says(a_request(body=body_of("hello")))
    node.provider.says(FAILURE)
    first, second = (peer.hears() for peer in node.opener.peers)
    assert first.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nHost: first.test\r\n")
    assert second.startswith(b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: west.test\r\n")
    assert b"api-key: west-key" in second
    assert b"authorization" not in second.lower()
    assert b"west-key" not in first


STRICT = a_provider("strict", allow=(AllowRule(("POST",), "chat/completions"), AllowRule(("GET",), "embeddings")))


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/v1/chat/completions", {"strict", "wide"}), ("/v1/embeddings", {"wide"}), ("/v1/moderations", {"wide"})],
)
def test_who_has_no_such_path_is_passed_over(node: Node, path: str, expected: set[str]) -> None:
    """Requests are shared out among those whose allowlists have their path and method."""
    several(node, STRICT, a_provider("wide"))
    for _ in range(30):
        node.client().says(a_request(path, b'{"model":"smart","input":"a","messages":[]}'))
    assert set(node.opener.reached) == expected


@pytest.mark.parametrize(("path", "expected"), [("/v1/embeddings", 405), ("/v1/moderations", 404)])
def test_a_path_that_nobody_has_is_refused(node: Node, path: str, expected: int) -> None:
    """As where there is just one: nobody is asked."""
    other = a_provider("other", allow=(AllowRule(("GET",), "embeddings"),))
    several(node, STRICT, other)
    status, _, _ = parts(node.client().says(a_request(path, b'{"model":"smart","input":"a"}')).hears())
    assert (status, node.opener.reached) == (expected, [])


def test_what_failed_does_not_go_again_to_who_has_no_such_path(node: Node) -> None:
    """The same one is asked once more, after a pause: never is the answer a refusal for the sake of another."""
    several(node, a_provider("wide"), STRICT)
    client = node.client().says(a_request("/v1/embeddings", b'{"model":"smart","input":"a"}'))
    node.provider.says(FAILURE)
    node.passes(5.0)
    node.opener.peers[-1].says(an_answer(ANSWER))
    status, fields, _ = parts(client.hears())
    assert (status, fields["x-gateway-attempts"], set(node.opener.reached)) == (200, "2", {"wide"})
