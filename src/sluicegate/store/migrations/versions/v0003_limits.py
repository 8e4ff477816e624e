"""Limits that managers set, prices of one organisation, the ledger's accounts and leases, time zones."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them. Organisations have lived in UTC so far, and requests were counted in the tokens' own rows alone."""
    op.add_column("organizations", sa.Column("time_zone", sa.String(length=64), nullable=False, server_default="UTC"))
    op.add_column("tokens", sa.Column("counted_as", sa.String(length=64), nullable=True))
    op.add_column("tokens", sa.Column("requests_before", sa.BigInteger(), nullable=False, server_default="0"))
    # Of others it is not looked at; to rewrite a million rows takes minutes.
    op.execute("UPDATE tokens SET requests_before = request_count WHERE max_requests IS NOT NULL AND request_count > 0")
    _limits()
    _price_overrides()
    _ledger()


def downgrade() -> None:
    """Remove them, with every limit, price and account."""
    for name in ("ledger_leases", "ledger_accounts", "price_overrides", "limits"):
        op.drop_table(name)
    op.drop_column("tokens", "requests_before")
    op.drop_column("tokens", "counted_as")
    op.drop_column("organizations", "time_zone")


def _limits() -> None:
    op.create_table(
        "limits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("scope_id", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=16), nullable=False),
        sa.Column("window", sa.String(length=96), nullable=False),
        sa.Column("maximum", sa.BigInteger(), nullable=False),
        sa.Column("enforcement", sa.String(length=16), nullable=False),
        *_kept(),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_limits_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limits")),
        sa.UniqueConstraint("scope_id", "metric", "window", name=op.f("uq_limits_scope_id_metric_window")),
    )
    op.create_index("ix_limits_organization", "limits", ["organization_id", "id"], unique=False)


def _price_overrides() -> None:
    op.create_table(
        "price_overrides",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        *_kept(),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_price_overrides_organization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_overrides")),
        sa.UniqueConstraint(
            "organization_id", "provider", "model", name=op.f("uq_price_overrides_organization_id_provider_model")
        ),
    )


def _ledger() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("account", sa.String(length=320), nullable=False),
        sa.Column("slots", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_ledger_accounts")),
    )
    op.create_table(
        "ledger_leases",
        sa.Column("account", sa.String(length=320), nullable=False),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", "holder", name=op.f("pk_ledger_leases")),
    )
    op.create_index("ix_ledger_leases_holder", "ledger_leases", ["holder", "account"], unique=False)


def _kept() -> tuple[sa.Column[int], ...]:
    return (
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
