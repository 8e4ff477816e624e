"""Databases for tests: each test gets one of its own, of SQLite and of PostgreSQL."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluicegate.store.upgrade import upgrade
from tests.store.place import Place
from tests.store.postgresql import Server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server, the same one for all tests."""
    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with nothing in it, to be copied."""
    directory = tmp_path_factory.mktemp("migrated")
    asyncio.run(upgrade("sqlite", directory))
    return directory / "sluicegate.db"


@pytest.fixture(scope="session")
def migrated_name(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a PostgreSQL database with nothing in it, to be copied."""
    name = postgresql.create()
    asyncio.run(upgrade(postgresql.url(name), tmp_path_factory.getbasetemp()))
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database a test is about: each test runs with both."""
    return str(request.param)


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An upgraded database with nothing in it but the default organisation and project."""
    if kind == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_file"), tmp_path / "sluicegate.db")
        yield Place("sqlite", tmp_path)
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("migrated_name"))
    yield Place(server.url(name), tmp_path)
    server.drop(name)


@pytest.fixture
def empty_place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database without any tables, beside that of `place`."""
    if kind == "sqlite":
        yield Place("sqlite:///empty.db", tmp_path)
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create()
    yield Place(server.url(name), tmp_path)
    server.drop(name)
