"""What an exchange can reach: the worker's parts, and the configuration of the moment."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

from sluicegate.dialects.base import Dialect
from sluicegate.domain.ids import IdSource
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ClientBounds, ModelAlias, Origin, Provider, Snapshot, Timeouts
from sluicegate.gateway.budgets import Budgets
from sluicegate.gateway.connector import Opener
from sluicegate.gateway.journal import Journal
from sluicegate.gateway.link import Link
from sluicegate.gateway.pool import Pool
from sluicegate.gateway.prices import Prices
from sluicegate.gateway.principals import Principals
from sluicegate.gateway.providers import ProviderRuntime, Providers
from sluicegate.gateway.routes import Routes
from sluicegate.gateway.turn import Turn
from sluicegate.wire.headers import HeaderKinds, answer_kinds, control_answer_kinds, request_kinds

_LARGEST_MEMO = 4_096
_MILLISECONDS = tuple(f".{number:03d}Z" for number in range(1000))


class Services:
    """One worker's parts. Everything that varies between runs, the clocks among it, is passed in."""

    __slots__ = (
        "_identities",
        "_stamp",
        "aliases",
        "bounds",
        "budgets",
        "choose",
        "clock",
        "control",
        "dialects",
        "ids",
        "is_draining",
        "journal",
        "kinds",
        "link",
        "loop",
        "prices",
        "principals",
        "providers",
        "routes",
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
    ) -> None:
        """`clock` is monotonic seconds, `wall` Unix seconds, `salt` 32 random bits. The parts that need
        the loop or the link follow (`connect`)."""
        self.dialects = dialects
        self.clock = clock
        self.wall = wall
        self.version = version
        self.journal = journal
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
        self.aliases: dict[str, ModelAlias] = {}
        self._identities: dict[tuple[str, str], bytes] = {}
        self._stamp = (-1, "")
        self.configure(Snapshot(version=0))

    def __repr__(self) -> str:
        """Tell the version of the configuration and the providers."""
        return f"<Services snapshot={self.snapshot.version} draining={self.is_draining} {self.providers!r}>"

    def connect(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        """Use this link and this loop."""
        self.link = link
        self.loop = loop
        self.principals = Principals(link, clock=self.clock, loop=loop)
        self.budgets = Budgets(link, clock=self.clock, loop=loop)
        self.prices = Prices(link, clock=self.clock, loop=loop)

    def configure(self, snapshot: Snapshot) -> None:
        """Run on this snapshot from the next request on."""
        self.snapshot = snapshot
        self.bounds: ClientBounds = snapshot.bounds
        self.providers.configure(snapshot)
        self.aliases = {alias.name: alias for alias in snapshot.models}
        self.routes = Routes(snapshot, self.providers.by_name, self.dialects)

    def identity(self, model: str, provider: str) -> bytes:
        """The header fields that say which model and provider answered."""
        key = (model, provider)
        fields = self._identities.get(key)
        if fields is None:
            fields = f"x-gateway-model: {printable(model)}\r\nx-gateway-provider: {provider}\r\n".encode()
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
        max_connections=64,
    )
    return ProviderRuntime(provider, dialect, Pool(provider, opener, control_answer_kinds()))


NOBODY = Principal(token_id="", project_id="", organization_id="")  # not a password: no token at all
"""Who an exchange belongs to until its caller is known."""
