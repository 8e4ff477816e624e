"""Limits that hold: the single truth about what was used and what is set aside, one interface for every store of it.

- `interface`: what a ledger does, and the operations it takes in batches.
- `memory`: the model, in memory; the other adapters are compared with it.
- `sql`: in the installation's own database, SQLite or PostgreSQL; `rows` are those of its tables.
- `sqlite`: batches in SQLite, in one go.
- `redis`: in Redis or Valkey, also a cluster; `redis_server` reaches it, `redis_script` words what it is asked.

What an operation means is decided in `domain/leases.py`, by functions over values.
"""
