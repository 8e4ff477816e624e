"""Transactions."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sluicegate.domain.audit import AuditDraft
from sluicegate.domain.tenants import Change, Organization
from sluicegate.store import engines
from sluicegate.store.address import PostgreSQLAddress
from sluicegate.store.database import Database, Session, unavailable
from sluicegate.store.errors import NewerDatabaseError, OutdatedDatabaseError, StoreUnavailableError
from sluicegate.store.upgrade import upgrade
from tests.store.place import Place
from tests.store.postgresql import PASSWORD, Server


def _draft() -> AuditDraft:
    return AuditDraft(
        at=1, actor="adm_1", actor_kind="admin_key", action="token.create", target_kind="token", target_id="tok_1"
    )


def _organization(name: str) -> Organization:
    return Organization(id=f"org_{name}", name=name, created_at=1, updated_at=1)


async def _names(database: Database) -> set[str]:
    async with database.reading() as session:
        return {organization.name for organization in await session.organizations.list()} - {"Default"}


async def _add(database: Database, name: str) -> None:
    async with database.writing() as session:
        await session.organizations.add(_organization(name))


def test_what_was_written_is_there_afterwards(place: Place) -> None:
    """A transaction is committed at its end, for others and for whoever opens the database later."""

    async def use(database: Database) -> set[str]:
        await _add(database, "one")
        return await _names(database)

    assert place.run(use) == {"one"}
    assert place.run(_names) == {"one"}


def test_an_exception_undoes_everything(place: Place) -> None:
    """Whatever goes wrong in a transaction leaves nothing of it, and is told as it is."""

    async def fail(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(_organization("one"))
            await session.changes.append(None)
            raise KeyError("mine")

    async def use(database: Database) -> None:
        with pytest.raises(KeyError, match="mine"):
            await fail(database)
        assert await _names(database) == set()
        async with database.reading() as session:
            assert await session.changes.last() == 0

    place.run(use)


def test_a_cancelled_transaction_is_undone(place: Place) -> None:
    """Who is cancelled while writing leaves nothing behind, and others go on."""

    async def use(database: Database) -> None:
        written = asyncio.Event()

        async def write() -> None:
            async with database.writing() as session:
                await session.organizations.add(_organization("one"))
                written.set()
                await asyncio.Event().wait()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(write())
            await written.wait()
            task.cancel()
        await _add(database, "two")
        assert await _names(database) == {"two"}

    place.run(use)


def test_one_writes_at_a_time(place: Place) -> None:
    """Writers queue up, those of other programs too: none begins before the one before has ended."""
    log: list[str] = []

    async def write(database: Database, name: str) -> None:
        async with database.writing() as session:
            log.append(name)
            for _ in range(3):
                await session.organizations.get("org_default")
            await session.organizations.add(_organization(name))
            log.append(name)

    async def use(database: Database) -> set[str]:
        async with place.open() as other, asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(write((database, other)[number % 2], str(number)))
        return await _names(database)

    assert place.run(use) == {str(number) for number in range(8)}
    assert log[::2] == log[1::2]


def test_a_reader_sees_one_state(place: Place) -> None:
    """What is committed while somebody reads is not seen by them, and does not have to wait for them."""

    async def use(database: Database) -> None:
        async with database.reading() as session:
            before = await session.organizations.list()
            await _add(database, "one")
            assert await session.organizations.list() == before
        assert await _names(database) == {"one"}

    place.run(use)


def test_a_reader_cannot_write(place: Place) -> None:
    """Who only reads changes nothing, whatever they try."""

    async def use(database: Database) -> None:
        # SQLite says that it is read-only now, as it says of a file that is.
        with pytest.raises((DBAPIError, StoreUnavailableError)):
            async with database.reading() as session:
                await session.organizations.add(_organization("one"))
        assert await _names(database) == set()

    place.run(use)


def test_numbers_are_in_the_order_of_commits(place: Place) -> None:
    """Who follows the change log while many write never misses a line: no lower number comes up later."""
    each, writers = 5, 6

    async def write(database: Database, number: int) -> None:
        for turn in range(each):
            async with database.writing() as session:
                await session.organizations.get("org_default")
                await session.changes.append([bytes([number]) * 32, bytes([turn]) * 32])

    async def follow(database: Database) -> list[Change]:
        seen: list[Change] = []
        while len(seen) < each * writers * 2:
            async with database.reading() as session:
                seen += await session.changes.since(seen[-1].sequence if seen else 0, 7)
        return seen

    async def use(database: Database) -> list[Change]:
        async with place.open() as other, asyncio.timeout(60), asyncio.TaskGroup() as group:
            following = group.create_task(follow(database))
            for number in range(writers):
                group.create_task(write((database, other)[number % 2], 100 + number))
        return following.result()

    seen = place.run(use)
    assert [change.sequence for change in seen] == list(range(1, each * writers * 2 + 1))
    assert None not in {change.digest for change in seen}
    assert [change.at for change in seen] == sorted(change.at for change in seen)


def test_the_audit_log_is_a_chain_whoever_writes(place: Place) -> None:
    """Two programs that write at the same time make one chain."""

    async def use(database: Database) -> None:
        async with place.open() as other, asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(_audit((database, other)[number % 2]))
        async with database.reading() as session:
            assert repr(await session.audit.verify()) == "<Chain holds to 6>"

    place.run(use)


async def _audit(database: Database) -> None:
    async with database.writing() as session:
        await session.audit.append(_draft())


def test_repositories_share_one_transaction(place: Place) -> None:
    """What one repository has written, another of the same session sees; a session tells what it is."""

    async def use(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(_organization("one"))
            assert await session.organizations.delete("org_one") is True
            assert repr(session) == "<Session>"
        assert repr(database) == f"<Database {database.address}>"
        assert PASSWORD not in repr(database)

    place.run(use)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_locked_file_is_told(place: Place) -> None:
    """When another program keeps a SQLite database locked for too long, the store says that it is unavailable."""

    async def use(database: Database) -> None:
        async with database._writers.connect() as connection:
            # Not ten seconds: the same connection is used again.
            await connection.execute(text("PRAGMA busy_timeout=1"))
        async with place.open() as other, other.writing():
            with pytest.raises(StoreUnavailableError, match="locked") as refused:
                await _add(database, "one")
            assert str(place.directory) not in str(refused.value)
        await _add(database, "two")
        assert await _names(database) == {"two"}

    place.run(use)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_locked_server_is_told(place: Place) -> None:
    """When another program writes to a PostgreSQL database for too long, the store says that it is unavailable."""

    async def use(database: Database) -> None:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                connection = await stack.enter_async_context(database._writers.connect())
                await connection.execute(text("SET lock_timeout = '1ms'"))
                await connection.commit()
        async with place.open() as other, other.writing():
            with pytest.raises(StoreUnavailableError, match="lock timeout") as refused:
                await _add(database, "one")
            assert PASSWORD not in str(refused.value)
        await _add(database, "two")
        assert await _names(database) == {"two"}

    place.run(use)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_lost_connection_is_told(place: Place) -> None:
    """A connection that the server ends within a transaction is told, and the next transaction has another one."""

    async def write(database: Database) -> None:
        async with database.writing() as session:
            await session.organizations.add(_organization("one"))
            await _end_writers(database)
            await session.organizations.list()

    async def use(database: Database) -> None:
        with pytest.raises(StoreUnavailableError) as refused:
            await write(database)
        assert PASSWORD not in str(refused.value)
        await _add(database, "two")
        assert await _names(database) == {"two"}

    place.run(use)


async def _end_writers(database: Database) -> None:
    """Let the server end the connection that is within a transaction."""
    async with database._readers.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction'"
            )
        )


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that the test may stop."""
    with Server() as server:
        yield server


def test_a_stopped_server_is_told_and_found_again(own_server: Server, tmp_path: Path) -> None:
    """While PostgreSQL is stopped the store is unavailable, without a word of its address, and then it goes on."""
    place = Place(own_server.url("postgres"), tmp_path)
    asyncio.run(upgrade(place.url, place.directory))

    async def use(database: Database) -> None:
        await _add(database, "one")
        assert await _names(database) == {"one"}
        await asyncio.to_thread(own_server.stop)
        for transaction in (_names(database), _add(database, "two"), place.open().__aenter__()):
            with pytest.raises(StoreUnavailableError) as refused:
                await transaction
            assert PASSWORD not in str(refused.value)
            assert own_server.url("postgres").rpartition("=")[2] not in str(refused.value)
        await asyncio.to_thread(own_server.start)
        await _add(database, "three")
        assert await _names(database) == {"one", "three"}

    place.run(use)


_WELCOME = b"R\0\0\0\x08\0\0\0\0" + b"S\0\0\0\x16server_version\x0016\0" + b"Z\0\0\0\x05I"
"""AuthenticationOk, ParameterStatus, ReadyForQuery (https://www.postgresql.org/docs/current/protocol-message-formats.html)."""


def test_a_connection_lost_before_it_is_set_up_is_told() -> None:
    """Whoever connects while the first connection is being looked at has one that may be gone before it is used."""
    came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
        writer.write(_WELCOME)
        came.put_nowait((reader, writer))

    async def main(directory: str) -> None:
        server = await asyncio.start_unix_server(welcome, f"{directory}/.s.PGSQL.5432")
        address = PostgreSQLAddress(f"postgresql://postgres:{PASSWORD}@/name?host={directory}")
        database = Database(address, engines.readers(address), engines.writers(address))
        first = asyncio.ensure_future(_names(database))
        questions, answers = await came.get()
        await questions.readexactly(1)
        second = asyncio.ensure_future(_names(database))
        its_questions, its_answers = await came.get()
        its_answers.write_eof()
        assert await its_questions.read() == b""
        answers.close()
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailableError, StoreUnavailableError]
        its_answers.close()
        await database.close()
        server.close()
        await server.wait_closed()

    # The path of a socket must be short.
    with TemporaryDirectory() as directory:
        asyncio.run(main(directory))


def test_a_place_that_is_no_directory_is_told(tmp_path: Path) -> None:
    """A SQLite database that cannot be there is told without its path."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="unable to open") as refused:
        Place("sqlite", tmp_path / "file").run(_names)
    assert str(tmp_path) not in str(refused.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """A file with something else in it is told as it is, and left as it is."""
    (tmp_path / "sluicegate.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreUnavailableError, match="not a database"):
        Place("sqlite", tmp_path).run(_names)
    assert (tmp_path / "sluicegate.db").read_bytes() == b"not a database" * 100


def test_an_empty_database_is_not_used(empty_place: Place) -> None:
    """A database without tables is refused: to open it does not make them."""
    empty_place.execute("SELECT 1")
    with pytest.raises(OutdatedDatabaseError, match="version none"):
        empty_place.run(_names)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """To open a SQLite database does not make one."""
    with pytest.raises(StoreUnavailableError, match="unable to open"):
        Place("sqlite", tmp_path).run(_names)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("version", "error"), [("0001", OutdatedDatabaseError), ("9999", NewerDatabaseError)])
def test_a_database_of_another_version_is_not_used(place: Place, version: str, error: type[Exception]) -> None:
    """A database of an older or a newer program is refused, and left alone."""
    place.execute(f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(error, match=version):
        place.run(_names)
    assert place.execute("SELECT version_num FROM alembic_version") == [(version,)]


@pytest.mark.parametrize("error", [ConnectionResetError("canary"), TimeoutError()])
def test_a_broken_connection_is_told(error: OSError) -> None:
    """What drivers let through of the network below them is told as unavailability."""
    with pytest.raises(StoreUnavailableError, match=r"does not answer: (canary|TimeoutError)"), unavailable():
        raise error


def test_mistakes_are_told_as_they_are(place: Place) -> None:
    """A statement that is wrong is no unavailability: whoever waits for it to pass would wait forever."""

    async def use(database: Database) -> None:
        with pytest.raises(DBAPIError):
            async with database.writing() as session:
                await _audit_twice(session)

    place.run(use)


async def _audit_twice(session: Session) -> None:
    """Write two entries of the same number, as only a defect would."""
    await session.audit.append(_draft())
    await session.audit._connection.execute(text("UPDATE heads SET sequence = 0"))
    await session.audit.append(_draft())
