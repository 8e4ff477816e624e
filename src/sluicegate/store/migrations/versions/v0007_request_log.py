"""The request log, what requests add up to by hour and day, and how far those have come that write it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make them, empty: what went before was not kept anywhere."""
    _request_blocks()
    _pieces("request_pieces", "place")
    _rollups()
    _pieces("rollup_batches", "sequence")
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
    for name in ("consumer_checkpoints", "rollup_batches", "rollups", "request_pieces", "request_blocks"):
        op.drop_table(name)
    op.execute("DELETE FROM heads WHERE name = 'request_log'")


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _request_blocks() -> None:
    op.create_table(
        "request_blocks",
        sa.Column("sequence", _number(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_request_blocks")),
    )
    op.create_index("ix_request_blocks_last_at", "request_blocks", ["last_at", "sequence"], unique=False)
    op.create_index("ix_request_blocks_level", "request_blocks", ["level", "day"], unique=False)


def _pieces(table: str, key: str) -> None:
    op.create_table(
        table,
        sa.Column(key, _number(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{table}")),
    )


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
