"""The compiled configuration a worker runs on: plain values, no reference left to resolve.

Control compiles it (`config/compile.py`) and sends it whole over the link; a worker swaps it between two requests.
It holds provider credentials: it is never written to disk, logged or shown.
"""

from typing import Literal

from msgspec import Struct, field

Fact = Literal["user", "organization", "project", "token"]
"""What a provider may be told of a caller: the id of each."""
Rate = Literal["input", "output", "cache_read", "cache_write"]
"""What a provider may be told of a price: dollars for one token."""


class Timeouts(Struct, frozen=True, omit_defaults=True):
    """How long a provider may take, in seconds. The defaults follow the SDKs' own (openai, anthropic: 600 s in all)."""

    connect: float = 10.0
    first_byte: float = 600.0
    between_bytes: float = 300.0
    total: float = 3600.0


class Origin(Struct, frozen=True):
    """Where a provider listens. For `unix`, `host` is the socket's path and `port` is 0."""

    scheme: Literal["http", "https", "unix"]
    host: str
    port: int


class AllowRule(Struct, frozen=True):
    """One entry of an allowlist. In `path`, `*` stands for one segment, a final `**` for any rest (also none).

    The path is what follows the API's version prefix, without a leading slash: `chat/completions`.
    """

    methods: tuple[str, ...]
    path: str


class Provider(Struct, frozen=True):
    """One provider, compiled.

    `base_path` is put before the rest of a `/<provider>/<rest>` path; `version_path` replaces `/v1` on `/v1/<rest>`;
    both start with a slash or are empty. `authority` is the Host header. `headers` are set on every request (the
    credential among them), `default_headers` only where the client sent none of that name. Header names are lower case.
    `caller_headers` have JSON objects about the caller as values, `price_headers` about the price: names, each with a
    Fact or a Rate. A client's own fields of these names are dropped.
    `allow` is None where every path and method may pass.
    """

    name: str
    dialect: str
    origin: Origin
    authority: str
    base_path: str = ""
    version_path: str = "/v1"
    headers: tuple[tuple[str, str], ...] = ()
    default_headers: tuple[tuple[str, str], ...] = ()
    caller_headers: tuple[tuple[str, tuple[tuple[str, Fact], ...]], ...] = ()
    price_headers: tuple[tuple[str, tuple[tuple[str, Rate], ...]], ...] = ()
    allow: tuple[AllowRule, ...] | None = None
    timeouts: Timeouts = Timeouts()
    max_connections: int = 16_384
    """As many as a worker takes clients (`ClientBounds.connections`): every stream holds one as long as it is open, and
    who wants to spare a provider says so. Idle ones are closed."""
    max_wait: float = 10.0
    """Seconds a request may wait for a free connection when all are busy."""
    ask_usage: bool = True
    """Whether a stream is asked for its usage (`stream_options.include_usage`) when the client did not."""
    verify_tls: bool = True
    ca_file: str | None = None
    proxy: str | None = None
    """`http://[user:password@]host:port` of a proxy that is asked to CONNECT."""

    def __repr__(self) -> str:
        """Tell where it is; never a credential."""
        return f"<Provider {self.name} {self.dialect} {self.origin.scheme}://{self.origin.host}:{self.origin.port}>"


class Target(Struct, frozen=True):
    """One way to serve a model: a provider and its own name for the model."""

    provider: str
    model: str
    weight: int = 1


class ModelAlias(Struct, frozen=True):
    """A model name of ours and what it stands for; weights need not sum to anything."""

    name: str
    targets: tuple[Target, ...]


class ClientBounds(Struct, frozen=True, omit_defaults=True):
    """What one client may take, in bytes, counts and seconds."""

    request_line: int = 16_384
    header_count: int = 128
    header_bytes: int = 65_536
    body_bytes: int = 268_435_456
    held_body_bytes: int = 4_194_304
    """JSON bodies up to this are held: their model can be read and edited, and a fresh connection can be tried."""
    head_seconds: float = 15.0
    body_seconds: float = 60.0
    """Longest pause between two parts of a request body."""
    idle_seconds: float = 300.0
    connections: int = 16_384
    """Open client connections of one worker."""


class Snapshot(Struct, frozen=True):
    """Everything a worker needs to know. `version` rises with every reload of one control process.

    `defaults` names the provider of a dialect where the model's name decides nothing: dialect name to provider name.
    """

    version: int
    providers: tuple[Provider, ...] = ()
    models: tuple[ModelAlias, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    bounds: ClientBounds = ClientBounds()
    drain_seconds: float = 30.0
    authentication_grace: float = 30.0
    """Seconds for which tokens already known stay good while the control process is away."""
    limit_wait: float = 5.0
    """Seconds a request may wait for a limit that others have reserved, before it is refused."""
    unknown_price: Literal["refuse", "free"] = "refuse"
    """What becomes of a request under a limit in dollars where the model's price is not known."""
