"""The database: who uses this installation, and what was changed.

address, engines     where it is, and connections set up as we need them
database             transactions: a Session with one repository for each table
repository, owners   what repositories have in common
trigrams             SQLite's index of parts of texts;  search_keys   PostgreSQL's
organizations, projects, users, tokens, limits, price_overrides, credentials   one table each
admin_keys, accounts, idempotency                                             likewise
totals               sums of each organisation's tokens, kept as they change
usage                what exchanges leave here, written from the journal
audit, changes       logs that only grow;  heads   how far they have come
data_version         whether anybody has committed to a SQLite file
values, clock, refusals, errors   what fits into a row, when it was written, and what is refused in which words
schema, version, upgrade, running, migrations   the tables, and how they become what they are
backup               a copy of a SQLite database while it is in use, and back
"""
