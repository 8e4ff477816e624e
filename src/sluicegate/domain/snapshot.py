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


class Retries(Struct, frozen=True, omit_defaults=True):
    """When a request is sent again before the first byte of an answer has gone to the client.

    `attempts` is the most in all, the first included; 1 turns it off. `statuses` are answers that may be better
    elsewhere, or a moment later. `backoff` is the middle of the first pause in seconds before the same target is asked
    again; it doubles, and varies by half. `longest_wait` is the longest `Retry-After` that is waited for. No attempt
    begins later than `deadline` seconds after the request. `budget` is the share of live requests that may be sent
    again, so that a provider in trouble is not asked more the worse it fares.
    """

    attempts: int = 3
    statuses: tuple[int, ...] = (408, 429, 500, 502, 503, 504, 529)
    backoff: float = 0.25
    longest_wait: float = 5.0
    deadline: float = 60.0
    budget: float = 0.2


class Circuit(Struct, frozen=True, omit_defaults=True):
    """When a deployment is left alone for a while.

    That is after `consecutive` failures, or when of at least `least` requests within `window` seconds the share `rate`
    failed. It is left alone for `ejection` seconds, each further time in a row twice as long, up to `longest_ejection`;
    then one request tries it. The last healthy deployment of a choice is never left alone, unless `opens_last`: then
    requests are refused with 503 until the one that tries it succeeds.
    """

    consecutive: int = 5
    rate: float = 0.5
    least: int = 20
    window: float = 10.0
    ejection: float = 5.0
    longest_ejection: float = 300.0
    opens_last: bool = False


class Concurrency(Struct, frozen=True, omit_defaults=True):
    """How many requests of one worker a deployment is given at the same time.

    `adaptive`: when it says that it is overloaded (503, 529, or no first byte in time), as many as it had are cut
    by a quarter, never below `least`, and grow again with every full round of answers. Requests beyond it wait in a
    queue that serves organisations in turn, at most `queue` of them, for the provider's `max_wait`.
    """

    adaptive: bool = True
    least: int = 16
    queue: int = 4_096


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
    """One provider, compiled; or one deployment of several that it has: another address, or another key.

    All deployments of a provider share its `name`, dialect and allowlist. `deployment` names one among them, and is
    empty where there is just one. `region` and `tags` are what callers and models may ask of it; `weight` is its share
    of the provider's requests. `models` are the provider's own names of models that are listed as on offer; empty
    where it is not known.

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
    prompt_overhead: int = 0
    """Tokens that its models read beyond what requests say, besides the few that every API puts around messages."""
    verify_tls: bool = True
    ca_file: str | None = None
    proxy: str | None = None
    """`http://[user:password@]host:port` of a proxy that is asked to CONNECT."""
    deployment: str = ""
    region: str = ""
    tags: tuple[str, ...] = ()
    weight: int = 1
    models: tuple[str, ...] = ()
    circuit: Circuit = Circuit()
    concurrency: Concurrency = Concurrency()
    credential: tuple[str, str] | None = None
    """The header that a key goes into, and what is put before the key there; None for where the dialect wants it.
    `headers` has the configured key already: this is for keys that come with a request's project."""

    @property
    def id(self) -> str:
        """What tells it from all others: its name, and its deployment's where it has one."""
        return f"{self.name}/{self.deployment}" if self.deployment else self.name

    def __repr__(self) -> str:
        """Tell where it is; never a credential."""
        return f"<Provider {self.id} {self.dialect} {self.origin.scheme}://{self.origin.host}:{self.origin.port}>"


Strategy = Literal["weighted", "round_robin", "least_busy", "lowest_latency", "cheapest"]
"""How one of several targets is chosen."""
Sticky = Literal["", "conversation", "user", "header"]
"""What keeps requests at the same target: nothing, the beginning of the conversation, the user, a header field."""


class Target(Struct, frozen=True):
    """One way to serve a model: a provider and its own name for the model.

    In `model`, `*` stands for what `*` stood for in the name of the alias. `rate` is nano-dollars for a million tokens,
    a quarter of them output, None where the price is not known; only `cheapest` asks for it.
    """

    provider: str
    model: str
    weight: int = 1
    rate: int | None = None


class ModelAlias(Struct, frozen=True):
    """A model name of ours and what it stands for; weights need not sum to anything.

    One `*` in `name` stands for any text that is not empty. `fallbacks` are further groups of targets, asked in
    their order once no target is left. `regions` and `tags` say which deployments may serve it: one of these
    regions, all of these tags. What is None is the provider's (`timeouts`) or the snapshot's (`retries`). `hedge`
    is after how many seconds without an answer another target is asked beside the first; None for never.
    """

    name: str
    targets: tuple[Target, ...]
    fallbacks: tuple[tuple[Target, ...], ...] = ()
    strategy: Strategy = "weighted"
    sticky: Sticky = ""
    sticky_header: str = ""
    """Lower case, where `sticky` is `header`."""
    regions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    timeouts: Timeouts | None = None
    retries: Retries | None = None
    hedge: float | None = None


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
    all_held_bytes: int = 268_435_456
    """Bytes of all held bodies of one worker together; beyond it requests are shed with 503."""


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
    retries: Retries = Retries()
    unknown_price: Literal["refuse", "free"] = "refuse"
    """What becomes of a request under a limit in dollars where the model's price is not known."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read answers in a browser, as browsers spell them; `*` for all."""
    cors_seconds: float = 600.0
    """How long a browser may remember that."""
    plugins: tuple[str, ...] = ()
    """Names of the entry points of the plugins in use, in the order in which they are asked."""
    keeps_bodies: bool = False
    """Whether bodies of requests are kept, where the caller's project wants it."""
