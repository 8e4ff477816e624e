"""What models cost, as far as a worker was told."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from sluicegate.domain.errors import ControlUnavailableError
from sluicegate.domain.pricing import Price, Rates
from sluicegate.gateway.prices import ASK_SECONDS, LARGEST_ASKED, LARGEST_KNOWN, LONGEST_NAMED, Prices
from sluicegate.wire.link import Priced
from tests.gateway.node import Node, a_request, an_answer, parts

KEY = ("openai", "gpt", "org_a")
PRICE = Price("v1", Rates(1, 2))


class Desk:
    """Prices, and control's side of the questions."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.asked: list[tuple[tuple[str, str, str], Callable[[Priced | None], None]]] = []
        self.prices = Prices(self, clock=lambda: 1000.0, loop=self.loop)

    def ask_price(
        self, provider: str, model: str, organization: str, callback: Callable[[Priced | None], None]
    ) -> None:
        self.asked.append(((provider, model, organization), callback))

    def answers(self, price: Price | None) -> None:
        """The oldest question is answered."""
        self.asked.pop(0)[1](Priced(0, price))


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk of its own."""
    made = Desk()
    yield made
    made.loop.close()


def test_nobody_waits_who_need_not(desk: Desk) -> None:
    """The first one hears nothing, the next one has it, and one question is enough."""
    assert desk.prices.get(KEY) is None
    assert desk.prices.get(KEY) is None
    assert [key for key, _ in desk.asked] == [KEY]
    desk.answers(PRICE)
    assert desk.prices.get(KEY) is PRICE
    assert repr(desk.prices) == "<Prices known=1 asked=0>"


def test_who_must_know_waits(desk: Desk) -> None:
    """Until it is told, be it that there is no price; all for the same answer."""
    first, second = desk.prices.wait_for(KEY), desk.prices.wait_for(KEY)
    assert first is second is not None
    desk.answers(None)
    assert first is not None
    assert first.done()
    assert desk.prices.wait_for(KEY) is None
    assert desk.prices.get(KEY) is None
    assert not desk.asked


def test_who_asks_nobody_anew(desk: Desk) -> None:
    """Only what was asked already will be told; there is nobody to hear what was not."""
    assert desk.prices.asked_for(KEY) is None
    assert not desk.asked
    desk.prices.get(KEY)
    told = desk.prices.asked_for(KEY)
    assert told is not None
    desk.answers(PRICE)
    assert told.done()
    assert desk.prices.asked_for(KEY) is None


def test_a_name_that_no_model_has_is_not_asked_for(desk: Desk) -> None:
    """It has no price: to keep it, and to look for it, would cost more than any request may."""
    key = ("openai", "m" * (LONGEST_NAMED + 1), "org_a")
    assert desk.prices.get(key) is None
    assert desk.prices.wait_for(key) is None
    assert desk.prices.asked_for(key) is None
    assert not desk.asked
    assert desk.prices.wait_for(("openai", "m" * LONGEST_NAMED, "org_a")) is not None


def test_an_answer_from_before_a_change_is_not_kept(desk: Desk) -> None:
    """It is asked for anew."""
    desk.prices.get(KEY)
    desk.prices.forget()
    desk.answers(PRICE)
    assert desk.prices.get(KEY) is None
    desk.answers(Price("v2", Rates()))
    price = desk.prices.get(KEY)
    assert price is not None
    assert price.version == "v2"


def test_a_lost_question_is_asked_again(desk: Desk) -> None:
    """On the next link; what was known before is asked anew as well."""
    waiting = desk.prices.wait_for(KEY)
    desk.asked.pop()[1](None)
    desk.prices.link_restored()
    desk.answers(PRICE)
    assert waiting is not None
    assert waiting.done()


def test_nobody_waits_for_ever(desk: Desk) -> None:
    """A control process that does not answer is unavailable; an answer that comes late is kept all the same."""
    waiting = desk.prices.wait_for(KEY)
    assert waiting is not None
    desk.prices.sweep(1000.0 + ASK_SECONDS)
    assert not waiting.done()
    desk.prices.sweep(1000.1 + ASK_SECONDS)
    assert isinstance(waiting.exception(), ControlUnavailableError)
    desk.answers(PRICE)
    assert desk.prices.get(KEY) is PRICE


def test_who_left_is_not_told(desk: Desk) -> None:
    """A future that was cancelled stays so."""
    waiting = desk.prices.wait_for(KEY)
    assert waiting is not None
    waiting.cancel()
    desk.prices.sweep(2000.0)
    desk.answers(PRICE)
    desk.loop.call_soon(desk.loop.stop)
    desk.loop.run_forever()
    assert waiting.cancelled()


def test_both_sides_are_bounded(desk: Desk) -> None:
    """A client may name any model: the oldest prices go, and only so many questions are open."""
    for number in range(LARGEST_ASKED + 10):
        desk.prices.get(("openai", f"m{number}", "org_a"))
    assert len(desk.asked) == LARGEST_ASKED
    assert repr(desk.prices) == f"<Prices known=0 asked={LARGEST_ASKED}>"
    for number in range(LARGEST_KNOWN + 1):
        desk.asked.clear()
        desk.prices.wait_for(("openai", f"n{number}", "org_a"))
        desk.answers(PRICE)
    assert desk.prices.wait_for(("openai", "n1", "org_a")) is None
    assert desk.prices.wait_for(("openai", "n0", "org_a")) is not None


def test_at_the_end_nobody_waits(node: Node) -> None:
    """Whoever asked for a price goes on without: an event that waits for it is written."""
    client = node.client().says(a_request("/v1/files", b"", method="GET"))
    node.provider.says(an_answer())
    client.hears()
    node.link.is_silent = True
    client.says(a_request())
    node.provider.says(an_answer(b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'))
    assert parts(client.hears())[0] == 200
    assert len(node.events()) == 1
    node.services.prices.close()
    assert [event.cost for event in node.events()] == [None, None]


def test_events_do_not_ask_beyond_the_bound(node: Node) -> None:
    """Strangers name model after model while control is silent: an event has no cost then, and nothing piles up."""
    client = node.client().says(a_request("/v1/files", b"", method="GET"))
    node.provider.says(an_answer())
    client.hears()
    node.link.is_silent = True
    prices = node.services.prices
    for number in range(LARGEST_ASKED):
        prices.get(("openai", f"m{number}", "org_a"))
    client.says(a_request())
    node.provider.says(an_answer(b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'))
    assert parts(client.hears())[0] == 200
    assert repr(prices) == f"<Prices known=0 asked={LARGEST_ASKED}>"
    assert [event.cost for event in node.events()] == [None, None]
