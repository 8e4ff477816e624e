"""`sluicegate audit`: read the audit log in the database, and check that nobody has tampered with it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sluicegate.cli.db import ConfigFile, DataDir, load_or_exit, or_exit

if TYPE_CHECKING:
    from sluicegate.domain.audit import Break, Chain
    from sluicegate.domain.tenants import AuditEntry
    from sluicegate.store.database import Session

app = typer.Typer(no_args_is_help=True, help="Show and verify the audit log.")

Result = TypeVar("Result")

BROKEN = 1
"""Exit status where the chain of entries does not hold."""


@app.command()
def verify(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Follow the chain of hashes from the first entry to the last: exit status 0, or 1 and where it first breaks."""
    from sluicegate.domain.audit import Break

    async def followed(session: "Session") -> "Chain | Break":
        return await session.audit.verify()

    found = _read(followed, config, data_dir)
    if isinstance(found, Break):
        typer.echo(f"broken: entry {found.sequence} {found.reason}", err=True)
        raise typer.Exit(BROKEN)
    typer.echo(f"intact: {found.sequence} entries, the last hash is {found.hash.hex()}")


@app.command("list")
def show(
    limit: Annotated[int, typer.Option(min=1, help="How many entries, the newest.")] = 50,
    actor: Annotated[str | None, typer.Option(help="Only what this one did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this, for example token.create.")] = None,
    target: Annotated[str | None, typer.Option(help="Only what was done to the object of this id.")] = None,
    organization: Annotated[str | None, typer.Option(help="Only what was done in this organisation.")] = None,
    search: Annotated[str | None, typer.Option(help="Only entries with this text in them, in any case.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with everything.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print entries, the newest last."""

    from sluicegate.domain.audit import AuditFilter

    wanted = AuditFilter(actor=actor, action=action, target_id=target, organization_id=organization, search=search)

    async def listed(session: "Session") -> "list[AuditEntry]":
        return await session.audit.list(wanted, limit=limit)

    tell = _as_json if json else _as_text
    for entry in reversed(_read(listed, config, data_dir)):
        typer.echo(tell(entry))


def _as_text(entry: "AuditEntry") -> str:
    at = datetime.fromtimestamp(entry.at / 1000, UTC)
    who = f"{entry.actor_kind} {entry.actor}" + (f" from {entry.address}" if entry.address else "")
    return f"{entry.sequence}  {at:%Y-%m-%dT%H:%M:%SZ}  {entry.action}  {entry.target_id}  by {who}"


def _as_json(entry: "AuditEntry") -> str:
    import msgspec

    at = datetime.fromtimestamp(entry.at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    hashes = {"previous_hash": entry.previous_hash.hex(), "hash": entry.hash.hex()}
    return msgspec.json.encode({**fields, "at": at, **hashes}).decode()


def _read(read: "Callable[[Session], Awaitable[Result]]", config: ConfigFile, data_dir: DataDir) -> Result:
    """Read the database of this configuration, or say why not and leave."""
    import asyncio

    from sluicegate.store.database import Database

    compiled = load_or_exit(config, data_dir)

    async def opened() -> Result:
        database = await Database.open(compiled.settings.database_url, compiled.server.data_dir)
        try:
            async with database.reading() as session:
                return await read(session)
        finally:
            await database.close()

    return or_exit(lambda: asyncio.run(opened()))
