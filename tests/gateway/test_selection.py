"""Who gets a request of several that may: by how they fare, in groups, and what is remembered of names."""

from collections import Counter
from typing import Any

import pytest

from sluicegate.domain.snapshot import Circuit, ModelAlias, Provider, Retries, Target, Timeouts
from sluicegate.gateway.selection import LARGEST_MEMO, LONGEST_REMEMBERED, Candidate, Selector, Selectors
from tests.gateway.node import Node, a_provider, a_snapshot

OPEN = Circuit(opens_last=True)


def selectors(node: Node, alias: ModelAlias, *providers: Provider) -> Selectors:
    """The worker's, with these providers."""
    node.services.configure(a_snapshot(models=(alias,), providers=providers or tuple(map(a_provider, "abc"))))
    return node.services.selectors


def smart(node: Node, *providers: Provider, **changes: Any) -> Selector:
    """Two providers in the first group, and one behind them."""
    alias = ModelAlias(
        "smart",
        (Target("a", "m", 1), Target("b", "m", 3)),
        fallbacks=((Target("c", "m"),),),
        **changes,
    )
    selector = selectors(node, alias, *providers).of_model("smart", None)
    assert selector is not None
    return selector


def eject(node: Node, name: str) -> None:
    """Leave one alone for five seconds."""
    for _ in range(5):
        node.services.providers.by_id[name].breaker.failed(node.now, node, may_eject=True)


def chosen(selector: Selector, now: float, point: float = 0.0) -> str:
    """Whom a request gets."""
    candidate = selector.choose(now, point)
    return candidate.runtime.id if candidate is not None else ""


def test_the_first_group_shares_by_weight(node: Node) -> None:
    """The point decides; the fallback gets nothing."""
    selector = smart(node)
    counts = Counter(chosen(selector, node.now, number / 100) for number in range(100))
    assert counts == {"a": 25, "b": 75}


def test_who_is_left_alone_gets_nothing(node: Node) -> None:
    """Its share is the others'; the next group is asked once nobody is left; then nobody."""
    selector = smart(node)
    eject(node, "a")
    assert chosen(selector, node.now) == "b"
    eject(node, "b")
    assert chosen(selector, node.now) == "c"
    eject(node, "c")
    assert chosen(selector, node.now) == ""
    assert chosen(selector, node.now + 5.0) == "a"


def test_to_choose_is_not_to_ask(node: Node) -> None:
    """The probe is used up by who is asked, not by who is thought of."""
    selector = smart(node)
    eject(node, "a")
    for _ in range(3):
        assert chosen(selector, node.now + 5.0) == "a"
    assert node.services.providers.by_id["a"].breaker.state == "open"


def test_who_was_tried_is_not_chosen_again(node: Node) -> None:
    """Group by group, until nobody is left."""
    selector = smart(node)
    tried: list[Candidate] = []
    for expected in "abc":
        candidate = selector.choose(node.now, 0.0, tried=tried)
        assert candidate is not None
        assert candidate.runtime.id == expected
        tried.append(candidate)
    assert selector.choose(node.now, 0.0, tried=tried) is None


def test_who_has_no_room_stands_back(node: Node) -> None:
    """Where others of the group have; else its line is stood in."""
    selector = smart(node, a_provider("a", max_connections=1), a_provider("b", max_connections=1), a_provider("c"))
    pools = [node.services.providers.by_id[name].pool for name in "ab"]
    pools[0].limit.limit = 0
    assert chosen(selector, node.now) == "b"
    pools[1].limit.limit = 0
    assert chosen(selector, node.now) == "a"


def test_a_key_has_its_home(node: Node) -> None:
    """Whatever the point is."""
    selector = smart(node)
    for key in (b"x", b"y", b"z"):
        homes = {selector.choose(node.now, point, key=key) for point in (0.0, 0.5, 0.99)}
        assert len(homes) == 1


def test_narrowing_leaves_who_fits(node: Node) -> None:
    """In any group; nobody where nobody does, however soon."""
    selector = smart(node, a_provider("a", region="eu"), a_provider("b"), a_provider("c", region="us"))
    us = (("us",), ())
    candidate = selector.choose(node.now, 0.0, narrowing=us)
    assert candidate is not None
    assert candidate.runtime.id == "c"
    assert selector.choose(node.now, 0.0, narrowing=(("mars",), ())) is None
    assert selector.soonest(node.now, (("mars",), ())) is None
    found = selector.soonest(node.now, us)
    assert found is not None
    assert (found[0].runtime.id, found[1]) == ("c", 0.0)


def test_who_may_be_asked_soonest(node: Node) -> None:
    """And in how many seconds."""
    selector = smart(node)
    for name in "abc":
        eject(node, name)
    node.services.providers.by_id["b"].breaker.limited(node.now, node, node.now + 2.0)
    node.services.providers.by_id["c"].breaker.reopens_at = node.now + 1.0
    found = selector.soonest(node.now)
    assert found is not None
    assert (found[0].runtime.id, found[1]) == ("c", 1.0)


def test_whether_there_is_another(node: Node) -> None:
    """Any candidate of the choice that may be asked now, in any group."""
    selector = smart(node)
    runtime = node.services.providers.by_id["a"]
    assert selector.has_another(runtime, node.now)
    eject(node, "b")
    assert selector.has_another(runtime, node.now)
    eject(node, "c")
    assert not selector.has_another(runtime, node.now)


@pytest.mark.parametrize(
    ("providers", "is_alone", "opens_last"),
    [
        ((a_provider("a"),), True, False),
        ((a_provider("a", circuit=OPEN),), False, True),
        ((a_provider("a", deployment="x"), a_provider("a", deployment="y")), False, False),
        ((a_provider("a", deployment="x", circuit=OPEN), a_provider("a", deployment="y")), False, False),
    ],
)
def test_who_is_alone(node: Node, providers: tuple[Provider, ...], *, is_alone: bool, opens_last: bool) -> None:
    """There is no choice, unless it may be left alone; and all must wish to be."""
    selector = selectors(node, ModelAlias("x", (Target("a", "m"),)), *providers).of_model("x", None)
    assert selector is not None
    assert (selector.only is not None, selector.opens_last) == (is_alone, opens_last)


def test_what_an_alias_says_of_its_requests(node: Node) -> None:
    """Else it is the snapshot's, and the providers'."""
    mine = Retries(attempts=7)
    selector = smart(node, timeouts=Timeouts(total=1.0), retries=mine, hedge=2.0, sticky="header", sticky_header="x-a")
    assert (selector.alias, selector.hedge, selector.sticky_header) == ("smart", 2.0, b"x-a")
    assert (selector.timeouts, selector.retries) == (Timeouts(total=1.0), mine)
    plain = node.services.selectors.of_model("a/m", None)
    assert plain is not None
    assert (plain.alias, plain.hedge, plain.timeouts) == ("", None, None)
    assert plain.retries == Retries(attempts=1)
    alone = selectors(node, ModelAlias("x", (Target("a", "m"),), hedge=1.0)).of_model("x", None)
    assert alone is not None
    assert alone.hedge is None


def test_only_who_goes_by_latency_has_it_watched(node: Node) -> None:
    """It costs something with every answer."""
    smart(node)
    runtimes = node.services.providers.by_id
    assert [runtime.latency for runtime in runtimes.values()] == [None] * 3
    smart(node, strategy="lowest_latency")
    watched = node.services.providers.by_id["a"].latency
    assert watched is not None
    smart(node, strategy="lowest_latency")
    assert node.services.providers.by_id["a"].latency is watched


def test_names_are_remembered_up_to_a_bound(node: Node) -> None:
    """The same name has the same selector; invented ones push all out, and long ones are never kept."""
    found = selectors(node, ModelAlias("smart", (Target("a", "m"),)))
    first = found.of_model("smart", "a")
    assert found.of_model("smart", "a") is first
    assert found.of_model("nobody", None) is None
    long = "x" * (LONGEST_REMEMBERED + 1)
    assert found.of_model(long, "a") is not found.of_model(long, "a")
    assert found.at("a", long) is not found.at("a", long)
    assert found.at("a", "m") is found.at("a", "m")
    before = found.at("a", "m")
    within = found.within("a", "smart")
    assert within is not None
    assert found.within("a", "smart") is within
    assert (found.within("b", "smart"), found.within("b", "smart")) == (None, None)
    for number in range(LARGEST_MEMO):
        found.of_model(str(number), "a")
        found.at("a", str(number))
        found.within("a", str(number))
    assert found.of_model("smart", "a") is not first
    assert found.at("a", "m") is not before
    assert found.within("a", "smart") is not within
    assert "models=" in repr(found)


def test_the_representations_tell_who(node: Node) -> None:
    """For whoever debugs them."""
    selector = smart(node)
    assert repr(selector.candidates[1]) == "<Candidate b m 3>"
    assert repr(selector).startswith("<Selector alias weighted ((<Candidate a m 1>")
