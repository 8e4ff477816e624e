"""Every failure a client can see: one class each, carrying status, code and whether a retry can cure it.

The dialects turn a class's `kind` into the wording of their API; nothing else decides a status.
"""

from typing import ClassVar, Literal

from msgspec import Struct

Kind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "rate_limit",
    "quota",
    "server",
    "overloaded",
    "timeout",
]
"""What went wrong, in words every dialect has an equivalent for."""

Source = Literal["gateway", "upstream"]
"""Who failed, as told by the header `x-gateway-error-source`."""


class GatewayError(Exception):
    """Base of what a client can see. `message` says what, where and how to fix it; it never holds a secret."""

    status: int = 500
    code: str = "internal_error"
    kind: Kind = "server"
    source: ClassVar[Source] = "gateway"
    is_retryable: bool = False
    closes_connection: ClassVar[bool] = False
    """Whether the client's connection cannot carry another request after this answer."""

    def __init__(self, message: str, *, parameter: str | None = None, retry_after: float | None = None) -> None:
        """`parameter` names the offending field or header; `retry_after` is in seconds."""
        super().__init__(message)
        self.message = message
        self.parameter = parameter
        self.retry_after = retry_after


class InternalError(GatewayError):
    """A defect of the gateway itself; the request id leads to its log line."""


class PluginFailedError(GatewayError):
    """A plugin that must see the request before it is sent failed, so it was not sent."""

    code = "plugin_failed"


class PluginMissingError(GatewayError):
    """A configured plugin cannot be loaded here, and nothing is sent without it."""

    status = 503
    code = "plugin_missing"


class BadRequestError(GatewayError):
    """The request is well-framed, but its content cannot be understood."""

    status = 400
    code = "invalid_request"
    kind = "invalid_request"


class MalformedRequestError(BadRequestError):
    """The bytes are not an HTTP request we accept (RFC 9112); the connection cannot be trusted further."""

    code = "malformed_request"
    closes_connection = True


class CredentialMissingError(GatewayError):
    """No credential in any of the headers we read."""

    status = 401
    code = "missing_api_key"
    kind = "authentication"


class CredentialUnknownError(GatewayError):
    """The credential belongs to no token."""

    status = 401
    code = "invalid_api_key"
    kind = "authentication"


class TokenExpiredError(GatewayError):
    """The token is past its `expires_at`."""

    status = 403
    code = "token_expired"
    kind = "permission"


class TokenInactiveError(GatewayError):
    """The token was revoked or suspended."""

    status = 403
    code = "token_inactive"
    kind = "permission"


class RequestsSpentError(GatewayError):
    """All requests that the token was issued for were made."""

    status = 429
    code = "max_requests_reached"
    kind = "quota"


class TooManyUnknownError(GatewayError):
    """Too many credentials that belong to nobody came from one address; known ones are served as ever."""

    status = 429
    code = "too_many_unknown_credentials"
    kind = "rate_limit"
    is_retryable = True


class PathForbiddenError(GatewayError):
    """The token may not use this path."""

    status = 403
    code = "path_not_allowed"
    kind = "permission"


class CredentialUnusableError(GatewayError):
    """The project has a key of its own for the provider, and it cannot be decrypted here."""

    status = 503
    code = "credential_unusable"
    kind = "server"


class ModelForbiddenError(GatewayError):
    """The token may not use this model."""

    status = 403
    code = "model_not_allowed"
    kind = "permission"


class PathUnknownError(GatewayError):
    """No route, or a path outside the provider's allowlist."""

    status = 404
    code = "unknown_path"
    kind = "not_found"


class ModelUnknownError(GatewayError):
    """No configured provider or alias serves this model name."""

    status = 404
    code = "model_not_found"
    kind = "not_found"


class MethodForbiddenError(GatewayError):
    """The path exists, the method is not in its allowlist."""

    status = 405
    code = "method_not_allowed"
    kind = "invalid_request"

    def __init__(self, message: str, *, allowed: tuple[str, ...] = ()) -> None:
        """`allowed` fills the header `Allow` (RFC 9110 section 15.5.6)."""
        super().__init__(message)
        self.allowed = allowed


class ClientTooSlowError(GatewayError):
    """The head or body did not arrive within its time."""

    status = 408
    code = "request_timeout"
    kind = "timeout"
    closes_connection = True


class BodyTooLargeError(GatewayError):
    """The body exceeds the configured bound."""

    status = 413
    code = "request_too_large"
    kind = "too_large"
    closes_connection = True


class TargetTooLongError(GatewayError):
    """The request line exceeds the configured bound."""

    status = 414
    code = "uri_too_long"
    kind = "invalid_request"
    closes_connection = True


class ExpectationFailedError(GatewayError):
    """An `Expect` other than 100-continue (RFC 9110 section 10.1.1)."""

    status = 417
    code = "expectation_failed"
    kind = "invalid_request"
    closes_connection = True


class HeadTooLargeError(GatewayError):
    """Too many header fields, or too many bytes of them (RFC 6585 section 5).

    Its `kind` is not `too_large`, which is about bodies: dialects word that as a 413 (Anthropic: `request_too_large`),
    and a shorter prompt would not cure this.
    """

    status = 431
    code = "headers_too_large"
    kind = "invalid_request"
    closes_connection = True


class UpstreamUnreachableError(GatewayError):
    """No connection to the provider: refused, unresolvable, TLS not verified, proxy refused."""

    status = 502
    code = "upstream_unreachable"
    source = "upstream"
    is_retryable = True


class UpstreamBrokenError(GatewayError):
    """The provider broke the connection or the protocol before its answer was complete."""

    status = 502
    code = "upstream_error"
    source = "upstream"
    is_retryable = True


class UpstreamTimeoutError(GatewayError):
    """The provider took longer than the route allows: to connect, to begin, between bytes or in all."""

    status = 504
    code = "upstream_timeout"
    kind = "timeout"
    source = "upstream"
    is_retryable = True


class NoConnectionError(GatewayError):
    """Every connection to the provider is busy and the bounded wait is over."""

    status = 503
    code = "upstream_busy"
    kind = "overloaded"
    is_retryable = True


class NoProviderError(GatewayError):
    """The route is known, but no provider is configured to serve it."""

    status = 503
    code = "no_provider"
    kind = "server"


class NoHealthyTargetError(GatewayError):
    """Everyone who could answer has failed too often, or is not where the request wants to be answered."""

    status = 503
    code = "no_healthy_target"
    kind = "overloaded"
    is_retryable = True


class ControlUnavailableError(GatewayError):
    """The control process cannot answer just now; it is being restarted."""

    status = 503
    code = "control_unavailable"
    kind = "overloaded"
    is_retryable = True


class DrainingError(GatewayError):
    """The gateway is shutting down and ended this exchange."""

    status = 503
    code = "shutting_down"
    kind = "overloaded"
    is_retryable = True
    closes_connection = True


class OverloadedError(GatewayError):
    """The gateway holds as much as its configured bounds allow."""

    status = 503
    code = "overloaded"
    kind = "overloaded"
    is_retryable = True
    closes_connection = True


class LimitFacts(Struct, frozen=True, omit_defaults=True):
    """Which limit refused a request, and how it stands.

    `used` and `maximum` are numbers of the metric's unit, dollars for `usd`. `resets_at` is ISO 8601 UTC: the moment at
    which enough is certain to be free again, absent where that is never. `scope_id` names whose limit it is.
    """

    scope: str
    scope_id: str
    metric: str
    window: str
    used: float
    maximum: float
    resets_at: str | None = None
    organization_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None


class LimitError(GatewayError):
    """Base of the refusals by a limit: `facts` say which one."""

    status = 429
    code = "limit_exceeded"
    kind: Kind = "rate_limit"
    is_retryable = True

    def __init__(self, message: str, *, facts: LimitFacts | None = None, retry_after: float | None = None) -> None:
        """`retry_after` is in seconds, None where waiting does not help."""
        super().__init__(message, retry_after=retry_after)
        self.facts = facts


class RateLimitedError(LimitError):
    """A limit of requests or tokens in a window, or of requests at the same time, is reached."""

    code = "rate_limit_exceeded"


class BudgetSpentError(LimitError):
    """A limit in dollars is reached."""

    code = "budget_exceeded"
    kind = "quota"
    is_retryable = False


class LimitReachedError(GatewayError):
    """A limit was reached in the middle of an answer, whose API has no way to say that it was cut short."""

    status = 429
    code = "limit_reached"
    kind = "quota"


class LedgerUnavailableError(GatewayError):
    """The ledger of limits cannot be asked, and the organisation wants its requests refused then."""

    status = 503
    code = "ledger_unavailable"
    kind = "overloaded"
    is_retryable = True


class PriceUnknownError(GatewayError):
    """There is a limit in dollars, and no price for the model that is asked for."""

    status = 400
    code = "price_unknown"
    kind = "invalid_request"


class MaxCostError(GatewayError):
    """The request may cost more than its own header `x-gateway-max-cost-usd` allows, or that is no amount."""

    status = 400
    code = "max_cost_exceeded"
    kind = "invalid_request"


class UnmeteredError(GatewayError):
    """A hard limit of tokens or dollars holds, and what is asked for cannot be bounded: a batch, a WebSocket."""

    status = 403
    code = "unmetered_forbidden"
    kind = "permission"
