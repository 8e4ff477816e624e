"""The one record an exchange leaves behind, what people should know of beside, and the lines that carry both.

A line is one JSON object. Most exchanges are one `Exchange` line. Where usage must still be counted, a `Pending` line
is written at once, before the client has its last byte, so that a crash loses nothing; the `Exchange` line with the
same `request_id` follows when the count is in. A reader reports the later one; the earlier one only if its writer died
before the count came.

A `Notice` is of no exchange: control writes it, into segments of its own.
"""

from typing import Literal

from msgspec import Struct, field

from sluicegate.domain.errors import Source
from sluicegate.domain.usage import Usage, UsageSource


class Metadata(Struct, frozen=True, omit_defaults=True):
    """What system logs of LLM traffic expect to find. `created` is Unix seconds of the exchange's start."""

    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    created: int = 0


class Charge(Struct, frozen=True, array_like=True):
    """What an exchange took of a limit: `amount` used, for which `leased` units of the worker's lease are over."""

    account: str
    amount: int
    leased: int


class FailedAttempt(Struct, frozen=True, array_like=True):
    """An attempt that the client saw nothing of: at which deployment, as which model, and what came of it.

    `status` is the provider's, 0 where it did not answer: then `error` is the code of the failure.
    """

    deployment: str
    model: str
    status: int
    error: str = ""


class Exchange(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="exchange"):
    """One exchange, however it ended. Durations are milliseconds unless named otherwise, absent where nothing happened.

    `token` is the token's id ("" where no token was recognised); `endpoint` the path without its query;
    `status_code` what the client was sent (499 where it left before any answer). `error_source` says who failed,
    `error` is the code of the failure. `is_cut` marks a stream that did not end as its API says it must.
    """

    request_id: str
    timestamp: str
    token: str
    project_id: str
    organization_id: str
    endpoint: str
    method: str
    status_code: int
    duration_ms: float
    metadata: Metadata
    user_id: str | None = None
    route: str = ""
    dialect: str = ""
    operation: str = ""
    provider: str = ""
    requested_model: str = ""
    model: str = ""
    attempts: int = 0
    is_stream: bool = False
    is_cut: bool = False
    first_byte_ms: float | None = None
    overhead_us: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    usage: Usage | None = None
    usage_source: UsageSource = "none"
    is_estimated: bool = False
    client_disconnected: bool = False
    error_source: Source | None = None
    error: str | None = None
    upstream_status: int | None = None
    upstream_request_id: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    session_id: str | None = None
    client_address: str | None = None
    tags: tuple[str, ...] = ()
    cost: int | None = None
    """Nano-dollars; None where no price is known or nothing is priced."""
    price_version: str | None = None
    provider_cost: int | None = None
    """Nano-dollars, as the provider itself reported them."""
    charges: tuple[Charge, ...] = ()
    limit: str | None = None
    """The account of the limit that refused the request, ended the stream, or, in shadow mode, would have."""
    is_degraded: bool = False
    """Whether it was admitted without the ledger, under the organisation's failure mode."""
    deployment: str = ""
    """Which of the provider's deployments answered, where it has several."""
    failed_attempts: tuple[FailedAttempt, ...] = ()
    """Those before the one whose answer the client got."""
    traceparent: str = ""
    """The client's span, where it named a valid one: 55 characters."""
    tracestate: str = ""
    """What the client's tracing systems say beside."""
    service_tier: str = ""
    """The provider's service tier that served it, where the answer tells of another than the usual one."""


class Pending(Struct, frozen=True, tag_field="kind", tag="pending"):
    """An exchange whose usage is still being counted; `exchange` carries a guess from the text's length."""

    request_id: str
    exchange: Exchange


NoticeName = Literal["budget.threshold", "circuit.opened", "circuit.closed", "token.withering", "request.degraded"]
Fact = str | int | float | bool | None


class Notice(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="notice"):
    """Something that somebody may want to be warned of. The same thing has the same `id`, whichever node tells of it.

    `subject` is the id of what it is about: a limit's owner, a deployment, a token, an organisation. `facts` say the
    rest, by names that belong to `event`; none of them is a secret.
    """

    id: str
    timestamp: str
    event: NoticeName
    subject: str
    organization_id: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)

    @property
    def request_id(self) -> str:
        """By which a line is known among others, as an exchange's is."""
        return self.id


Line = Exchange | Pending | Notice
"""What a journal's line decodes to."""
