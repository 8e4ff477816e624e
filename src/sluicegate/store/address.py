"""Where a database is: what the setting `database` may say."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sluicegate.store.errors import DatabaseUrlError

FILE_NAME = "sluicegate.db"
"""Of the database in DATA_DIR, where no other is asked for."""


@dataclass(frozen=True, slots=True)
class SQLiteAddress:
    """A file."""

    path: Path

    def __str__(self) -> str:
        """As people know it."""
        return f"SQLite {self.path}"


@dataclass(frozen=True, slots=True)
class PostgreSQLAddress:
    """A server's database; `url` is as libpq takes it, and may have a password in it."""

    url: str

    def __str__(self) -> str:
        """As people know it, without the password."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2] or "local socket"
        return f"PostgreSQL {host}{parts.path}"

    def __repr__(self) -> str:
        """Like `str`: addresses get into logs."""
        return f"<PostgreSQLAddress {self}>"


Address = SQLiteAddress | PostgreSQLAddress


def parse(url: str, directory: Path) -> Address:
    """Read `sqlite` (a file in `directory`), `sqlite:///path` (relative to it), `postgresql://…`.

    Raises DatabaseUrlError, which does not repeat the address: there may be a password in it.
    """
    if url == "sqlite":
        return SQLiteAddress(directory / FILE_NAME)
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        path = rest.removeprefix("/")
        if not rest.startswith("/") or path in ("", ":memory:") or "?" in path or "\0" in path:
            raise DatabaseUrlError("a SQLite database is named by sqlite:///path/of/the/file")
        return SQLiteAddress(directory / path)
    if separator and scheme in ("postgresql", "postgres"):
        _check_server(url)
        return PostgreSQLAddress(url)
    raise DatabaseUrlError("a database is sqlite, sqlite:///path or postgresql://user:password@host/name")


def _check_server(url: str) -> None:
    """Raise DatabaseUrlError where hosts or ports are none, or a password hides in what is taken for something else."""
    try:
        parts = urlsplit(url)
        ports = [urlsplit(f"//{host}").port for host in parts.netloc.rpartition("@")[2].split(",")]
    except ValueError:
        raise DatabaseUrlError("the database's address has no valid host or port") from None
    if 0 in ports:
        raise DatabaseUrlError("the database's address has no valid host or port")
    if "@" in parts.path + parts.query + parts.fragment:
        raise DatabaseUrlError("what is special in a user's name or password is written as %40 for @, %2F for /")
