"""What a large database is asked all the time: sums of each organisation's tokens, and SQLite's index of trigrams."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SEARCHED = ("users", "tokens")
_FIRST_WITH_TRIGRAMS = (3, 34)
"""Version of SQLite (https://www.sqlite.org/fts5.html#the_trigram_tokenizer)."""

_INDEX = (
    "CREATE VIRTUAL TABLE TABLE_NAME_trigrams USING fts5"
    "(search, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1')",
    "CREATE VIRTUAL TABLE TABLE_NAME_trigrams_known USING fts5vocab(TABLE_NAME_trigrams, row)",
    "INSERT INTO TABLE_NAME_trigrams (rowid, search) SELECT rowid, MARKED FROM TABLE_NAME",
    "CREATE TRIGGER TABLE_NAME_trigrams_delete AFTER DELETE ON TABLE_NAME BEGIN"
    " INSERT INTO TABLE_NAME_trigrams (TABLE_NAME_trigrams, rowid, search)"
    " VALUES ('delete', OLD.rowid, OLD_MARKED); END",
    "CREATE TRIGGER TABLE_NAME_trigrams_update AFTER UPDATE OF search, organization_id ON TABLE_NAME"
    " WHEN NEW.search <> OLD.search OR NEW.organization_id <> OLD.organization_id BEGIN"
    " INSERT INTO TABLE_NAME_trigrams (TABLE_NAME_trigrams, rowid, search)"
    " VALUES ('delete', OLD.rowid, OLD_MARKED);"
    " INSERT INTO TABLE_NAME_trigrams (rowid, search) VALUES (NEW.rowid, NEW_MARKED); END",
)


def upgrade() -> None:
    """Make them of what there is."""
    op.create_table(
        "token_totals",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_token_totals_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_token_totals")),
    )
    op.execute(
        "INSERT INTO token_totals (organization_id, tokens, requests, last_used_at)"
        " SELECT organization_id, count(*), sum(request_count), max(last_used_at) FROM tokens GROUP BY organization_id"
    )
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_tokens_totals", "tokens")
        if _knows_trigrams():
            for table in _SEARCHED:
                _index(table)


def downgrade() -> None:
    """Remove them."""
    op.drop_table("token_totals")
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_tokens_totals", "tokens", ["organization_id", "request_count", "last_used_at"])
        for table in _SEARCHED:
            for event in ("update", "delete"):
                op.execute(f"DROP TRIGGER IF EXISTS {table}_trigrams_{event}")
            op.execute(f"DROP TABLE IF EXISTS {table}_trigrams_known")
            op.execute(f"DROP TABLE IF EXISTS {table}_trigrams")


def _knows_trigrams() -> bool:
    """Whether this SQLite has what is needed. Where it has not, searches read an index from end to end, as before."""
    version, has_index = (
        op.get_bind().exec_driver_sql("SELECT sqlite_version(), sqlite_compileoption_used('ENABLE_FTS5')").one()
    )
    return bool(has_index) and tuple(map(int, version.split(".")[:2])) >= _FIRST_WITH_TRIGRAMS


def _index(table: str) -> None:
    """Only the index: the text is the table's, and what is removed is told with its text, for which there are triggers.

    Whoever adds rows adds them here: a trigger would do so row by row, and each time all of it would be written.
    Rows are known by SQLite's own number of them. A migration that makes the table anew must make this anew too.
    """
    for statement in _INDEX:
        told = statement.replace("NEW_MARKED", _marked("NEW.")).replace("OLD_MARKED", _marked("OLD."))
        op.execute(told.replace("MARKED", _marked("")).replace("TABLE_NAME", table))


def _marked(row: str) -> str:
    """What is searched, with marks where each word begins and at its end, and the end of the organisation's id.

    `store.trigrams` looks for just that.
    """
    text = f"{row}search"
    for code in map(ord, "\n -_.@/"):
        text = f"replace({text}, char({code}), char({code}, 1, 1))"
    return f"char(1, 1) || {text} || char(1, 1, 2) || substr({row}organization_id, -2)"
