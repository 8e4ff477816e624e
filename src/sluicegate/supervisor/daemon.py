"""Going into the background, and telling whoever started it how that went.

Forking comes before everything else: no thread, no child and no open file but the standard streams exists yet.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

Report = Callable[[int, str], None]
"""Told once how the start went: the exit status the starter shall have, 0 if the node is ready, and a text for it."""

_LOST = 2
"""Exit status when the background process ended without a word."""


def report_here(status: int, text: str) -> None:
    """Report of a supervisor that stays in the foreground."""
    stream = sys.stderr if status else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def log_path(named: str | None) -> Path:
    """The absolute path of a daemon's log, by the name that was given for it, if any."""
    return Path(named or "sluicegate.log").absolute()


def detach(log_file: Path) -> Report:
    """Go on as a daemon that writes to `log_file`; the calling process waits for the report and exits with it.

    Raises OSError, still in the foreground, where the file cannot be written.
    """
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    listening, telling = os.pipe()
    if os.fork():
        os.close(telling)
        _exit_as_told(listening, log_file)
    os.setsid()
    # A second time, so that no terminal can become ours: only a session's leader can get one.
    if os.fork():
        os._exit(0)
    os.close(listening)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, stream in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, stream)
    os.close(null)
    os.close(log)

    def report(status: int, text: str) -> None:
        try:
            os.write(telling, json.dumps([status, text]).encode())
        except BrokenPipeError:
            # Whoever started us was impatient and left; the log has it all.
            pass
        finally:
            os.close(telling)

    return report


def _exit_as_told(listening: int, log_file: Path) -> NoReturn:
    with open(listening, "rb") as stream:
        told = stream.read()
    status, text = json.loads(told) if told else (_LOST, f"the gateway ended while it started; see {log_file}")
    report_here(status, text)
    # No clean-up by the interpreter: everything it could clean up belongs to the daemon.
    sys.stdout.flush()
    os._exit(status)
