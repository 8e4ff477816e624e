"""The node itself: where it listens, what one client may take, what it keeps and how it issues tokens."""

from typing import Annotated

from pydantic import Field, model_validator

from sluicegate.config import fields
from sluicegate.config.schema.bodies import BodySettings
from sluicegate.config.schema.section import Section
from sluicegate.domain.issuing import DEFAULT_RECIPE
from sluicegate.domain.snapshot import ClientBounds, Snapshot

_BOUNDS = ClientBounds()
_SNAPSHOT = Snapshot(version=0)


class Tls(Section):
    """The gateway's own certificate."""

    certificate: fields.PathName
    """File with the certificate and its chain, PEM. What it and the key's hold is read anew with every reload."""
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
    all_held_bytes: fields.Count = _BOUNDS.all_held_bytes
    """Most bytes of all JSON bodies that one worker holds together; beyond it requests get 503."""

    @model_validator(mode="after")
    def _holds_one(self) -> "Limits":
        if self.all_held_bytes < self.held_body_bytes:
            raise ValueError("has all_held_bytes below held_body_bytes: no body of that size could be held")
        return self


class Cors(Section):
    """Which pages may read answers in a browser."""

    origins: tuple[fields.WebOrigin, ...] = ()
    """Their origins, `https://chat.example.org`, or `*` for all: tokens still decide who may ask. None by default."""
    max_age_seconds: fields.SecondsOrNone = _SNAPSHOT.cors_seconds
    """How long a browser may remember the answer."""


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
    cors: Cors = Cors()
    """Which pages may read answers in a browser."""


class Events(Section):
    """How long events are kept."""

    retention_bytes: fields.Count = 1_073_741_824
    """Most bytes of all segment files together; beyond it the oldest are deleted, even before every consumer has read
    them, which is then logged as an error. Files that a worker still writes to, some 64 MiB each, always stay."""
    retention_seconds: fields.Seconds | None = None
    """Age at which events that every consumer has read are deleted, counted from the last one in their file. Not set,
    the size alone decides."""


class RequestLogSettings(Section):
    """What the database keeps of requests."""

    enabled: bool = True
    """Whether requests are recorded in the database: each one, and what they add up to. No request waits for it. It
    takes some 17 microseconds of a core and 600 bytes of disk for each."""
    retention_seconds: fields.Seconds = 2_592_000.0
    """How long each request is kept. What they add up to is kept longer."""
    rows: fields.Count = 10_000_000
    """Most requests that are kept; beyond it the oldest go."""
    hourly_retention_seconds: fields.Seconds = 7_776_000.0
    """How long sums by the hour are kept."""
    daily_retention_seconds: fields.Seconds = 69_120_000.0
    """How long sums by the day are kept."""
    bodies: BodySettings = BodySettings()
    """What is kept of the bodies of requests and answers: nothing, unless it is turned on here and by a project."""


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
