"""Plugins of a worker: loaded when a snapshot names them, asked in its order.

Rule 1. Who uses none pays nothing: then no list of stages and no journal knows of them (`Services.configure`).
Rule 2. Nothing is sent past a plugin: where one cannot be loaded, or fails before a request is sent, it is not sent.
Rule 3. Afterwards nothing can be made undone: who fails there is told of, once a minute, and everything goes on.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec, Protocol, TypeVar

import msgspec

from sluicegate.domain.errors import GatewayError, PluginFailedError, PluginMissingError
from sluicegate.domain.events import Exchange as Event
from sluicegate.domain.events import Line, Pending
from sluicegate.domain.plugins import GROUP, Plugin, RefusedError, Request, Response, with_texts_of
from sluicegate.gateway.journal import Facts
from sluicegate.gateway.underway import NO_PLACE
from sluicegate.wire.peek import PeekError, peek

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

P = ParamSpec("P")
R = TypeVar("R")

REPORT_SECONDS: Final = 60.0
"""How often a plugin that fails is told of."""


class Named(NamedTuple):
    """A plugin and the name it is configured by."""

    name: str
    plugin: Plugin


class Failures:
    """How often a plugin has failed, and when that was told last."""

    __slots__ = ("count", "told", "told_at")

    def __init__(self) -> None:
        """Never."""
        self.count = 0
        self.told = 0
        self.told_at = float("-inf")

    def __repr__(self) -> str:
        """Tell how often."""
        return f"<Failures {self.count}>"


class Record(Protocol):
    """As much of a journal as exchanges use."""

    def append(self, line: Line) -> None:
        """As `Journal.append`."""
        ...

    def note(self, facts: Facts, owner: bytes) -> int:
        """As `Journal.note`."""
        ...

    def clear(self, place: int) -> None:
        """As `Journal.clear`."""
        ...

    def tell(self, line: Line, place: int) -> None:
        """As `Journal.tell`."""
        ...


def installed(name: str) -> Iterable[EntryPoint]:
    """The entry points of this name, of all installed packages."""
    return entry_points(group=GROUP, name=name)


class Plugins:
    """The plugins of one worker."""

    __slots__ = (
        "_after",
        "_before",
        "_clock",
        "_find",
        "_loaded",
        "_missing",
        "_on_event",
        "_say",
        "_shown",
        "_was_used",
        "failures",
    )

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        say: Callable[[str], None],
        find: Callable[[str], Iterable[EntryPoint]] = installed,
    ) -> None:
        """`clock` is monotonic seconds; `say` tells operators of what goes wrong; `find` as `installed`."""
        self._clock = clock
        self._say = say
        self._find = find
        self._loaded: dict[str, Plugin] = {}
        self._before: tuple[Named, ...] = ()
        self._after: tuple[Named, ...] = ()
        self._on_event: tuple[Named, ...] = ()
        self._missing = ""
        self._was_used = False
        self._shown: dict[Exchange, Request] = {}
        """The requests under way that were shown."""
        self.failures: dict[str, Failures] = {}
        """By the plugins' names."""

    def __repr__(self) -> str:
        """Tell who is loaded, who is missing, and who has failed."""
        return f"<Plugins {[*self._loaded]} missing={self._missing!r} {self.failures}>"

    def configure(self, names: tuple[str, ...]) -> None:
        """Use these, in this order. A plugin once made serves for the worker's life; one that is missing is tried
        anew."""
        self._missing = ""
        used: list[Named] = []
        for name in names:
            plugin = self._loaded.get(name)
            if plugin is None:
                try:
                    plugin = self._loaded[name] = self._load(name)
                except PluginMissingError as error:
                    self._missing = self._missing or name
                    self._say(f"{error.message}; no request is sent without it")
                    continue
            used.append(Named(name, plugin))
        self._before = tuple(one for one in used if _has(one, "before_forward"))
        self._after = tuple(one for one in used if _has(one, "after_response"))
        self._on_event = tuple(one for one in used if _has(one, "on_event"))
        self._was_used = self._was_used or bool(self._before or self._after)

    def _load(self, name: str) -> Plugin:
        found = [*self._find(name)]
        if len(found) != 1:
            how_many = "is not installed" if not found else f"is installed {len(found)} times"
            raise PluginMissingError(f"the plugin {name} {how_many}")
        try:
            plugin = found[0].load()()
        except BaseException as error:  # a stranger's module may raise anything, SystemExit too; it is told of as it is
            raise PluginMissingError(f"the plugin {name} cannot be loaded: {error!r}") from error
        if not isinstance(plugin, Plugin):
            raise PluginMissingError(
                f"the plugin {name} cannot be loaded: {found[0].value} makes no sluicegate.domain.plugins.Plugin"
            )
        return plugin

    # -- stages

    @property
    def before(self) -> "tuple[Callable[[Exchange], None], ...]":
        """What runs before a request is bounded and sent."""
        if self._missing:
            return (self.refuse,)
        return (self.before_forward,) if self._before or self._after else ()

    @property
    def after(self) -> "tuple[Callable[[Exchange], None], ...]":
        """What runs when an exchange has ended: also where plugins were used before, for what is still under way."""
        return (self.after_response,) if self._was_used else ()

    def refuse(self, exchange: "Exchange") -> None:
        """Raise PluginMissingError, unless the request is for the control process."""
        if exchange.route.kind == "control":
            return
        raise PluginMissingError(f"the plugin {self._missing} cannot be loaded by this worker; its log says why")

    def before_forward(self, exchange: "Exchange") -> None:
        """Show the request to all, each with the body that the one before made of it.

        Raises RefusedError, PluginFailedError.
        """
        if exchange.route.kind == "control":
            return
        request = request_of(exchange)
        # Also who is refused below is told of afterwards.
        self._shown[exchange] = request
        for one in self._before:
            body = self._call(one, "before_forward", one.plugin.before_forward, request)
            if body is not None:
                self._check(one, request, body)
                exchange.body = [body]
                self._shown[exchange] = request = msgspec.structs.replace(request, body=body)

    def _check(self, one: Named, request: Request, body: object) -> None:
        """Raise PluginFailedError where that cannot take the place of the request's body."""
        fault = ""
        if not request.body:
            fault = "a body for a request whose body is not held"
        elif not isinstance(body, bytes):
            fault = f"a {type(body).__name__} for a body"
        elif not _is_object(body):
            fault = "a body that is no JSON object"
        if fault:
            self._count(one.name, f"before_forward returned {fault}")
            raise PluginFailedError(f"the plugin {one.name} returned {fault}; the request was not sent")

    def after_response(self, exchange: "Exchange") -> None:
        """Tell of the answer to a request that was shown."""
        request = self._shown.pop(exchange, None)
        if request is None:
            return
        response = response_of(exchange)
        for one in self._after:
            try:
                self._call(one, "after_response", one.plugin.after_response, request, response)
            except GatewayError:  # told of already
                continue

    # -- events

    def record(self, journal: Record) -> Record:
        """The journal, with plugins before it where there are such."""
        return EditedRecord(journal, self.edited) if self._on_event else journal

    def edited(self, event: Event) -> Event:
        """The event as plugins want it; as it was before those that fail."""
        for one in self._on_event:
            try:
                changed = self._call(one, "on_event", one.plugin.on_event, event)
                if changed is not None:
                    event = self._call(one, "on_event", with_texts_of, changed, event)
            except GatewayError:  # told of already
                continue
        return event

    # -- failures

    def _call(self, one: Named, hook: str, call: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """Call a hook. Raises PluginFailedError; RefusedError where that is what the hook wants."""
        try:
            return call(*arguments, **named)
        except RefusedError:
            if hook == "before_forward":
                raise
            self._count(one.name, f"{hook} failed: RefusedError, where nothing can be refused any more")
            raise
        except BaseException as error:  # a stranger's code may raise anything; the loop would swallow SystemExit
            self._count(one.name, f"{hook} failed: {_described(error)}")
            raise PluginFailedError(
                f"the plugin {one.name} failed ({type(error).__name__}); the request was not sent"
            ) from error

    def _count(self, name: str, what: str) -> None:
        failures = self.failures.setdefault(name, Failures())
        failures.count += 1
        now = self._clock()
        if now - failures.told_at >= REPORT_SECONDS:
            others = failures.count - failures.told - 1
            more = f"; {others} more failures since the last such line" if others else ""
            self._say(f"plugin {name}: {what}{more}")
            failures.told, failures.told_at = failures.count, now


class EditedRecord:
    """A journal whose events plugins see first.

    The table of what is under way (`gateway/underway.py`) is left out, for what stands there is made an event of by
    another process, which has no plugins: where a limit needs to know beforehand, a line is written instead.
    """

    __slots__ = ("_edited", "_journal")

    def __init__(self, journal: Record, edited: Callable[[Event], Event]) -> None:
        """Write what `edited` makes of events to `journal`."""
        self._journal = journal
        self._edited = edited

    def __repr__(self) -> str:
        """Tell what it writes to."""
        return f"<EditedRecord {self._journal!r}>"

    def append(self, line: Line) -> None:
        """Edit, then append."""
        self._journal.append(self._line(line))

    def note(self, _facts: Facts, _owner: bytes) -> int:
        """No place."""
        return NO_PLACE

    def clear(self, place: int) -> None:
        """Clear: the place was taken before plugins were used."""
        self._journal.clear(place)

    def tell(self, line: Line, place: int) -> None:
        """Edit, then tell: the place was taken before plugins were used."""
        self._journal.tell(self._line(line), place)

    def _line(self, line: Line) -> Line:
        if isinstance(line, Pending):
            return Pending(line.request_id, self._edited(line.exchange))
        # A worker writes no notices.
        return self._edited(line) if isinstance(line, Event) else line


def request_of(exchange: "Exchange") -> Request:
    """What plugins are shown of a request."""
    route = exchange.route
    principal = exchange.principal
    body = exchange.whole_body() if exchange.is_held and exchange.body_size else b""
    return Request(
        request_id=exchange.request_id,
        organization_id=principal.organization_id,
        project_id=principal.project_id,
        user_id=principal.user_id,
        token_id=principal.token_id,
        tags=principal.tags,
        method=route.method_name,
        endpoint=route.endpoint,
        operation=route.operation,
        dialect=route.dialect.name,
        model=_model_of(exchange, body),
        provider=route.provider.name if route.kind == "provider" and route.provider is not None else "",
        has_body=exchange.has_body,
        is_websocket=bool(exchange.head.upgrade),
        body=body,
    )


def response_of(exchange: "Exchange") -> Response:
    """What plugins are shown of an exchange that has ended."""
    runtime = exchange.runtime_or_none
    error = exchange.error
    return Response(
        status=exchange.status,
        provider=runtime.name if runtime is not None else "",
        model=exchange.reading.model or exchange.model,
        usage=exchange.usage,
        milliseconds=(exchange.ended - exchange.started) * 1000,
        is_stream=exchange.is_stream,
        error=error.code if error is not None else exchange.reading.error,
    )


def _model_of(exchange: "Exchange", body: bytes) -> str:
    route = exchange.route
    if route.model:
        return route.model
    try:
        seen = peek(body) if body else None
    except PeekError:
        # The stage that chooses a provider says what is wrong with it.
        return ""
    return (seen.model if seen is not None else None) or ""


def _is_object(body: bytes) -> bool:
    try:
        return peek(body) is not None
    except PeekError:
        return False


def _has(one: Named, hook: str) -> bool:
    return getattr(type(one.plugin), hook) is not getattr(Plugin, hook)


def _described(error: BaseException) -> str:
    """Kind and place of an error, without its message: that may quote what a client wrote."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"
