"""The audit log can only grow: the database itself refuses to change or remove an entry."""

from alembic import op

revision = "0002"
down_revision = "0001"

_REFUSAL = "the audit log can only grow"
_TAKEN = "EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence)"


def upgrade() -> None:
    """Add the triggers."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{event.lower()} BEFORE {event} ON audit"
                f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        # REPLACE removes the row that is in its way without telling the trigger above.
        op.execute(
            f"CREATE TRIGGER audit_no_replacement BEFORE INSERT ON audit WHEN {_TAKEN}"
            f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION audit_only_grows()"
    )
    op.execute(
        "CREATE TRIGGER audit_no_truncation BEFORE TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
    )


def downgrade() -> None:
    """Remove them."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("update", "delete", "replacement"):
            op.execute(f"DROP TRIGGER audit_no_{event}")
        return
    op.execute("DROP TRIGGER audit_no_change ON audit")
    op.execute("DROP TRIGGER audit_no_truncation ON audit")
    op.execute("DROP FUNCTION audit_only_grows()")
