"""What models cost, as far as this worker was told: a bounded cache, filled through the control process.

An answer is kept until control says that prices have changed. What was asked before that, and is answered after it, is
not kept.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from sluicegate.domain.errors import ControlUnavailableError
from sluicegate.domain.pricing import Price
from sluicegate.wire.link import Priced

LARGEST_KNOWN: Final = 4_096
"""Prices kept; the oldest go first. A client may name any model."""
LARGEST_ASKED: Final = 1_024
"""Open questions; beyond it none is asked in the background."""
LONGEST_NAMED: Final = 256
"""Characters of a model's name; no model of any provider has more. What is longer has no price: to look for one takes
control seconds for a name of megabytes, which any client may send."""
ASK_SECONDS: Final = 5.0
"""How long a request waits for a price: longer than a restart of the control process takes."""

Key = tuple[str, str, str]
"""Provider, the provider's name for the model, organisation."""


class Pricing(Protocol):
    """The link, as far as it knows prices."""

    def ask_price(
        self, provider: str, model: str, organization: str, callback: Callable[[Priced | None], None]
    ) -> None:
        """Ask. `callback` gets None where the link broke, or is down."""
        ...


class Prices:
    """Prices by provider, model and organisation."""

    __slots__ = ("_asked", "_clock", "_generation", "_loop", "_pricing", "known")

    def __init__(self, pricing: Pricing, *, clock: Callable[[], float], loop: asyncio.AbstractEventLoop) -> None:
        """`clock` is monotonic seconds."""
        self._pricing = pricing
        self._clock = clock
        self._loop = loop
        self.known: dict[Key, Price | None] = {}
        """What is known; None stands for no price."""
        self._asked: dict[Key, tuple[float, asyncio.Future[None]]] = {}
        self._generation = 0

    def __repr__(self) -> str:
        """Tell the sizes."""
        return f"<Prices known={len(self.known)} asked={len(self._asked)}>"

    def get(self, key: Key) -> Price | None:
        """The price; None where there is none, or where it is not known yet: then it is asked for, for the next one."""
        price = self.known.get(key)
        if price is None and not self._is_settled(key) and key not in self._asked and len(self._asked) < LARGEST_ASKED:
            self._ask(key)
        return price

    def asked_for(self, key: Key) -> "asyncio.Future[None] | None":
        """Who will tell what `get` has asked for; None where nobody was asked, or has answered already.

        The future may end with ControlUnavailableError.
        """
        asked = self._asked.get(key)
        return None if asked is None else asked[1]

    def wait_for(self, key: Key) -> "asyncio.Future[None] | None":
        """Who will tell what `get` does not know yet; None where it knows, be it that there is no price.

        The future may end with ControlUnavailableError.
        """
        if self._is_settled(key):
            return None
        return self.asked_for(key) or self._ask(key)

    def _is_settled(self, key: Key) -> bool:
        return key in self.known or len(key[1]) > LONGEST_NAMED

    def _ask(self, key: Key) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = self._loop.create_future()
        # Nobody may be there to hear that it failed.
        future.add_done_callback(_hear)
        self._asked[key] = (self._clock(), future)
        self._send(key)
        return future

    def _send(self, key: Key) -> None:
        generation = self._generation

        def told(answer: Priced | None) -> None:
            if answer is None:
                return
            if generation != self._generation:
                self._send(key)
                return
            asked = self._asked.pop(key, None)
            if len(self.known) >= LARGEST_KNOWN:
                del self.known[next(iter(self.known))]
            self.known[key] = answer.price
            if asked is not None and not asked[1].done():
                asked[1].set_result(None)

        self._pricing.ask_price(*key, told)

    def forget(self) -> None:
        """Prices have changed: ask anew."""
        self._generation += 1
        self.known.clear()

    def link_restored(self) -> None:
        """There is a link (again). What changed meanwhile is unknown."""
        self.forget()
        for key in list(self._asked):
            self._send(key)

    def sweep(self, now: float) -> None:
        """Give up on questions that were not answered in time."""
        self._give_up([key for key, (since, _) in self._asked.items() if now - since > ASK_SECONDS])

    def close(self) -> None:
        """Nobody will answer any more: whoever waits goes on without."""
        self._give_up(list(self._asked))

    def _give_up(self, keys: list[Key]) -> None:
        for key in keys:
            future = self._asked.pop(key)[1]
            if not future.done():
                future.set_exception(
                    ControlUnavailableError("the model's price could not be looked up in time; try again in a moment")
                )


def _hear(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()
