"""`sluicegate stop`: end a gateway that runs in the background."""

import os
import select
import signal
from pathlib import Path
from typing import Annotated

import typer

NOT_RUNNING = 1
STILL_RUNNING = 3

_TIMEOUT = 60.0
"""Seconds; the usual drain time, what comes after it, and as much again."""

_DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="SLUICEGATE_DATA_DIR", help="Data directory of the gateway.")
]
_PidFile = Annotated[
    Path | None, typer.Option("--pid-file", help="Its file with the process id, in place of the data directory's.")
]
_Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for requests under way.")]


def stop(data_dir: _DataDir = Path("data"), pid_file: _PidFile = None, timeout: _Timeout = _TIMEOUT) -> None:
    """Stop the gateway and wait for its end: exit status 0, 1 if none runs, 3 if it still stops after the timeout."""
    from sluicegate.supervisor.pid_file import running_process
    from sluicegate.supervisor.run_directory import PID_FILE

    path = pid_file or data_dir / "run" / PID_FILE
    try:
        process = running_process(path)
        watched = None if process is None else os.pidfd_open(process)
        # Asked again with the process held: its number cannot have been given to another meanwhile.
        if watched is None or running_process(path) != process:
            raise ProcessLookupError
        signal.pidfd_send_signal(watched, signal.SIGTERM)
    except ProcessLookupError:
        typer.echo(f"no gateway runs: nobody holds {path}", err=True)
        raise typer.Exit(NOT_RUNNING) from None
    except OSError as error:
        typer.echo(f"cannot stop it: {error}", err=True)
        raise typer.Exit(NOT_RUNNING) from None
    if not _has_ended(watched, timeout):
        typer.echo(f"process {process} has been told to stop, but still runs after {timeout:g} s", err=True)
        raise typer.Exit(STILL_RUNNING)
    typer.echo(f"stopped process {process}")


def _has_ended(watched: int, timeout: float) -> bool:
    """Wait for the end of a process, given by its descriptor, at most `timeout` seconds."""
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    return bool(poll.poll(timeout * 1000))
