"""Who uses an installation and what may be known of them: organisations, projects, users, tokens, and who manages them.

Times are Unix milliseconds, money is nano-dollars. `version` counts the changes of a record, from 1. No secret is in
these records: of a token or key there is its digest, and what may be shown of it.
"""

from typing import Any, Literal

from msgspec import Struct, field

from sluicegate.domain.limits import Enforcement, Metric, Scope
from sluicegate.domain.pricing import Price
from sluicegate.domain.request_bodies import USUAL_BODY

Status = Literal["active", "suspended"]
TokenStatus = Literal["active", "suspended", "revoked"]
FailureMode = Literal["closed", "open"]
Role = Literal["root", "admin", "organization_admin", "viewer"]
"""What a manager may do: everything; everything but the keys of managers; the same in one organisation; only look."""

DEFAULT_ORGANIZATION = "org_default"
DEFAULT_PROJECT = "prj_default"
"""Always there, so that small installations never see them."""


class Organization(Struct, frozen=True, kw_only=True):
    """The top of the tree. Budgets are what may be spent in a calendar month."""

    id: str
    name: str
    status: Status = "active"
    monthly_budget: int | None = None
    failure_mode: FailureMode = "closed"
    fallback_daily_limit: int | None = None
    """Nano-dollars that may be spent in a day while budgets cannot be checked."""
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: int
    updated_at: int
    version: int = 1
    time_zone: str = "UTC"
    """Of its calendar: an IANA name."""


class Project(Struct, frozen=True, kw_only=True):
    """What tokens are issued for."""

    id: str
    organization_id: str
    name: str
    description: str = ""
    status: Status = "active"
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: int
    updated_at: int
    version: int = 1
    model: str | None = None
    """What every request of its tokens is answered by, unless a token has a model of its own."""
    body_share: float = 0.0
    """The share of its requests whose bodies are kept, from 0 to 1, where the configuration has any kept."""
    body_bytes: int = USUAL_BODY
    """Most bytes of each."""


class User(Struct, frozen=True, kw_only=True):
    """A person or service that tokens belong to. `email` is unique within the organisation, in lower case."""

    id: str
    organization_id: str
    email: str
    name: str = ""
    status: Status = "active"
    monthly_limit: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: int
    updated_at: int
    version: int = 1


class Token(Struct, frozen=True, kw_only=True):
    """A caller's token, of a project, a user, or both. Empty `models`, `paths` and `request_headers` allow all.

    `idle_seconds` lets it wither when it is not used for so long; `retires_at` is when a rotated token stops working.
    """

    id: str
    digest: bytes
    prefix: str
    last_four: str
    organization_id: str
    project_id: str | None = None
    user_id: str | None = None
    name: str = ""
    tier: str = ""
    status: TokenStatus = "active"
    expires_at: int | None = None
    idle_seconds: int | None = None
    retires_at: int | None = None
    replaced_by: str | None = None
    max_requests: int | None = None
    request_count: int = 0
    model: str | None = None
    """What every request of this token is answered by, whatever model it names."""
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    request_headers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: int
    updated_at: int
    last_used_at: int | None = None
    version: int = 1
    counted_as: str | None = None
    """The first of the tokens it came after by rotation: what they all use is counted as that one's."""
    requests_before: int = 0
    """Requests that `max_requests` counts, and the ledger does not: made when it did not bound them yet."""

    @property
    def account_id(self) -> str:
        """Whose use of limits it is counted as."""
        return self.counted_as or self.id


class ProviderCredential(Struct, frozen=True, kw_only=True):
    """A project's own key for a provider: encrypted, and never shown again."""

    id: str
    project_id: str
    provider: str
    ciphertext: bytes
    key_id: str
    last_four: str
    created_at: int
    updated_at: int
    version: int = 1


class LimitRecord(Struct, frozen=True, kw_only=True):
    """A limit that a manager set: `window` as `limits.window_text` writes it, a maximum of usd in nano-dollars."""

    id: str
    organization_id: str
    scope: Scope
    scope_id: str
    metric: Metric
    window: str
    maximum: int
    enforcement: Enforcement = "hard"
    created_at: int
    updated_at: int
    version: int = 1


class PriceOverride(Struct, frozen=True, kw_only=True):
    """What a model of a provider costs in one organisation, in place of what it costs elsewhere."""

    id: str
    organization_id: str
    provider: str
    model: str
    price: Price
    created_at: int
    updated_at: int
    version: int = 1


class AdminKey(Struct, frozen=True, kw_only=True):
    """A manager's key. `organization_id` bounds an organisation admin or a viewer to one organisation."""

    id: str
    digest: bytes
    prefix: str
    last_four: str
    name: str
    role: Role
    organization_id: str | None = None
    status: TokenStatus = "active"
    expires_at: int | None = None
    created_at: int
    updated_at: int
    last_used_at: int | None = None
    version: int = 1


class Account(Struct, frozen=True, kw_only=True):
    """A manager who logs in with a password, of which only an Argon2id hash is kept."""

    id: str
    login: str
    password_hash: str
    role: Role
    organization_id: str | None = None
    status: Status = "active"
    created_at: int
    updated_at: int
    version: int = 1


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One change of state. `before` and `after` are what an API would show; `hash` chains the entries."""

    sequence: int
    at: int
    actor: str
    actor_kind: str
    address: str
    action: str
    target_kind: str
    target_id: str
    organization_id: str | None
    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous_hash: bytes
    hash: bytes


class Change(Struct, frozen=True, kw_only=True):
    """One line of the change log that every node follows: tokens whose digest must be looked up anew; all, if None."""

    sequence: int
    at: int
    digest: bytes | None
