"""`sluicegate secrets`: look after the keys that encrypt secrets in the database, also while the gateway runs."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from sluicegate.config.compile import Compiled
    from sluicegate.control.secrets.upkeep import KeyStatus, Upkeep

app = typer.Typer(no_args_is_help=True, help="Look after the keys that encrypt secrets in the database.")

_INCOMPLETE = 1
"""Exit status where something in the database cannot be opened with the keys there are."""
_REFUSED = 2
"""Exit status where nothing was done: an invalid configuration, no database, not the right key."""

_File = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file; else SLUICEGATE_CONFIG, ./sluicegate.yaml, or the environment alone.",
        show_default=False,
    ),
]
_DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Another data directory than the configured.", show_default=False)
]
_Now = Annotated[bool, typer.Option("--now", help="Do not wait a day: nothing was sealed since the rotation.")]

Result = TypeVar("Result")


@app.command()
def status(config: _File = None, data_dir: _DataDir = None) -> None:
    """Show the keys by their ids: exit status 0, or 1 where one that is needed is not there."""

    async def show(upkeep: "Upkeep") -> None:
        keys = await upkeep.status()
        typer.echo(f"keys in {upkeep.source}: {sum(key.is_here for key in keys)}")
        for key in keys:
            typer.echo(_described(key))
        if not all(key.is_here for key in keys):
            raise typer.Exit(_INCOMPLETE)

    _run(show, config, data_dir)


@app.command()
def rotate(config: _File = None, data_dir: _DataDir = None) -> None:
    """Encrypt every secret with a new key: exit status 0, or 1 where some could not be read.

    It can be ended at any moment and begun again.
    """

    async def turn(upkeep: "Upkeep") -> None:
        from sluicegate.control.tenants.actor import Actor

        done = await upkeep.rotate(Actor("system", "sluicegate secrets rotate", "root"))
        for reason in done.unreadable:
            typer.echo(f"left as it is: {reason}", err=True)
        typer.echo(f"sealed with the key {done.key_id}: {done.resealed} secrets")
        if done.unreadable:
            raise typer.Exit(_INCOMPLETE)

    _run(turn, config, data_dir)


@app.command()
def forget(config: _File = None, data_dir: _DataDir = None, now: _Now = False) -> None:
    """Remove keys from the file that nothing is encrypted with, a day after the rotation at the earliest."""

    async def clear(upkeep: "Upkeep") -> None:
        forgotten = await upkeep.forget(is_urgent=now)
        typer.echo(f"forgotten: {' '.join(forgotten) or 'none'}")

    _run(clear, config, data_dir)


def _described(key: "KeyStatus") -> str:
    words = ["seals"] if key.is_first else []
    if not key.is_here:
        words.append("is needed and missing")
    elif key.is_used:
        words.append("in use")
    elif not key.is_first:
        words.append("not used any more")
    if key.since is not None:
        words.append(f"since {datetime.fromtimestamp(key.since, UTC):%Y-%m-%dT%H:%M:%SZ}")
    return f"{key.id}  {', '.join(words)}"


def _run(work: Callable[["Upkeep"], Awaitable[Result]], config: Path | None, data_dir: Path | None) -> Result:
    """Do it on the database of this configuration, or say why not and leave."""
    import asyncio
    import secrets

    from sluicegate.control.secrets.master_key import MasterKeyError
    from sluicegate.control.secrets.upkeep import Upkeep
    from sluicegate.store.database import Database
    from sluicegate.store.errors import StoreError

    compiled = _load_or_exit(config, data_dir)
    setting = compiled.settings.master_key

    async def run() -> Result:
        database = await Database.open(compiled.settings.database_url, compiled.server.data_dir)
        try:
            return await work(
                Upkeep(
                    database,
                    None if setting is None else setting.get_secret_value(),
                    compiled.server.data_dir,
                    random=secrets.token_bytes,
                    now=lambda: datetime.now(UTC).timestamp(),
                )
            )
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (MasterKeyError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_REFUSED) from None


def _load_or_exit(config: Path | None, data_dir: Path | None) -> "Compiled":
    from sluicegate.config.environment import process_environment
    from sluicegate.config.layers import Overrides
    from sluicegate.config.load import load
    from sluicegate.config.problem import ConfigurationError
    from sluicegate.config.source import chosen_file
    from sluicegate.dialects.table import DIALECTS

    environment = process_environment()
    file = chosen_file(config, environment)
    try:
        return load(file, environment, Overrides(data_dir=data_dir), dialects=DIALECTS)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_REFUSED) from None
