"""`sluicegate events`: print what the workers accounted for, and notices, one JSON object a line."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sluicegate.domain.events import Exchange, Notice
    from sluicegate.events.checkpoint import Checkpoint
    from sluicegate.events.reader import Batch, SegmentReader

app = typer.Typer(no_args_is_help=True, help="Print the events of requests as JSON lines.")

_NO_EVENTS = 2
"""Exit status where there is no such directory, as of a wrong command line."""

_BATCH = 1000
"""Events read at once: some hundred kilobytes of output."""

_PAUSE = 0.2
"""Seconds between two looks: people do not notice, and the machine does not either."""

_DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="SLUICEGATE_DATA_DIR", help="Data directory of the gateway.")
]


@app.command()
def cat(data_dir: _DataDir = Path("data")) -> None:
    """Print all events that are still kept, oldest first for each worker."""
    from sluicegate.events.checkpoint import Checkpoint

    _print_from(_reader_or_exit(data_dir), Checkpoint())


@app.command()
def tail(data_dir: _DataDir = Path("data")) -> None:
    """Print events as they come, until interrupted."""
    reader = _reader_or_exit(data_dir)
    checkpoint = reader.end()
    interrupts: list[int] = []
    # Not as an exception, which may come in the middle of a line; and also where a shell's `&` has interrupts ignored.
    signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    typer.echo(f"waiting for events in {data_dir / 'events'}", err=True)
    while not interrupts:
        checkpoint = _print_from(reader, checkpoint)
        time.sleep(_PAUSE)


def _reader_or_exit(data_dir: Path) -> "SegmentReader":
    """Open the journal, or say that there is none: to make one would hide a wrong path."""
    from sluicegate.events.reader import SegmentReader

    directory = data_dir / "events"
    if not directory.is_dir():
        typer.echo(f"no events: {directory} is not a directory; name the gateway's with --data-dir", err=True)
        raise typer.Exit(_NO_EVENTS)
    return SegmentReader(directory)


def _print_from(reader: "SegmentReader", checkpoint: "Checkpoint") -> "Checkpoint":
    """Print all there is after `checkpoint`; return where that ends."""
    import msgspec

    from sluicegate.events.tail import ALL_EVENTS

    batch: Batch[Exchange | Notice]
    while True:
        batch = reader.read_as(ALL_EVENTS, checkpoint, _BATCH)
        checkpoint = batch.checkpoint
        for damage in batch.damages:
            typer.echo(f"{damage.segment}: byte {damage.offset}: {damage.reason}", err=True)
        if batch.events:
            typer.echo(msgspec.json.Encoder().encode_lines(batch.events), nl=False)
        if len(batch.events) < _BATCH:
            return checkpoint
