"""Whether anybody has committed to a SQLite file: a hundred times cheaper to ask than its tables."""

import sqlite3
from urllib.parse import quote

from sluicegate.store.address import SQLiteAddress


class DataVersion:
    """A connection of its own, for this one question (https://www.sqlite.org/pragma.html#pragma_data_version).

    It waits for nobody: in WAL mode no writer holds it up, so it may be asked on an event loop.
    """

    __slots__ = ("_address", "_connection")

    def __init__(self, address: SQLiteAddress) -> None:
        """Nothing is opened yet."""
        self._address = address
        self._connection: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        """Tell of which file."""
        return f"<DataVersion {self._address}>"

    def look(self) -> int | None:
        """A number that differs from the last one if anybody committed in between; None where it cannot be told."""
        try:
            if self._connection is None:
                uri = f"file:{quote(str(self._address.path))}?mode=rw"
                self._connection = sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None)
            # All rows are fetched, so that the statement ends and holds no snapshot.
            rows = self._connection.execute("PRAGMA data_version").fetchall()
        except sqlite3.Error:
            self.close()
            return None
        return int(rows[0][0])

    def close(self) -> None:
        """Close the connection; the next look opens another one, whose numbers are not comparable."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
