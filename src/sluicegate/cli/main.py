"""The entry point: which commands there are, and the one asked for loaded, the others only listed."""

import errno
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_group_from_info
from typer.models import TyperInfo

from sluicegate import __version__


class Command(NamedTuple):
    """One row of the table below: `target` is "module:attribute", a Typer function or a `typer.Typer` group."""

    name: str
    target: str
    summary: str


COMMANDS = (
    Command("serve", "sluicegate.cli.serve:serve", "Start the gateway."),
    Command("stop", "sluicegate.cli.stop:stop", "Stop a gateway that runs in the background."),
    Command("health", "sluicegate.cli.health:health", "Ask a running gateway how it is."),
    Command("config", "sluicegate.cli.config:app", "Check, show and compare configurations."),
    Command("route", "sluicegate.cli.route:app", "Explain where requests would go, without sending any."),
    Command("secrets", "sluicegate.cli.secrets:app", "Look after the keys that encrypt secrets in the database."),
    Command("manage", "sluicegate.cli.manage:app", "Manage tenants and tokens of a running gateway."),
    Command("db", "sluicegate.cli.db:app", "Upgrade, back up and restore the database."),
    Command("audit", "sluicegate.cli.audit:app", "Show and verify the audit log."),
    Command("events", "sluicegate.cli.events:app", "Print the events of requests as JSON lines."),
    Command("dispatcher", "sluicegate.cli.dispatcher:app", "Feed a sink from a process of its own."),
    Command("prices", "sluicegate.cli.prices:app", "Show what models cost, and find those without a price."),
    Command("mock", "sluicegate.cli.mock:mock", "Start a mock provider, to try things without a key."),
    Command("benchmark", "sluicegate.cli.benchmark:benchmark", "Measure latency and throughput of a gateway."),
)
"""All commands, in the order in which `--help` lists them."""

# Typer's decorated help needs rich, which takes longer to import than everything else `--help` does.
_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}


_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(arguments: Sequence[str] | None = None, *, commands: Sequence[Command] = COMMANDS) -> None:
    """Run one command, by default the one of `sys.argv`, and exit: 0 when it worked, 2 when it was asked wrongly."""
    _prepare_streams()
    try:
        _run(sys.argv[1:] if arguments is None else list(arguments), commands)
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        typer.echo(f"error: standard output: {error.strerror}", err=True)
        raise SystemExit(1) from None
    finally:
        _give_up_what_nobody_takes()


def _run(given: list[str], commands: Sequence[Command]) -> None:
    asked = next((command for command in commands if given[:1] == [command.name]), None)
    if asked is None:
        _overview(commands)(given, prog_name="sluicegate")
    else:
        # Not as a part of the overview: parsing its options takes pydantic, 60 ms that `COMMAND --help` need not spend.
        # For the same reason a group is not asked for a command that is named right behind it.
        command, depth = _alone(asked), 1
        while isinstance(command, TyperGroup) and given[depth : depth + 1] and given[depth] in command.commands:
            command, depth = command.commands[given[depth]], depth + 1
        command(given[depth:], prog_name=" ".join(["sluicegate", *given[:depth]]))


def _prepare_streams() -> None:
    """Have all of them, and such as write a name in whatever letters: `\\xe9` where there is no é."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Else the next file or socket that is opened would be this stream.
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _give_up_what_nobody_takes() -> None:
    """Python would try to write it once more at the end, and complain of that in its own way."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _overview(commands: Sequence[Command]) -> typer.Typer:
    """What there is without a command: the list of all, `--version`, and the answer to a name that does not exist."""
    app = typer.Typer(help="A self-hosted gateway in front of LLM providers.", no_args_is_help=True, **_PLAIN)
    app.callback()(_options)
    for command in commands:
        app.command(command.name, short_help=command.summary)(_listed)
    return app


def _alone(command: Command) -> Callable[..., Any]:
    """The one command as a program of its own."""
    module, _, attribute = command.target.partition(":")
    target: typer.Typer | Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    if isinstance(target, typer.Typer):
        return get_group_from_info(
            TyperInfo(target), pretty_exceptions_short=False, suggest_commands=True, rich_markup_mode=None
        )
    app = typer.Typer(**_PLAIN)
    app.command()(target)
    return app


def _listed() -> None:
    """Stands for a command in the list, so that listing it imports nothing."""


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sluicegate {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """What may stand instead of a command's name."""
