"""Every setting of the configuration file: its name, kind, default and meaning, declared once.

What a setting means for the running gateway stands beside its counterpart in `domain/snapshot.py`, whose defaults are
taken over here.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from sluicegate.config import fields
from sluicegate.domain.issuing import DEFAULT_RECIPE
from sluicegate.domain.money import nano_dollars
from sluicegate.domain.snapshot import ClientBounds, Fact, Origin, Provider, Rate, Snapshot, Timeouts

MOST_COUNTED = 2**53 - 1
"""Largest number that every reader of JSON keeps."""

_BOUNDS = ClientBounds()
_TIMEOUTS = Timeouts()
_SNAPSHOT = Snapshot(version=0)
_PROVIDER = Provider("", "", Origin("http", "", 0), "")


class Section(BaseModel):
    """A mapping of settings: no other keys, never changed, and no value in its messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        """Take a setting with nothing after its colon for one that is not set."""
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key not in cls.model_fields}


class Tls(Section):
    """The gateway's own certificate."""

    certificate: fields.PathName
    """File with the certificate and its chain, PEM."""
    key: fields.PathName
    """File with the private key, PEM, without a passphrase."""


class Limits(Section):
    """What one client may take, in bytes, counts and seconds."""

    request_line: fields.Count = _BOUNDS.request_line
    """Longest request line, in bytes; beyond it 414."""
    header_count: fields.Count = _BOUNDS.header_count
    """Most header fields; beyond it 431."""
    header_bytes: fields.Count = _BOUNDS.header_bytes
    """Largest head of a request, in bytes; beyond it 431."""
    body_bytes: fields.Count = _BOUNDS.body_bytes
    """Largest request body, in bytes; beyond it 413."""
    held_body_bytes: fields.Count = _BOUNDS.held_body_bytes
    """Largest JSON body, in bytes, that is held in memory, so that its model can be read and a request be repeated."""
    head_seconds: fields.Seconds = _BOUNDS.head_seconds
    """Longest time for the head of a request to arrive."""
    body_seconds: fields.Seconds = _BOUNDS.body_seconds
    """Longest pause between two parts of a request body, in seconds."""
    idle_seconds: fields.Seconds = _BOUNDS.idle_seconds
    """How long an idle client connection is kept."""
    connections: fields.Count = _BOUNDS.connections
    """Most open client connections of one worker."""


class Server(Section):
    """Where and how the gateway listens."""

    host: fields.Host = "127.0.0.1"
    """Address to listen on; `0.0.0.0` or `::` for every interface."""
    port: fields.Port = 8080
    """Port to listen on; 0 takes a free one."""
    workers: Annotated[fields.Count, Field(le=1024)] = 1
    """Worker processes; more than the machine has cores gains nothing."""
    tls: Tls | None = None
    """Set both parts to speak HTTPS."""
    drain_seconds: fields.SecondsOrNone = _SNAPSHOT.drain_seconds
    """How long requests under way may take to end once the gateway is told to stop."""
    limits: Limits = Limits()
    """What one client may take."""


class Events(Section):
    """How long events are kept."""

    retention_bytes: fields.Count = 1_073_741_824
    """Most bytes of all segment files together; beyond it the oldest are deleted, even before every consumer has read
    them, which is then logged as an error. Files that a worker still writes to, some 64 MiB each, always stay."""
    retention_seconds: fields.Seconds | None = None
    """Age at which events that every consumer has read are deleted, counted from the last one in their file. Not set,
    the size alone decides."""


class Issuing(Section):
    """How tokens are made that the gateway issues."""

    prefix: fields.TokenPrefix = DEFAULT_RECIPE.prefix
    """What they begin with; 43 letters and digits follow. Tokens issued before keep theirs."""
    retention_seconds: fields.SecondsOrNone = 2_592_000.0
    """How long a token that was revoked or has expired is still kept and shown; then it is removed."""


class Admin(Section):
    """An administrator who is known by the configuration alone."""

    user: fields.Login
    """What they log in as."""
    password: fields.Secret
    """Their password, not empty. A long one: unlike those of accounts, it is compared at once."""


class AllowEntry(Section):
    """One path of an allowlist and its methods."""

    methods: Annotated[tuple[fields.Method, ...], Field(min_length=1)]
    """Methods that may pass: `GET`, `POST` …"""
    path: fields.AllowPath
    """What follows the API's version prefix, without a leading slash: `chat/completions`. `*` stands for one segment,
    a final `**` for any rest, also none."""


class ProviderTimeouts(Section):
    """How long a provider may take, in seconds."""

    connect: fields.Seconds = _TIMEOUTS.connect
    """Until the connection stands, TLS included."""
    first_byte: fields.Seconds = _TIMEOUTS.first_byte
    """From the request's last byte to the answer's first."""
    between_bytes: fields.Seconds = _TIMEOUTS.between_bytes
    """Longest pause within an answer."""
    total: fields.Seconds = _TIMEOUTS.total
    """From the request's first byte to the answer's last."""


def _allow_kind(value: Any) -> str:
    return "rules" if isinstance(value, list | tuple) else "word"


Allow = Annotated[
    Annotated[Literal["dialect", "all"], Tag("word")]
    | Annotated[Annotated[tuple[AllowEntry, ...], Field(min_length=1)], Tag("rules")],
    Discriminator(_allow_kind),
]


class ProviderSettings(Section):
    """One provider."""

    dialect: str
    """The API it speaks: `openai`, `anthropic`, `gemini` or `generic`."""
    base_url: fields.BaseUrl
    """`https://…` or `http://…` with the path its API begins with, or `unix:/path` of a socket."""
    api_key: fields.Secret | None = None
    """Its credential; sent where the dialect wants it. None for a provider that asks for none."""
    headers: dict[fields.HeaderName, fields.HeaderValue] = {}
    """Headers set on every request, in place of the client's and of the credential's own."""
    default_headers: dict[fields.HeaderName, fields.HeaderValue] = {}
    """Headers sent only where the client sent none of that name."""
    caller_headers: dict[fields.HeaderName, Annotated[dict[fields.PlainName, Fact], Field(min_length=1)]] = {}
    """Headers with a JSON object about the caller, in place of the client's own: names, and for each which id it gets,
    `user`, `organization`, `project` or `token`. An id that there is none of is left out."""
    price_headers: dict[fields.HeaderName, Annotated[dict[fields.PlainName, Rate], Field(min_length=1)]] = {}
    """Headers with a JSON object about the price, in place of the client's own: names, and for each which rate it gets,
    `input`, `output`, `cache_read` or `cache_write`, in dollars for one token. Sent where the model has a price in the
    configuration or of the organisation's own; a rate that it has not is left out."""
    timeouts: ProviderTimeouts = ProviderTimeouts()
    """How long it may take."""
    max_connections: fields.Count = _PROVIDER.max_connections
    """Most connections of one worker to it; every request under way holds one, so every open stream does."""
    max_wait: fields.SecondsOrNone = _PROVIDER.max_wait
    """Seconds a request may wait for a free connection when all are busy."""
    ask_usage: bool = _PROVIDER.ask_usage
    """Whether a stream is asked for its usage (`stream_options.include_usage`) where the client did not; the client
    never sees the difference. Turn it off for a provider that refuses the option: tokens are then counted here."""
    verify_tls: bool = _PROVIDER.verify_tls
    """Whether its certificate must be valid. Turning it off lets anyone on the way read the credential."""
    ca_file: fields.PathName | None = None
    """PEM file of the authorities to trust in place of the system's."""
    proxy: fields.ProxyUrl | None = None
    """`http://[user:password@]host:port` to connect through; `none` for none at all. Not set, the variables
    `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` decide."""
    allow: Allow = "dialect"
    """Paths that may pass: `dialect` for those its dialect knows, `all`, or a list."""

    @model_validator(mode="after")
    def _sets_each_header_once(self) -> "ProviderSettings":
        names = [*self.headers, *self.caller_headers, *self.price_headers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"sets the header {twice} in two ways")
        return self


class ModelTarget(Section):
    """One way to serve a model."""

    model: fields.PlainName
    """`provider/model`: a configured provider and its own name for the model."""
    weight: fields.Count = 1
    """Share of the requests, against the sum of all weights."""


class ModelSettings(Section):
    """A model name of our own."""

    name: fields.PlainName
    """What clients ask for."""
    targets: Annotated[tuple[ModelTarget, ...], Field(min_length=1)]
    """What serves it."""


class LimitSettings(Section):
    """A limit: at most so much of something in a window."""

    metric: Literal["requests", "tokens", "usd", "concurrency"]
    """What is counted; `concurrency` counts requests that run at the same time."""
    window: fields.WindowText
    """`90s`, `15m`, `5h` or `30d` roll; `day` and `month` are of the calendar in UTC, or in a zone:
    `month@Europe/Berlin`; `lifetime`, the only one for `concurrency`, never ends."""
    maximum: fields.Amount
    """A whole number; of `usd`, dollars."""
    enforcement: Literal["hard", "soft", "shadow"] = "hard"
    """`hard` is never exceeded; `soft` admits while anything is left, and counts what it was; `shadow` only reports."""

    @model_validator(mode="after")
    def _fits(self) -> "LimitSettings":
        if self.metric == "concurrency" and self.window != "lifetime":
            raise ValueError("has the metric concurrency, which is counted at the moment only: its window is lifetime")
        self.amount()
        return self

    def amount(self) -> int:
        """The maximum, of usd in nano-dollars. Raises ValueError."""
        if self.metric == "usd":
            return nano_dollars(self.maximum)
        text = str(self.maximum)
        if not text.isascii() or not text.isdigit() or int(text) > MOST_COUNTED:
            raise ValueError("has a maximum that is no whole number, 0 or more")
        return int(text)


class LimitDefaults(Section):
    """Limits for every one of a kind that has no other on the same metric and window."""

    organizations: tuple[LimitSettings, ...] = ()
    """Of every organisation."""
    projects: tuple[LimitSettings, ...] = ()
    """Of every project."""
    users: tuple[LimitSettings, ...] = ()
    """Of every user."""
    tokens: tuple[LimitSettings, ...] = ()
    """Of every token."""


class LimitsSettings(Section):
    """What bounds callers, and what happens at the bounds."""

    defaults: LimitDefaults = LimitDefaults()
    """Limits for whoever has no others."""
    wait: fields.SecondsOrNone = _SNAPSHOT.limit_wait
    """How long a request may wait, in seconds, while others hold what it needs of a limit."""
    unknown_price: Literal["refuse", "free"] = _SNAPSHOT.unknown_price
    """What becomes of a request under a limit on dollars whose model has no price."""


class Redis(Section):
    """Where limits are counted, in place of the database."""

    address: fields.RedisUrl
    """`redis://user:password@host:port/0`, `rediss://…` with TLS, `redis+cluster://host:port,host:port` or
    `unix:///path`; Redis or Valkey from version 7 on."""


class RateSettings(BaseModel):
    """What a million tokens of each kind cost, in dollars: a part of two sections, and none by itself."""

    model_config = Section.model_config

    input: fields.Dollars
    """Input; in it what follows of input, where that is not set."""
    output: fields.Dollars
    """Output, reasoning included."""
    cache_read: fields.Dollars | None = None
    """Input read from the provider's cache."""
    cache_write: fields.Dollars | None = None
    """Input written to the provider's cache."""
    cache_write_1h: fields.Dollars | None = None
    """Of it, what is kept for an hour; not set, twice the input at Anthropic, elsewhere what other writing costs."""
    input_audio: fields.Dollars | None = None
    """Input that is sound."""
    output_audio: fields.Dollars | None = None
    """Output that is sound."""
    request: fields.Dollars = "0"
    """Dollars for each request, whatever its tokens."""


class PriceTier(RateSettings, Section):
    """Rates for large exchanges."""

    above: fields.Count
    """The whole exchange is at these rates when its input has more tokens than this."""


class PriceSettings(RateSettings, Section):
    """What a model costs, in place of what the bundled table says."""

    model: fields.PlainName
    """The provider's name for the model, or `provider/model`; `*` stands for any text. The first that fits counts."""
    tiers: tuple[PriceTier, ...] = ()
    """Other rates, by the size of the input."""
    longest_output: fields.Count | None = None
    """Most tokens that one answer of the model can have."""
    context: fields.Count | None = None
    """Most tokens of input and output together."""


class TokenSettings(Section):
    """A declared token: what a caller presents, and what it may do."""

    name: fields.PlainName
    """What it is called in logs and lists; its id is made from it."""
    token: fields.Token
    """The secret itself: printable ASCII, at least 8 characters."""
    project: fields.OwnerName | None = None
    """Project it belongs to."""
    organization: fields.OwnerName | None = None
    """Organisation it belongs to."""
    user: fields.OwnerName | None = None
    """User it belongs to."""
    expires_at: fields.Moment | None = None
    """When it ends: ISO 8601 with an offset, `2030-12-31T23:59:59Z`. Not set, it does not."""
    active: bool = True
    """Whether it may be used."""
    models: tuple[fields.PlainName, ...] = ()
    """Models it may use, by the names its caller asks for; none for all."""
    tags: tuple[fields.PlainName, ...] = ()
    """Words that its requests are marked with."""
    limits: tuple[LimitSettings, ...] = ()
    """What bounds it, beside the defaults."""


class Settings(Section):
    """The configuration file."""

    server: Server = Server()
    """Where and how the gateway listens."""
    data_dir: fields.PathName = "./data"
    """Directory for everything the gateway keeps."""
    database: fields.DatabaseUrl | None = None
    """Where tenants and tokens are kept: `sqlite:///path`, relative to the data directory, or
    `postgresql://user:password@host/name`. Not set, a SQLite file in the data directory."""
    management_token: fields.Token | None = None
    """What the management API asks for; not set, it is closed."""
    admin: Admin | None = None
    """Set both parts to let one administrator in by HTTP Basic, with the role `admin`."""
    master_key: fields.MasterKey | None = None
    """What secrets in the database are encrypted with: 32 bytes in hexadecimal or base64; several, separated by commas
    or white space, the newest first. Not set, `master.key` in the data directory is used, and made if need be."""
    key_file: fields.PathName | None = None
    """JSON file that declares tokens, `{"keys": [{"key": …, "name": …}]}`, and into which their usage is written."""
    key_file_model: fields.PlainName | None = None
    """The model that answers keys of that file which name none of their own, whatever their requests ask for."""
    issuing: Issuing = Issuing()
    """How tokens are made that the gateway issues."""
    events: Events = Events()
    """How long events are kept."""
    limits: LimitsSettings = LimitsSettings()
    """What bounds callers."""
    redis: Redis | None = None
    """Where limits are counted. Not set, in the database."""
    authentication_grace: fields.SecondsOrNone = _SNAPSHOT.authentication_grace
    """Seconds for which tokens already known stay good while the control process is away."""
    providers: dict[fields.ProviderName, ProviderSettings] = {}
    """Providers by name; the name is the first segment of their own paths, `/openai/…`."""
    defaults: dict[str, str] = {}
    """Dialect to provider: which of several providers of a dialect serves a request whose model decides nothing.
    Where not set, the first declared."""
    models: tuple[ModelSettings, ...] = ()
    """Model names of our own."""
    prices: tuple[PriceSettings, ...] = ()
    """What models cost, in place of what the bundled table says."""
    tokens: tuple[TokenSettings, ...] = ()
    """Declared tokens."""

    @property
    def database_url(self) -> str:
        """What `database` means, as `store/address.py` reads it. May hold a password."""
        return self.database.get_secret_value() if self.database else "sqlite"
