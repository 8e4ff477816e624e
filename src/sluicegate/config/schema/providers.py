"""Providers, each with one deployment or several."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from sluicegate.config import fields
from sluicegate.config.schema.resilience import CircuitSettings, ConcurrencySettings, ProviderTimeouts
from sluicegate.config.schema.section import Section
from sluicegate.domain.snapshot import Fact, Origin, Provider, Rate

_PROVIDER = Provider("", "", Origin("http", "", 0), "")


class AllowEntry(Section):
    """One path of an allowlist and its methods."""

    methods: Annotated[tuple[fields.Method, ...], Field(min_length=1)]
    """Methods that may pass: `GET`, `POST` …"""
    path: fields.AllowPath
    """What follows the API's version prefix, without a leading slash: `chat/completions`. `*` stands for one segment,
    a final `**` for any rest, also none."""


def _allow_kind(value: Any) -> str:
    return "rules" if isinstance(value, list | tuple) else "word"


Allow = Annotated[
    Annotated[Literal["dialect", "all"], Tag("word")]
    | Annotated[Annotated[tuple[AllowEntry, ...], Field(min_length=1)], Tag("rules")],
    Discriminator(_allow_kind),
]


def _nothing_required(schema: dict[str, Any]) -> None:
    schema.pop("required")


class DeploymentSettings(Section):
    """One of several places or keys of a provider. What it does not set is the provider's."""

    name: fields.DeploymentName
    """What it is called in logs and metrics, after the provider's name: `azure/europe`."""
    base_url: fields.BaseUrl | None = None
    """Where it is."""
    parameters: dict[fields.PlainName, fields.UrlPart] = {}
    """What the base URL of the provider's preset asks for: `resource` of `azure`."""
    api_key: fields.Secret | None = None
    """Its credential."""
    headers: dict[fields.HeaderName, fields.HeaderValue] = {}
    """Headers set on every request, beside the provider's own and in place of those of the same name."""
    region: fields.PlainName | None = None
    """Where it is, in a word that models and requests may ask for."""
    tags: tuple[fields.PlainName, ...] | None = None
    """Words that models and requests may ask for."""
    weight: fields.Count = 1
    """Share of the provider's requests, against the sum of all its deployments."""
    models: tuple[fields.PlainName, ...] | None = None
    """The provider's names of models that it has."""
    max_connections: fields.Count | None = None
    """Most connections of one worker to it."""
    proxy: fields.ProxyUrl | None = None
    """What it is connected to through."""


class ProviderSettings(Section):
    """One provider."""

    # A preset gives what is missing before the settings are checked: in the file, nothing here is required.
    model_config = ConfigDict(json_schema_extra=_nothing_required)

    preset: str | None = None
    """A provider that is known: what is not set here is taken from it. Not needed where the name is that of a preset
    and no `dialect` is set."""
    parameters: dict[fields.PlainName, fields.UrlPart] = {}
    """What the preset's base URL asks for: `resource` of `azure`, `account` and `gateway` of `cloudflare`."""
    dialect: str
    """The API it speaks: `openai`, `anthropic`, `gemini` or `generic`. Required without a preset."""
    base_url: fields.BaseUrl
    """`https://…` or `http://…` with the path its API begins with, or `unix:/path` of a socket. Required without a
    preset, unless every deployment has its own; then it is that of the first."""
    api_key: fields.Secret | None = None
    """Its credential. None for a provider that asks for none."""
    api_keys: tuple[fields.Secret, ...] = ()
    """Several credentials in place of one: deployments called `key-1`, `key-2` … that differ in nothing else."""
    credential: fields.Credential | None = None
    """Where a credential goes: `bearer`, or a header's name (`api-key`, `x-api-key`), and after a space the word before
    the credential, if there is one: `authorization Bearer`. Not set, where the dialect wants it, or the preset."""
    deployments: tuple[DeploymentSettings, ...] = ()
    """Several places or keys that serve the same models."""
    region: fields.PlainName | None = None
    """Where it is, in a word that models and requests may ask for."""
    tags: tuple[fields.PlainName, ...] = ()
    """Words that models and requests may ask for."""
    models: tuple[fields.PlainName, ...] = ()
    """Its own names of models that are listed as on offer. None where they are not known."""
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
    circuit: CircuitSettings | None = None
    """When one of its deployments is left alone; what is not set here is as in `resilience.circuit`."""
    concurrency: ConcurrencySettings | None = None
    """How many requests one of its deployments is given; what is not set here is as in `resilience.concurrency`."""
    max_connections: fields.Count = _PROVIDER.max_connections
    """Most connections of one worker to it; every request under way holds one, so every open stream does."""
    max_wait: fields.SecondsOrNone = _PROVIDER.max_wait
    """Seconds a request may wait for a free connection when all are busy."""
    ask_usage: bool = _PROVIDER.ask_usage
    """Whether a stream is asked for its usage (`stream_options.include_usage`) where the client did not; the client
    never sees the difference. Turn it off for a provider that refuses the option: tokens are then counted here."""
    prompt_overhead_tokens: fields.CountOrNone = _PROVIDER.prompt_overhead
    """Tokens that its models read beyond what requests say, where that is more than 32: a chat template with a system
    prompt of its own, as servers of open models have them. Hard limits set as many aside for each request."""
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
    def _has_its_keys_in_one_place(self) -> "ProviderSettings":
        if self.api_keys and (self.api_key or self.deployments):
            raise ValueError("has api_keys beside api_key or deployments: name the key of each deployment there")
        return self

    @model_validator(mode="after")
    def _sets_each_header_once(self) -> "ProviderSettings":
        headers = dict.fromkeys([*self.headers, *(name for each in self.deployments for name in each.headers)])
        names = [*headers, *self.caller_headers, *self.price_headers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"sets the header {twice} in two ways")
        return self
