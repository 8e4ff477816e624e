"""What tells the kinds of objects apart."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object."""

    name: str
    """In the singular, as in messages."""
    path: str
    """Of the list; an object is one segment below."""
    id_field: str
    columns: tuple[str, ...]
    """Fields that a table shows, in this order."""
    shown_once: str | None = None
    """Field of the secret that the answer to its creation shows."""


ORGANIZATION = Kind(
    "organization",
    "/admin/organizations",
    "org_id",
    ("org_id", "name", "status", "monthly_budget_usd", "failure_mode", "created_at"),
)
PROJECT = Kind(
    "project",
    "/admin/projects",
    "project_id",
    ("project_id", "organization_id", "name", "status", "created_at"),
)
USER = Kind(
    "user",
    "/admin/users",
    "user_id",
    ("user_id", "org_id", "email", "name", "status", "monthly_limit_usd", "created_at"),
)
TOKEN = Kind(
    "token",
    "/admin/tokens",
    "token_id",
    ("token_id", "token", "name", "project_id", "user_id", "status", "expires_at", "request_count", "max_requests"),
    shown_once="token",
)
LIMIT = Kind(
    "limit",
    "/manage/limits",
    "limit_id",
    ("limit_id", "scope", "scope_id", "metric", "window", "maximum", "enforcement", "created_at"),
)
PRICE = Kind(
    "price",
    "/manage/prices",
    "price_id",
    ("price_id", "organization_id", "provider", "model", "input", "output", "price_version", "created_at"),
)
ADMIN_KEY = Kind(
    "admin key",
    "/admin/admin-keys",
    "key_id",
    ("key_id", "admin_key", "name", "role", "org_id", "status", "expires_at", "last_used_at"),
    shown_once="admin_key",
)
ACCOUNT = Kind(
    "account",
    "/admin/accounts",
    "account_id",
    ("account_id", "login", "role", "org_id", "status", "created_at"),
)
PROVIDER_KEY = Kind(
    "provider key",
    "/admin/projects/{project_id}/provider-credentials",
    "provider",
    ("provider", "last_four", "created_at", "updated_at"),
)
REQUEST = Kind(
    "request",
    "/admin/requests",
    "request_id",
    ("request_id", "at", "token_id", "provider", "model", "status_code", "error", "duration_ms", "cost_usd"),
)
USED = Kind(
    "usage",
    "/admin/usage",
    "key",
    ("key", "requests", "failed", "input_tokens", "output_tokens", "cost_usd", "average_duration_ms"),
)
