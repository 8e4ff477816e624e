"""Bodies of requests, and which projects want how many of theirs kept."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make room for them; no project wants any yet."""
    op.add_column("projects", sa.Column("body_share", sa.Double(), nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("body_bytes", sa.BigInteger(), nullable=False, server_default="16384"))
    op.create_table(
        "request_bodies",
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("is_request_cut", sa.Boolean(), nullable=False),
        sa.Column("is_answer_cut", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_request_bodies")),
    )
    op.create_index("ix_request_bodies_at", "request_bodies", ["at", "request_id"], unique=False)


def downgrade() -> None:
    """Remove them, and which projects wanted them."""
    op.drop_table("request_bodies")
    op.drop_column("projects", "body_bytes")
    op.drop_column("projects", "body_share")
