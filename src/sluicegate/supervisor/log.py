"""The supervisor's own log lines, in the shape of the other processes': JSON, or readable on a terminal.

Written by hand: the standard library's logging would double what this process takes in memory, and structlog is no part
of it.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TextIO


class Log:
    """Writes lines to one stream."""

    __slots__ = ("_now", "_stream", "_terminal")

    def __init__(self, stream: TextIO, *, now: Callable[[], datetime]) -> None:
        """`now` tells the time in UTC."""
        self._stream = stream
        self._now = now
        self._terminal = stream.isatty()

    def __repr__(self) -> str:
        """Tell the form of the lines."""
        return f"<Log {'text' if self._terminal else 'json'}>"

    def __call__(self, level: str, event: str, **fields: object) -> None:
        """Write a line. A stream that takes none, as of a closed terminal, must not stop the node."""
        moment = self._now()
        if self._terminal:
            rest = "".join(f" {name}={value}" for name, value in fields.items())
            text = f"{moment:%H:%M:%S} {level:<7} {event}{rest}"
        else:
            stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            text = json.dumps({"timestamp": stamp, "level": level, "process": "supervisor", "event": event, **fields})
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except OSError:
            pass
