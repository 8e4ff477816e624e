"""The database's clock: one for all nodes."""

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection

_MILLISECONDS = {
    # Julian days; of a double that counts days since 4713 BC, a tenth of a millisecond can be told.
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}


def now(connection: AsyncConnection) -> ColumnElement[int]:
    """Now, in Unix milliseconds, as part of a statement."""
    return literal_column(_MILLISECONDS[connection.dialect.name])
