"""The request log, what requests add up to by hour and day, and how far those have come that write it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_FOUND_BY = ("organization_id", "project_id", "user_id", "token_id", "provider", "model", "error")


def upgrade() -> None:
    """Make them, empty: what went before was not kept anywhere."""
    _request_log()
    _request_tags()
    _rollups()
    op.create_table(
        "consumer_checkpoints",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_consumer_checkpoints")),
    )
    heads = sa.table(
        "heads",
        sa.column("name", sa.String()),
        sa.column("sequence", sa.BigInteger()),
        sa.column("hash", sa.LargeBinary()),
    )
    op.bulk_insert(heads, [{"name": "request_log", "sequence": 0, "hash": bytes(32)}])


def downgrade() -> None:
    """Remove them, with all they hold."""
    for name in ("consumer_checkpoints", "rollups", "request_tags", "request_log"):
        op.drop_table(name)
    op.execute("DELETE FROM heads WHERE name = 'request_log'")


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _request_log() -> None:
    op.create_table(
        "request_log",
        sa.Column("sequence", _number(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("status_class", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_us", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_request_log")),
    )
    op.create_index("ix_request_log_at", "request_log", ["at", "sequence"], unique=False)
    op.create_index("ix_request_log_request_id", "request_log", ["request_id"], unique=False)
    op.create_index(
        "ix_request_log_status", "request_log", ["status_class", "at", "sequence", "status_code"], unique=False
    )
    for column in _FOUND_BY:
        op.create_index(f"ix_request_log_{column}", "request_log", [column, "at", "sequence"], unique=False)


def _request_tags() -> None:
    op.create_table(
        "request_tags",
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "at", "sequence", name=op.f("pk_request_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_request_tags_sequence", "request_tags", ["sequence"], unique=False)


def _rollups() -> None:
    op.create_table(
        "rollups",
        sa.Column("grain", sa.String(length=8), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("scope_id", sa.String(length=128), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "grain", "scope", "start", "scope_id", "organization_id", "provider", "model", name=op.f("pk_rollups")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rollups_subject", "rollups", ["grain", "scope", "scope_id", "start"], unique=False)
