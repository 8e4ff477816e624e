"""PostgreSQL's own index of parts of texts, in place of that of pg_trgm, which is not to be had everywhere."""

from alembic import op

revision = "0006"
down_revision = "0005"

_COLUMNS = {
    "users": ("organization_id", "status", "email"),
    "tokens": ("organization_id", "project_id", "user_id", "status"),
}

FUNCTION = r"""
CREATE FUNCTION sluicegate_search_keys(searched text, VARIADIC owners text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    characters text[] := string_to_array(E'\n' || searched, NULL);
    count int := cardinality(characters);
    keys text[];
    last int := count - 2;
BEGIN
    FOR i IN 1 .. count - 2 LOOP
        keys[i] := characters[i] || characters[i + 1] || characters[i + 2];
    END LOOP;
    last := greatest(last, 0);
    FOR i IN 1 .. count LOOP
        IF strpos('abcdefghijklmnopqrstuvwxyz0123456789', characters[i]) = 0 THEN
            keys[last + 1] := characters[i];
            keys[last + 2] := characters[greatest(i - 1, 1)] || characters[i];
            keys[last + 3] := characters[i] || characters[least(i + 1, count)];
            last := last + 3;
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(owners) LOOP
        IF owners[i] IS NOT NULL THEN
            last := last + 1;
            keys[last] := E'\x02' || i || owners[i];
        END IF;
    END LOOP;
    RETURN keys;
END $$
"""
"""Of a text with its case folded: all its parts of three characters, and those of one or two that are not just ASCII
letters and digits; the text begins as a line. And what it belongs to, with its place among `owners` before it.

`store.search_keys` looks for just that."""


def upgrade() -> None:
    """Make it of what there is: of a million rows that takes half a minute."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(FUNCTION)
    for table, columns in _COLUMNS.items():
        op.execute(f"DROP INDEX IF EXISTS ix_{table}_trigrams")
        keys = f"sluicegate_search_keys(search, {', '.join(columns)})"
        # What waits to be sorted in, in KiB, is read by each search: a quarter of what PostgreSQL would let wait.
        waiting = "gin_pending_list_limit = 1024"
        op.execute(f"CREATE INDEX ix_{table}_search_keys ON {table} USING gin (({keys})) WITH ({waiting})")
        # Which pages may have ids behind some other: rows lie in the order of their age, or nearly so.
        op.execute(f"CREATE INDEX ix_{table}_ids ON {table} USING brin (id) WITH (autosummarize = true)")
        # Which keys many records have: until that is known, searches look common ones up that narrow little.
        op.execute(f"ANALYZE {table}")


def downgrade() -> None:
    """Remove it, and make that of pg_trgm again where it can be had."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for table in _COLUMNS:
        op.execute(f"DROP INDEX ix_{table}_search_keys")
        op.execute(f"DROP INDEX ix_{table}_ids")
    op.execute("DROP FUNCTION sluicegate_search_keys")
    op.execute(
        "DO $$ BEGIN"
        " CREATE EXTENSION IF NOT EXISTS pg_trgm;"
        " CREATE INDEX ix_tokens_trigrams ON tokens USING gin (search gin_trgm_ops);"
        " CREATE INDEX ix_users_trigrams ON users USING gin (search gin_trgm_ops);"
        " EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN"
        " RAISE WARNING 'sluicegate: pg_trgm cannot be had, searches of many records will be slow';"
        " END $$"
    )
