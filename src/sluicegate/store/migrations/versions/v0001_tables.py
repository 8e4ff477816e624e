"""The tables of the first version, the default organisation and project, and the beginnings of the two logs."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    _audit()
    _changes()
    _heads()
    _idempotency()
    _organizations()
    _accounts()
    _admin_keys()
    _projects()
    _users()
    _credentials()
    _tokens()
    _searches()
    _beginnings()


def downgrade() -> None:
    """Remove everything: there is nothing before the first version."""
    for name in (
        "tokens",
        "credentials",
        "users",
        "projects",
        "admin_keys",
        "accounts",
        "organizations",
        "idempotency",
        "heads",
        "changes",
        "audit",
    ):
        op.drop_table(name)


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("actor_kind", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target_kind", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=320), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_action", "audit", ["action", "sequence"], unique=False)
    op.create_index("ix_audit_actor", "audit", ["actor", "sequence"], unique=False)
    op.create_index("ix_audit_at", "audit", ["at", "sequence"], unique=False)
    op.create_index("ix_audit_organization", "audit", ["organization_id", "sequence"], unique=False)
    op.create_index("ix_audit_target", "audit", ["target_id", "sequence"], unique=False)
    op.create_index("ix_audit_target_kind", "audit", ["target_kind", "sequence"], unique=False)


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_at", "changes", ["at"], unique=False)


def _heads() -> None:
    op.create_table(
        "heads",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heads")),
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(length=320), nullable=False),
        sa.Column("scope", sa.String(length=320), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "scope", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created", "idempotency", ["created_at"], unique=False)


def _organizations() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("monthly_budget", sa.BigInteger(), nullable=True),
        sa.Column("failure_mode", sa.String(length=16), nullable=False),
        sa.Column("fallback_daily_limit", sa.BigInteger(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=320), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_accounts_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("login", name=op.f("uq_accounts_login")),
    )
    op.create_index("ix_accounts_organization", "accounts", ["organization_id", "id"], unique=False)


def _admin_keys() -> None:
    op.create_table(
        "admin_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("last_four", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_admin_keys_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_admin_keys_digest")),
    )
    op.create_index("ix_admin_keys_organization", "admin_keys", ["organization_id", "id"], unique=False)


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_projects_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_index("ix_projects_organization", "projects", ["organization_id", "id"], unique=False)
    op.create_index("ix_projects_status", "projects", ["status", "id"], unique=False)


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("monthly_limit", sa.BigInteger(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_users_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("organization_id", "email", name=op.f("uq_users_organization_id_email")),
    )
    op.create_index("ix_users_email", "users", ["email", "id"], unique=False)
    op.create_index("ix_users_organization", "users", ["organization_id", "id"], unique=False)
    op.create_index("ix_users_organization_status", "users", ["organization_id", "status", "id"], unique=False)
    op.create_index("ix_users_status", "users", ["status", "id"], unique=False)


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=200), nullable=False),
        sa.Column("last_four", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_credentials_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("project_id", "provider", name=op.f("uq_credentials_project_id_provider")),
    )
    op.create_index("ix_credentials_key", "credentials", ["key_id", "id"], unique=False)


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("last_four", sa.String(length=16), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=True),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("idle_seconds", sa.BigInteger(), nullable=True),
        sa.Column("retires_at", sa.BigInteger(), nullable=True),
        sa.Column("replaced_by", sa.String(length=64), nullable=True),
        sa.Column("max_requests", sa.BigInteger(), nullable=True),
        sa.Column("request_count", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("models", sa.Text(), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("request_headers", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("dead_at", sa.BigInteger(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_tokens_organization_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_tokens_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index("ix_tokens_dead", "tokens", ["dead_at"], unique=False)
    op.create_index("ix_tokens_organization", "tokens", ["organization_id", "id"], unique=False)
    op.create_index("ix_tokens_organization_status", "tokens", ["organization_id", "status", "id"], unique=False)
    op.create_index("ix_tokens_project", "tokens", ["project_id", "id"], unique=False)
    op.create_index("ix_tokens_project_status", "tokens", ["project_id", "status", "id"], unique=False)
    op.create_index("ix_tokens_status", "tokens", ["status", "id"], unique=False)
    op.create_index("ix_tokens_user", "tokens", ["user_id", "id"], unique=False)


def _searches() -> None:
    """What is different: where SQLite reads an index from end to end, PostgreSQL looks parts of text up."""
    if op.get_bind().dialect.name == "sqlite":
        searched = ["id", "organization_id", "project_id", "user_id", "status", "search"]
        op.create_index("ix_tokens_search", "tokens", searched)
        op.create_index("ix_tokens_totals", "tokens", ["organization_id", "request_count", "last_used_at"])
        op.create_index("ix_users_search", "users", ["id", "organization_id", "status", "email", "search"])
        return
    # The extension comes with every PostgreSQL, but may not be installed or not be allowed: then searches are slower.
    op.execute(
        "DO $$ BEGIN"
        " CREATE EXTENSION IF NOT EXISTS pg_trgm;"
        " CREATE INDEX ix_tokens_trigrams ON tokens USING gin (search gin_trgm_ops);"
        " CREATE INDEX ix_users_trigrams ON users USING gin (search gin_trgm_ops);"
        " EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN"
        " RAISE WARNING 'sluicegate: pg_trgm cannot be had, searches of many records will be slow';"
        " END $$"
    )


def _beginnings() -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    kept = {"created_at": now, "updated_at": now, "version": 1}
    text, number, blob = sa.Text(), sa.BigInteger(), sa.LargeBinary()
    organizations = _columns("organizations", text, "id", "name", "status", "failure_mode", "metadata", "search")
    projects = _columns(
        "projects", text, "id", "organization_id", "name", "description", "status", "metadata", "search"
    )
    for table in (organizations, projects):
        for name in kept:
            table.append_column(sa.column(name, number))
    common = {"name": "Default", "status": "active", "metadata": "{}", **kept}
    op.bulk_insert(organizations, [{"id": "org_default", "failure_mode": "closed", "search": "default", **common}])
    op.bulk_insert(
        projects,
        [
            {
                "id": "prj_default",
                "organization_id": "org_default",
                "description": "",
                "search": "default\n",
                **common,
            }
        ],
    )
    logs = sa.table("heads", sa.column("name", text), sa.column("sequence", number), sa.column("hash", blob))
    op.bulk_insert(logs, [{"name": name, "sequence": 0, "hash": bytes(32)} for name in ("audit", "changes")])


def _columns(table: str, kind: sa.types.TypeEngine[str], *names: str) -> sa.TableClause:
    return sa.table(table, *(sa.column(name, kind) for name in names))
