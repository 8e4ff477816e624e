"""A project's own model, which answers every request of its tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make room for it; no project has one yet."""
    op.add_column("projects", sa.Column("model", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove it: tokens are answered by what they ask for, or their own model."""
    op.drop_column("projects", "model")
