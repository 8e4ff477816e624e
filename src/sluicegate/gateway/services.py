"""What an exchange can reach: the worker's parts, and the configuration of the moment."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

from sluicegate.dialects.base import Dialect
from sluicegate.domain.ids import IdSource
from sluicegate.domain.principal import Principal
from sluicegate.domain.retrying import RetryBudget
from sluicegate.domain.snapshot import ClientBounds, Concurrency, Origin, Provider, Snapshot, Timeouts
from sluicegate.gateway import pipeline
from sluicegate.gateway.budgets import Budgets
from sluicegate.gateway.connector import Opener
from sluicegate.gateway.journal import Journal
from sluicegate.gateway.link import Link
from sluicegate.gateway.plugins import Plugins, Record
from sluicegate.gateway.pool import Pool
from sluicegate.gateway.prices import Prices
from sluicegate.gateway.principals import Principals
from sluicegate.gateway.providers import ProviderRuntime, Providers
from sluicegate.gateway.routes import Routes
from sluicegate.gateway.selection import Selectors
from sluicegate.gateway.turn import Turn
from sluicegate.wire.headers import HeaderKinds, answer_kinds, control_answer_kinds, request_kinds

_LARGEST_MEMO = 4_096
_MILLISECONDS = tuple(f".{number:03d}Z" for number in range(1000))


class Services:
    """One worker's parts. Everything that varies between runs, the clocks among it, is passed in."""

    __slots__ = (
        "_identities",
        "_journal",
        "_stamp",
        "bounds",
        "budgets",
        "choose",
        "clock",
        "control",
        "dialects",
        "held_bytes",
        "ids",
        "is_draining",
        "journal",
        "kinds",
        "later",
        "link",
        "loop",
        "on_body",
        "on_end",
        "plugins",
        "prices",
        "principals",
        "providers",
        "retry_budget",
        "routes",
        "selectors",
        "snapshot",
        "turn",
        "version",
        "wall",
    )

    def __init__(
        self,
        *,
        dialects: dict[str, Dialect],
        opener: Opener,
        control_socket: str,
        journal: Journal,
        turn: Turn,
        clock: Callable[[], float],
        wall: Callable[[], float],
        salt: int,
        version: str,
        plugins: Plugins,
    ) -> None:
        """`clock` is monotonic seconds, `wall` Unix seconds, `salt` 32 random bits. The parts that need
        the loop or the link follow (`connect`)."""
        self.dialects = dialects
        self.clock = clock
        self.wall = wall
        self.version = version
        self._journal = journal
        self.plugins = plugins
        self.turn = turn
        self.ids = IdSource("req_", clock=wall, salt=salt)
        self.choose = random.Random(salt).random  # noqa: S311  # weights of targets, nothing secret
        self.kinds: HeaderKinds = request_kinds()
        self.providers = Providers(dialects, opener, answer_kinds())
        self.control = control_runtime(control_socket, dialects["generic"], opener)
        self.is_draining = False
        self.link: Link
        self.principals: Principals
        self.budgets: Budgets
        self.prices: Prices
        self.loop: asyncio.AbstractEventLoop
        self._identities: dict[tuple[str, str, ProviderRuntime | None], bytes] = {}
        self._stamp = (-1, "")
        self.snapshot = Snapshot(version=0)
        self.retry_budget = RetryBudget(self.snapshot.retries.budget)
        self.held_bytes = 0
        """Of all large bodies that are held."""
        self.configure(self.snapshot)

    def __repr__(self) -> str:
        """Tell the version of the configuration and the providers."""
        return f"<Services snapshot={self.snapshot.version} draining={self.is_draining} {self.providers!r}>"

    def connect(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        """Use this link and this loop."""
        self.link = link
        self.loop = loop
        self.later: Callable[..., asyncio.TimerHandle] = loop.call_later
        """Calls somebody in so many seconds; for what few requests need."""
        self.principals = Principals(link, clock=self.clock, loop=loop)
        self.budgets = Budgets(link, clock=self.clock, loop=loop)
        self.prices = Prices(link, clock=self.clock, loop=loop)

    def configure(self, snapshot: Snapshot) -> None:
        """Run on this snapshot from the next request on."""
        if snapshot.retries.budget != self.snapshot.retries.budget:
            self.retry_budget = RetryBudget(snapshot.retries.budget)
        self.snapshot = snapshot
        self.plugins.configure(snapshot.plugins)
        self.on_body: tuple[pipeline.Stage, ...] = (*self.plugins.before, *pipeline.ON_BODY)
        ending = pipeline.ON_END_KEEPING if snapshot.keeps_bodies else pipeline.ON_END
        self.on_end: tuple[pipeline.Ending, ...] = (*ending, *self.plugins.after)
        self.journal: Record = self.plugins.record(self._journal)
        self.bounds: ClientBounds = snapshot.bounds
        self.providers.configure(snapshot)
        self.selectors = Selectors(snapshot, self.providers.by_id)
        self._identities.clear()
        self.routes = Routes(snapshot, self.providers.by_name, self.dialects)

    def sweep(self, now: float) -> None:
        """Let the retries of long ago be forgotten."""
        self.retry_budget.roll(now)

    def identity(self, model: str, alias: str, runtime: ProviderRuntime | None) -> bytes:
        """The header fields that say which model of whom answered, and by which name of ours it was found."""
        key = (model, alias, runtime)
        fields = self._identities.get(key)
        if fields is None:
            text = f"x-gateway-model: {printable(model)}\r\n"
            text += f"x-gateway-provider: {runtime.name if runtime is not None else ''}\r\n"
            if runtime is not None and runtime.provider.deployment:
                text += f"x-gateway-deployment: {runtime.provider.deployment}\r\n"
            if alias:
                text += f"x-gateway-alias: {printable(alias)}\r\n"
            fields = text.encode()
            if len(self._identities) >= _LARGEST_MEMO:
                self._identities.clear()
            self._identities[key] = fields
        return fields

    def timestamp(self, wall: float) -> str:
        """ISO 8601 UTC with milliseconds and Z."""
        second = int(wall)
        if self._stamp[0] != second:
            self._stamp = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        return self._stamp[1] + _MILLISECONDS[int((wall - second) * 1000)]


def printable(text: str) -> str:
    """Text that may stand in a header field: a model's name comes from the client and could hold a line break."""
    return "".join(character if " " <= character <= "~" else "?" for character in text[:256])


def control_runtime(socket: str, dialect: Dialect, opener: Opener) -> ProviderRuntime:
    """The control process, as one more upstream."""
    provider = Provider(
        name="control",
        dialect=dialect.name,
        origin=Origin("unix", socket, 0),
        authority="control",
        timeouts=Timeouts(connect=5.0, first_byte=60.0, between_bytes=60.0),
        # Each of its 503s is about one request, and slow answers are those of logins, which it bounds by itself: with
        # fewer places, strangers' wrong passwords would keep managers waiting.
        concurrency=Concurrency(adaptive=False),
        max_connections=64,
    )
    return ProviderRuntime(provider, dialect, Pool(provider, opener, control_answer_kinds()))


NOBODY = Principal(token_id="", project_id="", organization_id="")  # not a password: no token at all
"""Who an exchange belongs to until its caller is known."""
