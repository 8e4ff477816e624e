"""`sluicegate serve`: check the flags and turn into the supervisor."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sluicegate.supervisor.orders import Orders

_File = Annotated[
    Path | None,
    typer.Option(help="Configuration file; else SLUICEGATE_CONFIG, ./sluicegate.yaml, or the environment alone."),
]
_Host = Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")]
_Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for any free one.")]
_Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes.")]
_DataDir = Annotated[Path | None, typer.Option(help="Directory for everything the gateway keeps.")]
_Drain = Annotated[float | None, typer.Option(min=0, help="Seconds for requests under way when it is stopped.")]
_EventLog = Annotated[Path | None, typer.Option(help="Append every event to this file too, as JSON lines.")]
_Demo = Annotated[bool, typer.Option("--demo", help="Use a built-in mock provider: needs no key and no file.")]
_Daemon = Annotated[bool, typer.Option("--daemon", help="Run in the background; return once it is ready.")]
_PidFile = Annotated[Path | None, typer.Option(help="Another file for the process id, beside DATA_DIR/run.")]
_LogFile = Annotated[Path | None, typer.Option(help="Where a daemon's log goes; ./sluicegate.log if not given.")]
_Start = Annotated[
    float | None,
    typer.Option(min=0.1, help="Seconds within which it must be ready, else it gives up; 60 if not given."),
]


def serve(
    config: _File = None,
    host: _Host = None,
    port: _Port = None,
    workers: _Workers = None,
    data_dir: _DataDir = None,
    drain_seconds: _Drain = None,
    file_event_log: _EventLog = None,
    demo: _Demo = False,
    daemon: _Daemon = False,
    pid_file: _PidFile = None,
    log_file: _LogFile = None,
    start_seconds: _Start = None,
) -> None:
    """Start the gateway: exit status 0 once it was stopped, 2 where it cannot start."""
    if demo and config is not None:
        raise typer.BadParameter("--demo takes the place of a configuration: leave out one of --demo and --config")
    from sluicegate.config.environment import process_environment
    from sluicegate.supervisor.orders import Orders

    orders = Orders(
        config=_text(config),
        host=host,
        port=port,
        workers=workers,
        data_dir=_text(data_dir),
        drain_seconds=drain_seconds,
        file_event_log=_text(file_event_log),
        demo=demo,
        daemon=daemon,
        pid_file=_text(pid_file),
        log_file=_text(log_file),
        start_seconds=start_seconds,
    )
    command = supervisor_command(orders, process_environment())
    # In place of this process, which holds several megabytes for reading a command line.
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def supervisor_command(orders: "Orders", environment: Mapping[str, str]) -> list[str]:
    """The command line of the supervisor, with the configuration file that counts."""
    from dataclasses import replace

    from sluicegate.config.source import chosen_file
    from sluicegate.supervisor.commands import PYTHON
    from sluicegate.supervisor.orders import written

    if not orders.demo:
        named = None if orders.config is None else Path(orders.config)
        orders = replace(orders, config=_text(chosen_file(named, environment)))
    return [*PYTHON, "sluicegate.supervisor", *written(orders)]


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
