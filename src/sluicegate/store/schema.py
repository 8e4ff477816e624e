"""The tables, for SQLite and PostgreSQL alike. `migrations/` leads there: a test compares the two.

Times are Unix milliseconds, money is nano-dollars. `String(n)` is for what is indexed, and bounds it; JSON is kept as
text. `search` is what a search looks in: names and descriptions with their case folded. A token's `dead_at` is when it
stops being of use, as far as can be told. Columns that came with a later version stand last, as in upgraded tables.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

ONLY: Final = "only"
"""In an index's `info`: the dialect of the one database that has it."""

SEARCH_KEYS: Final = {
    "users": ("organization_id", "status", "email"),
    "tokens": ("organization_id", "project_id", "user_id", "status"),
}
"""What PostgreSQL has an index of parts of texts of, and what of their records is in it besides (see
`store.search_keys`). A migration that changes this must make the index anew."""

_MIGRATED: Final = ("_trigrams", "_search_keys")
"""In the names of what migrations alone make: SQLite's indexes of trigrams and the tables that are made with them, and
PostgreSQL's of search keys. It cannot be said here."""

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows by themselves only in a column of exactly this type.
_NUMBER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


def _kept() -> tuple[Column[int], ...]:
    """What every record has that can be changed."""
    return (
        Column("created_at", BigInteger, nullable=False),
        Column("updated_at", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
    )


def _of(table: str, *, nullable: bool = False) -> Column[str]:
    """What goes when its owner goes."""
    name = f"{table.removesuffix('s')}_id"
    return Column(name, String(64), ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)


def _pages_of_ids(table: str) -> Index:
    """The pages that ids behind some other are in, which PostgreSQL's searches need: see `store.search_keys`."""
    return Index(
        f"ix_{table}_ids",
        "id",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "true"},
        info={ONLY: "postgresql"},
    )


organizations = Table(
    "organizations",
    METADATA,
    _id(),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("monthly_budget", BigInteger),
    Column("failure_mode", String(16), nullable=False),
    Column("fallback_daily_limit", BigInteger),
    Column("metadata", Text, nullable=False),
    Column("search", Text, nullable=False),
    *_kept(),
    Column("time_zone", String(64), nullable=False, server_default="UTC"),
)

projects = Table(
    "projects",
    METADATA,
    _id(),
    _of("organizations"),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("search", Text, nullable=False),
    *_kept(),
    Column("model", Text),
    Column("body_share", Double, nullable=False, server_default="0"),
    Column("body_bytes", BigInteger, nullable=False, server_default="16384"),
    Index("ix_projects_organization", "organization_id", "id"),
    Index("ix_projects_status", "status", "id"),
)

users = Table(
    "users",
    METADATA,
    _id(),
    _of("organizations"),
    Column("email", String(320), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("monthly_limit", BigInteger),
    Column("metadata", Text, nullable=False),
    Column("search", Text, nullable=False),
    *_kept(),
    UniqueConstraint("organization_id", "email"),
    Index("ix_users_organization", "organization_id", "id"),
    Index("ix_users_organization_status", "organization_id", "status", "id"),
    Index("ix_users_status", "status", "id"),
    Index("ix_users_email", "email", "id"),
    Index("ix_users_search", "id", "organization_id", "status", "email", "search", info={ONLY: "sqlite"}),
    _pages_of_ids("users"),
)

tokens = Table(
    "tokens",
    METADATA,
    _id(),
    Column("digest", LargeBinary(32), nullable=False),
    Column("prefix", String(64), nullable=False),
    Column("last_four", String(16), nullable=False),
    _of("organizations"),
    _of("projects", nullable=True),
    _of("users", nullable=True),
    Column("name", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("expires_at", BigInteger),
    Column("idle_seconds", BigInteger),
    Column("retires_at", BigInteger),
    Column("replaced_by", String(64)),
    Column("max_requests", BigInteger),
    Column("request_count", BigInteger, nullable=False),
    Column("model", Text),
    Column("models", Text, nullable=False),
    Column("paths", Text, nullable=False),
    Column("request_headers", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("last_used_at", BigInteger),
    Column("dead_at", BigInteger),
    Column("search", Text, nullable=False),
    *_kept(),
    Column("counted_as", String(64)),
    Column("requests_before", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("digest"),
    Index("ix_tokens_organization", "organization_id", "id"),
    Index("ix_tokens_organization_status", "organization_id", "status", "id"),
    Index("ix_tokens_project", "project_id", "id"),
    Index("ix_tokens_project_status", "project_id", "status", "id"),
    Index("ix_tokens_user", "user_id", "id"),
    Index("ix_tokens_status", "status", "id"),
    Index("ix_tokens_dead", "dead_at"),
    # A search that trigrams do not narrow reads this index alone.
    Index(
        "ix_tokens_search", "id", "organization_id", "project_id", "user_id", "status", "search", info={ONLY: "sqlite"}
    ),
    _pages_of_ids("tokens"),
)

token_totals = Table(
    "token_totals",
    METADATA,
    Column("organization_id", String(64), ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
)
"""Sums of each organisation's tokens. There is no row before the first token."""

credentials = Table(
    "credentials",
    METADATA,
    _id(),
    _of("projects"),
    Column("provider", String(200), nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("key_id", String(200), nullable=False),
    Column("last_four", String(16), nullable=False),
    *_kept(),
    UniqueConstraint("project_id", "provider"),
    Index("ix_credentials_key", "key_id", "id"),
)

limits = Table(
    "limits",
    METADATA,
    _id(),
    _of("organizations"),
    Column("scope", String(16), nullable=False),
    Column("scope_id", String(64), nullable=False),
    Column("metric", String(16), nullable=False),
    Column("window", String(96), nullable=False),
    Column("maximum", BigInteger, nullable=False),
    Column("enforcement", String(16), nullable=False),
    *_kept(),
    UniqueConstraint("scope_id", "metric", "window"),
    Index("ix_limits_organization", "organization_id", "id"),
)

price_overrides = Table(
    "price_overrides",
    METADATA,
    _id(),
    _of("organizations"),
    Column("provider", String(200), nullable=False),
    Column("model", String(256), nullable=False),
    Column("price", Text, nullable=False),
    *_kept(),
    UniqueConstraint("organization_id", "provider", "model"),
)

admin_keys = Table(
    "admin_keys",
    METADATA,
    _id(),
    Column("digest", LargeBinary(32), nullable=False),
    Column("prefix", String(64), nullable=False),
    Column("last_four", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", String(32), nullable=False),
    _of("organizations", nullable=True),
    Column("status", String(16), nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("search", Text, nullable=False),
    *_kept(),
    UniqueConstraint("digest"),
    Index("ix_admin_keys_organization", "organization_id", "id"),
)

accounts = Table(
    "accounts",
    METADATA,
    _id(),
    Column("login", String(320), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", String(32), nullable=False),
    _of("organizations", nullable=True),
    Column("status", String(16), nullable=False),
    Column("search", Text, nullable=False),
    *_kept(),
    UniqueConstraint("login"),
    Index("ix_accounts_organization", "organization_id", "id"),
)

audit = Table(
    "audit",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(320), nullable=False),
    Column("actor_kind", String(32), nullable=False),
    Column("address", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("target_kind", String(64), nullable=False),
    Column("target_id", String(320), nullable=False),
    Column("organization_id", String(64)),
    Column("request_id", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("search", Text, nullable=False),
    Column("previous_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Index("ix_audit_at", "at", "sequence"),
    Index("ix_audit_actor", "actor", "sequence"),
    Index("ix_audit_action", "action", "sequence"),
    Index("ix_audit_target_kind", "target_kind", "sequence"),
    Index("ix_audit_target", "target_id", "sequence"),
    Index("ix_audit_organization", "organization_id", "sequence"),
)

changes = Table(
    "changes",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("digest", LargeBinary(32)),
    Index("ix_changes_at", "at"),
)

idempotency = Table(
    "idempotency",
    METADATA,
    Column("key", String(320), primary_key=True),
    Column("scope", String(320), primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_idempotency_created", "created_at"),
)

heads = Table(
    "heads",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
"""How far `audit` and `changes` have come: a number is given once, whatever became of the row that had it."""

ledger_accounts = Table(
    "ledger_accounts",
    METADATA,
    Column("account", String(320), primary_key=True),
    Column("slots", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
"""Of each account what was used, by slot of its window, as JSON. It belongs to nothing here: an account outlives the
limits on it, and its row is what a writer locks."""

ledger_leases = Table(
    "ledger_leases",
    METADATA,
    Column("account", String(320), primary_key=True),
    Column("holder", String(128), primary_key=True),
    Column("granted", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("is_closed", Boolean, nullable=False),
    Index("ix_ledger_leases_holder", "holder", "account"),
)

request_blocks = Table(
    "request_blocks",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("day", BigInteger, nullable=False),
    Index("ix_request_blocks_last_at", "last_at", "sequence"),
    Index("ix_request_blocks_level", "level", "day"),
)
"""The request log: `domain.request_blocks.Block`. Those of one `level` and `day` (of their last rows; days since 1970)
are put together once there are some. They belong to nothing here: what was done stays done when who did it is gone."""

request_pieces = Table(
    "request_pieces",
    METADATA,
    Column("place", _NUMBER, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""The pieces of the log's blocks: `place` is the block's number times `domain.request_blocks.PIECES`, and the piece's
number."""

rollups = Table(
    "rollups",
    METADATA,
    Column("grain", String(8), primary_key=True),
    Column("scope", String(16), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("scope_id", String(128), primary_key=True),
    Column("organization_id", String(64), primary_key=True),
    Column("provider", String(200), primary_key=True),
    Column("model", String(256), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What requests add up to: `domain.usage_rows.RollupKey` and `Sums`. The key is in the order of time, so that what is
written at the same time is in the same place."""

rollup_batches = Table(
    "rollup_batches",
    METADATA,
    Column("sequence", _NUMBER, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""Sums that are not in `rollups` yet: `domain.usage_sums.packed`."""

request_bodies = Table(
    "request_bodies",
    METADATA,
    Column("request_id", String(64), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("organization_id", String(64), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("request", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("is_request_cut", Boolean, nullable=False),
    Column("is_answer_cut", Boolean, nullable=False),
    Index("ix_request_bodies_at", "at", "request_id"),
)
"""Bodies of some requests: `domain.request_bodies.RequestBodies`."""

consumer_checkpoints = Table(
    "consumer_checkpoints",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""How far consumers of events have come, in the transaction of what they made of them."""


def is_in(dialect: str, item: SchemaItem) -> bool:
    """Whether databases of this dialect have this table, column or index, and have it from here."""
    if isinstance(item, Table | Index) and any(part in str(item.name) for part in _MIGRATED):
        return False
    return bool(item.info.get(ONLY, dialect) == dialect)
