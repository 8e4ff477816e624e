"""Addresses of databases."""

from pathlib import Path

import pytest

from sluicegate.store.address import PostgreSQLAddress, SQLiteAddress, parse
from sluicegate.store.errors import DatabaseUrlError

DIRECTORY = Path("/var/lib/gateway")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite", "/var/lib/gateway/sluicegate.db"),
        ("sqlite:///other.db", "/var/lib/gateway/other.db"),
        ("sqlite:////srv/other.db", "/srv/other.db"),
    ],
)
def test_a_file_is_found_from_the_directory(url: str, path: str) -> None:
    """A SQLite database lies in the directory that is given, unless its path is absolute."""
    address = parse(url, DIRECTORY)
    assert address == SQLiteAddress(Path(path))
    assert str(address) == f"SQLite {path}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://gate:hunter2@db.example:5433/gateway?sslmode=require", "PostgreSQL db.example:5433/gateway"),
        ("postgres://db.example/gateway", "PostgreSQL db.example/gateway"),
        ("postgresql://gate:hunter2@/gateway?host=/run/postgresql", "PostgreSQL local socket/gateway"),
        ("postgresql://gate:hunter2@one:5432,two:5433,[::1]/gateway", "PostgreSQL one:5432,two:5433,[::1]/gateway"),
        ("postgresql://db.example/gateway?password=hunter2", "PostgreSQL db.example/gateway"),
    ],
)
def test_a_server_is_shown_without_its_password(url: str, shown: str) -> None:
    """An address is handed on as it is, and shown without user and password."""
    address = parse(url, DIRECTORY)
    assert isinstance(address, PostgreSQLAddress)
    assert address.url == url
    assert str(address) == shown
    assert repr(address) == f"<PostgreSQLAddress {shown}>"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "a database is"),
        ("sqlite:", "a database is"),
        ("postgresql:hunter2", "a database is"),
        ("mysql://u:hunter2@h/d", "a database is"),
        ("postgresql+asyncpg://u:hunter2@h/d", "a database is"),
        ("sqlite://hunter2.db", "named by"),
        ("sqlite:///", "named by"),
        ("sqlite:///:memory:", "named by"),
        ("sqlite:///a.db?mode=hunter2", "named by"),
        ("sqlite:///hunter2\0.db", "named by"),
        ("postgresql://u:hunter2@h:port/d", "no valid host or port"),
        ("postgresql://u:hunter2@h:70000/d", "no valid host or port"),
        ("postgresql://u:hunter2@h:0/d", "no valid host or port"),
        ("postgresql://u:hunter2@h:1,i:port/d", "no valid host or port"),
        ("postgresql://u:hunter2@[h/d", "no valid host or port"),
        ("postgresql://u:12/hunter2@h/d", "%2F"),
        ("postgresql://u:12#hunter2@h/d", "%2F"),
        ("postgresql://u:12?hunter2@h/d", "%2F"),
    ],
)
def test_what_is_no_address_is_refused(url: str, reason: str) -> None:
    """Anything else is refused with what would be right, and without repeating what may hold a password."""
    with pytest.raises(DatabaseUrlError, match=reason) as refused:
        parse(url, DIRECTORY)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
