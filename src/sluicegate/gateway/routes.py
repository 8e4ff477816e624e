"""Where a request line leads: decided once per method and target, and remembered.

/livez /readyz /health /healthz, HEAD /   the worker itself
/<provider>/<rest>                        that provider, prefix stripped
/v1/<rest>                                the model decides, else the default provider of the path's dialect
/v1beta/models/<model>:<verb>, or /v1/…    the model decides, else the default provider of the Gemini dialect
/v1beta/models, /v1beta/models/<model>    the control process, as /v1/models
/v1beta/<rest>                            that provider
/openai/deployments/<model>/<rest>        as /v1/<rest>, answered as that model (Azure's dated API)
/openai/<rest>                            as /v1/<rest>, where no provider has this name
/ /admin /manage /v1/key …                the control process
anything else                             404, once the caller is known
"""

from typing import Literal
from urllib.parse import unquote_plus

from sluicegate.dialects.allow import allowed_methods
from sluicegate.dialects.azure_paths import FIRST_SEGMENT, AzurePath, azure_path, azure_query
from sluicegate.dialects.base import Dialect
from sluicegate.dialects.management import Management
from sluicegate.domain.errors import GatewayError, MethodForbiddenError, NoProviderError, PathUnknownError
from sluicegate.domain.paths import CONTROL_PATHS, CONTROL_SEGMENTS, LOCAL_PATHS
from sluicegate.domain.snapshot import Snapshot
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.wire.target import Target, parse_target

RouteKind = Literal["local", "provider", "model", "control", "unknown"]

_MANAGEMENT = Management()
_READING = frozenset({b"GET", b"HEAD"})

_LARGEST_MEMO = 4_096
_LONGEST_REMEMBERED = 512
"""Bytes of a target that is remembered: longer ones are rarely the same twice, and would fill the memory."""


class Route:
    """A request line, understood.

    `rest` is the path as its dialect names it (`chat/completions`), `endpoint` the whole checked path without query.
    `model` is the one that the path names (Gemini), empty where that is for the body. `deployment` is one that the path
    names and the body is to name (Azure). `refusal` is raised once the caller is known, so that strangers learn nothing
    about what exists.
    """

    __slots__ = (
        "_lead",
        "_lines",
        "deployment",
        "dialect",
        "endpoint",
        "kind",
        "method",
        "method_name",
        "model",
        "operation",
        "provider",
        "refusal",
        "rest",
        "streams",
        "suffix",
        "target",
    )

    def __init__(self, kind: RouteKind, method: bytes, target: Target, dialect: Dialect) -> None:
        """A route without a provider; the builder fills in the rest."""
        self.kind = kind
        self.method = method
        self.method_name = method.decode()
        self.target = target
        self.endpoint = target.path
        self.dialect = dialect
        self.provider: ProviderRuntime | None = None
        self.rest = ""
        self.model = self.deployment = ""
        self.suffix = ""
        self.operation = ""
        self.streams = False
        self.refusal: GatewayError | None = None
        self._lead = "/"
        self._lines: dict[str, bytes] = {}

    def __repr__(self) -> str:
        """Tell where it leads."""
        provider = self.provider.name if self.provider else None
        return f"<Route {self.method.decode()} {self.endpoint} {self.kind} {provider} {self.operation}>"

    def take(self, rest: str, lead: str = "/") -> None:
        """Take the path as its dialect names it, and what stands before that."""
        self.rest = rest
        self.model = self.dialect.model_in_path(rest) or ""
        self.operation = self._operation()
        self._lead = lead

    def _operation(self) -> str:
        """What the dialect calls it; to read the list of chats that a provider keeps makes none.

        (WebSockets are GETs, too, but not on that path.)
        """
        operation = self.dialect.operation(self.rest)
        return "stored" if operation == "chat" and self.method in _READING else operation

    def line_for(self, runtime: ProviderRuntime, model: str) -> bytes:
        """The request line for this provider, to be answered as this model where the path is to name it.

        Raises PathUnknownError, MethodForbiddenError.
        """
        if self.model and model != self.model:
            rest = self.dialect.with_model_in_path(self.rest, model)
            check_allowed(runtime, rest, self.method)
            return self._line(runtime, self._lead + rest)
        line = self._lines.get(runtime.id)
        if line is None:
            if self.kind == "model":
                check_allowed(runtime, self.rest, self.method)
            line = self._lines[runtime.id] = self._line(runtime, self.suffix)
        return line

    def is_allowed(self, runtime: ProviderRuntime, model: str) -> bool:
        """Whether the provider's allowlist has this, to be answered as this model where the path is to name it."""
        rest = self.dialect.with_model_in_path(self.rest, model) if self.model and model else self.rest
        rules = runtime.provider.allow
        return rules is None or self.method_name in allowed_methods(rules, rest)

    def _line(self, runtime: ProviderRuntime, suffix: str) -> bytes:
        return self.method + b" " + self._path_for(runtime, suffix).encode() + b" HTTP/1.1\r\n"

    def _path_for(self, runtime: ProviderRuntime, suffix: str) -> str:
        provider = runtime.provider
        base = provider.version_path if self.kind == "model" else provider.base_path
        path = _joined(base, suffix)
        if not self.target.has_query:
            return path
        credentials = self.dialect.credential_parameters | runtime.dialect.credential_parameters
        return f"{path}?{_without(self.target.query, credentials)}"


def _joined(base: str, suffix: str) -> str:
    """Put a base path before the rest, collapsing an accidental /v1/v1."""
    version = base.rpartition("/")[2]
    if version and (suffix == f"/{version}" or suffix.startswith(f"/{version}/")):
        suffix = suffix[len(version) + 1 :]
    return (base + suffix) or "/"


def _without(query: str, names: frozenset[str]) -> str:
    """A query less the parameters of these names, and otherwise to the byte as it was."""
    if not names:
        return query
    return "&".join(pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in names)


def check_allowed(runtime: ProviderRuntime, path: str, method: bytes) -> None:
    """Raise PathUnknownError or MethodForbiddenError where the provider's allowlist does not have this."""
    rules = runtime.provider.allow
    if rules is None:
        return
    allowed = allowed_methods(rules, path)
    if not allowed:
        raise PathUnknownError(
            f"provider {runtime.name} serves no path {path!r}; does the base URL hold /v1 twice, or not at all? "
            f"Paths are allowed by providers.{runtime.name}.allow"
        )
    if method.decode() not in allowed:
        raise MethodForbiddenError(f"{method.decode()} is not allowed on {path!r}", allowed=allowed)


class Routes:
    """The routes of one snapshot."""

    __slots__ = ("_by_name", "_defaults", "_dialects", "_generic", "_memo")

    def __init__(self, snapshot: Snapshot, by_name: dict[str, ProviderRuntime], dialects: dict[str, Dialect]) -> None:
        """`by_name` are the snapshot's providers."""
        self._by_name = by_name
        self._dialects = dialects
        self._generic = dialects["generic"]
        self._defaults = {dialect: by_name[name] for dialect, name in snapshot.defaults.items() if name in by_name}
        self._memo: dict[tuple[bytes, bytes, bool], Route] = {}

    def __repr__(self) -> str:
        """Tell how much is remembered."""
        return f"<Routes providers={list(self._by_name)} remembered={len(self._memo)}>"

    def find(self, method: bytes, target: bytes, *, is_anthropic: bool = False) -> Route:
        """Where this leads; `is_anthropic` where its fields say so (`anthropic-version`). Raises TargetError.

        Some paths are those of two APIs: `/v1/files` is OpenAI's, unless the request says otherwise.
        """
        key = (method, target, is_anthropic)
        route = self._memo.get(key)
        if route is None:
            route = self._build(method, parse_target(target), is_anthropic=is_anthropic)
            if len(target) <= _LONGEST_REMEMBERED:
                if len(self._memo) >= _LARGEST_MEMO:
                    self._memo.clear()
                self._memo[key] = route
        return route

    def _build(self, method: bytes, target: Target, *, is_anthropic: bool) -> Route:
        path = target.path
        if path in LOCAL_PATHS or (path == "/" and method == b"HEAD"):
            return Route("local", method, target, self._generic)
        first = path[1:].partition("/")[0]
        if method in _READING and path.startswith("/v1beta/models") and self._is_listing(path):
            return self._control(method, target, self._dialects["gemini"])
        if first == "v1beta" or (method == b"POST" and path.startswith("/v1/models/") and self._is_generating(path)):
            return self._gemini(method, target)
        if first in CONTROL_SEGMENTS or any(path == own or path.startswith(f"{own}/") for own in CONTROL_PATHS):
            # Who lists models speaks a provider's API, and hears of errors in its words.
            api = self._dialects["anthropic" if is_anthropic else "openai"]
            return self._control(method, target, api if path.startswith("/v1/models") else _MANAGEMENT)
        if first == "v1":
            raw = target.raw_path.removeprefix("/v1")
            return self._versioned(method, target, path.removeprefix("/v1"), raw, is_anthropic=is_anthropic)
        runtime = self._by_name.get(first)
        if target.raw_path.startswith(f"/{FIRST_SEGMENT}/"):
            azure = azure_path(path, runtime.provider if runtime is not None else None)
            if azure is not None:
                return self._azure(method, target, azure)
        if runtime is not None and target.raw_path.startswith(f"/{first}"):
            return self._passthrough(method, target, runtime, first)
        route = Route("unknown", method, target, self._generic)
        known = ", ".join(["/v1", *(f"/{name}" for name in self._by_name)])
        meant = f"; did you mean /v1{path}?" if allowed_methods(self._dialects["openai"].allow, path[1:]) else ""
        route.refusal = PathUnknownError(f"no route begins with /{first}; there are {known}{meant}")
        return route

    def _control(self, method: bytes, target: Target, dialect: Dialect) -> Route:
        route = Route("control", method, target, dialect)
        route.suffix = target.raw_path
        return route

    def _is_listing(self, path: str) -> bool:
        """Whether this asks, in Gemini's API, for models alone: which there are is ours to say."""
        gemini = self._dialects["gemini"]
        rest = gemini.rest_of(path[1:])
        return rest.partition("/")[0] == "models" and gemini.operation(rest) == "models"

    def _is_generating(self, path: str) -> bool:
        """Whether this asks something of a model of Gemini's, as Google's SDK does by `/v1` since its version 3."""
        gemini = self._dialects["gemini"]
        return gemini.operation(gemini.rest_of(path[1:])) != "models"

    def _versioned(self, method: bytes, target: Target, path: str, raw: str, *, is_anthropic: bool) -> Route:
        while path.startswith("/v1/") and raw.startswith("/v1/"):
            path, raw = path.removeprefix("/v1"), raw.removeprefix("/v1")
        rest = path[1:]
        has_both = is_anthropic and allowed_methods(self._dialects["anthropic"].allow, rest)
        name = "anthropic" if has_both or rest.partition("/")[0] in {"messages", "complete"} else "openai"
        route = Route("model", method, target, self._dialects[name])
        route.take(rest)
        route.suffix = raw
        route.provider = self._defaults.get(name)
        if not raw.startswith("/"):
            route.refusal = PathUnknownError("there is nothing at /v1 itself; an API path follows it")
        elif not allowed_methods(route.dialect.allow, rest) and route.provider is None:
            route.refusal = PathUnknownError(f"no API has a path /v1/{rest}")
        elif not self._by_name:
            route.refusal = NoProviderError("no provider is configured; set OPENAI_API_KEY, or declare one")
        return route

    def _azure(self, method: bytes, target: Target, azure: AzurePath) -> Route:
        path = f"/v1{azure.path}"
        query = azure_query(target.query)
        # What travels is spelled as it came, but for a deployment's name.
        raw = path if azure.deployment else f"/v1{target.raw_path.removeprefix(f'/{FIRST_SEGMENT}')}"
        route = self._build(method, Target(path, raw, query, bool(query), target.authority), is_anthropic=False)
        route.deployment = azure.deployment
        return route

    def _gemini(self, method: bytes, target: Target) -> Route:
        runtime = self._defaults.get("gemini")
        dialect = self._dialects["gemini"]
        route = Route("model", method, target, dialect)
        route.take(dialect.rest_of(target.path[1:]))
        if route.model and route.operation != "models" and self._by_name:
            route.provider = runtime
            # A slash within a name is none between segments, neither for allowlists nor for the provider.
            route.rest = dialect.with_model_in_path(route.rest, route.model)
            route.suffix = f"/{route.rest}"
            route.streams = dialect.is_stream_request(route.rest, target.query)
            return route
        if runtime is None:
            route.kind = "unknown"
            route.refusal = NoProviderError("no provider of the gemini dialect is configured; set GEMINI_API_KEY")
            return route
        return self._fixed(method, target, runtime, target.path, target.raw_path)

    def _passthrough(self, method: bytes, target: Target, runtime: ProviderRuntime, first: str) -> Route:
        return self._fixed(method, target, runtime, target.path[len(first) + 1 :], target.raw_path[len(first) + 1 :])

    def _fixed(self, method: bytes, target: Target, runtime: ProviderRuntime, path: str, raw: str) -> Route:
        dialect = runtime.dialect
        route = Route("provider", method, target, dialect)
        route.provider = runtime
        rest = dialect.rest_of(path[1:])
        route.take(rest, path.removesuffix(rest))
        route.suffix = raw
        route.streams = dialect.is_stream_request(route.rest, target.query)
        try:
            check_allowed(runtime, route.rest, method)
        except GatewayError as error:
            route.refusal = error
        return route
