"""`sluicegate db`: bring the database to this version or back, back it up, and restore it."""

import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from sluicegate.config.compile import Compiled
    from sluicegate.store.upgrade import State

app = typer.Typer(no_args_is_help=True, help="Upgrade, back up and restore the database.")

OUTDATED = 1
"""Exit status of `status` where the database must be upgraded."""
REFUSED = 2
"""Exit status where nothing was done: an invalid configuration, no database, one that is in use or newer."""

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file; else SLUICEGATE_CONFIG, ./sluicegate.yaml, or the environment alone.",
        show_default=False,
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Another data directory than the configured.", show_default=False)
]
_Copy = Annotated[Path, typer.Argument(help="File of the backup.", show_default=False)]

Result = TypeVar("Result")


@app.command()
def status(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Show the database's version: exit status 0, or 1 if it must be upgraded, as every start does."""
    from sluicegate.store.upgrade import state

    found = _migrate(state, config, data_dir)
    typer.echo(f"version {found.found or 'none'}, newest {found.newest}")
    if not found.is_current:
        raise typer.Exit(OUTDATED)


@app.command()
def upgrade(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Bring the database to this program's version, making it where there is none."""
    from sluicegate.store.upgrade import upgrade

    found = _migrate(upgrade, config, data_dir)
    typer.echo(f"version {found.newest}, was {found.found or 'none'}")


@app.command()
def downgrade(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Undo the last upgrade, for the version of the program before this one. Refused while a gateway runs on it."""
    from sluicegate.store.upgrade import downgrade, state

    with _stopped(load_or_exit(config, data_dir)):
        found = _migrate(downgrade, config, data_dir)
    typer.echo(f"version {_migrate(state, config, data_dir).found}, was {found.found}")


@app.command()
def backup(copy: _Copy, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Copy a SQLite database into a new file, also while the gateway serves. The master key is not in it."""
    from sluicegate.store.backup import back_up

    compiled = load_or_exit(config, data_dir)
    size = or_exit(lambda: back_up(_sqlite_file(compiled), copy))
    typer.echo(f"backed up {size} bytes to {copy}")


@app.command()
def restore(copy: _Copy, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Put a backup in the place of a SQLite database, which is kept beside it. Refused while a gateway runs on it."""
    from sluicegate.store.backup import restore

    compiled = load_or_exit(config, data_dir)
    with _stopped(compiled):
        replaced = or_exit(lambda: restore(copy, _sqlite_file(compiled)))
    typer.echo(f"restored {copy}" + (f"; the database before is {replaced}" if replaced else ""))


@contextmanager
def _stopped(compiled: "Compiled") -> Iterator[None]:
    """Make sure that no gateway runs on the data directory, nor starts meanwhile, or leave."""
    from sluicegate.supervisor.pid_file import AlreadyRunningError, PidFile
    from sluicegate.supervisor.run_directory import PID_FILE

    run = compiled.server.data_dir / "run"

    def taken() -> PidFile:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        return PidFile(run / PID_FILE, os.getpid())

    try:
        running = or_exit(taken)
    except AlreadyRunningError as error:
        typer.echo(f"{error}; stop the gateway first", err=True)
        raise typer.Exit(REFUSED) from None
    try:
        yield
    finally:
        running.remove()


def load_or_exit(config: Path | None, data_dir: Path | None) -> "Compiled":
    """Load the configuration as `serve` would, or print the problems and leave."""
    from sluicegate.config.environment import process_environment
    from sluicegate.config.layers import Overrides
    from sluicegate.config.load import load
    from sluicegate.config.problem import ConfigurationError
    from sluicegate.config.source import chosen_file
    from sluicegate.dialects.table import DIALECTS

    environment = process_environment()
    try:
        return load(chosen_file(config, environment), environment, Overrides(data_dir=data_dir), dialects=DIALECTS)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED) from None


def or_exit(work: Callable[[], Result]) -> Result:
    """Do it, or say why the store refuses, and leave."""
    from sluicegate.store.errors import StoreError

    try:
        return work()
    except (StoreError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED) from None


def _migrate(
    work: "Callable[[str, Path], Coroutine[None, None, State]]", config: Path | None, data_dir: Path | None
) -> "State":
    import asyncio

    compiled = load_or_exit(config, data_dir)
    return or_exit(lambda: asyncio.run(work(compiled.settings.database_url, compiled.server.data_dir)))


def _sqlite_file(compiled: "Compiled") -> Path:
    """The database's file; leaves where the database is a server's."""
    from sluicegate.store.address import SQLiteAddress, parse

    address = parse(compiled.settings.database_url, compiled.server.data_dir)
    if isinstance(address, SQLiteAddress):
        return address.path
    typer.echo("this is for SQLite; of PostgreSQL, pg_dump and pg_restore make and restore backups", err=True)
    raise typer.Exit(REFUSED)
