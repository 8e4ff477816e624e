"""What the command line asks of the supervisor. `sluicegate serve` checks it and hands it on as it is."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Orders:
    """The flags of `sluicegate serve`; None where they say nothing."""

    config: str | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    data_dir: str | None = None
    drain_seconds: float | None = None
    file_event_log: str | None = None
    demo: bool = False
    daemon: bool = False
    pid_file: str | None = None
    log_file: str | None = None
    start_seconds: float | None = None


def parse(arguments: Sequence[str]) -> Orders:
    """Read the flags. Ends the process with status 2 where they make no sense."""
    parser = argparse.ArgumentParser("sluicegate serve", allow_abbrev=False)
    parser.add_argument("--config")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--data-dir")
    parser.add_argument("--drain-seconds", type=float)
    parser.add_argument("--file-event-log")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--daemon", action="store_true")
    parser.add_argument("--pid-file")
    parser.add_argument("--log-file")
    parser.add_argument("--start-seconds", type=float)
    return Orders(**vars(parser.parse_args(arguments)))


def written(orders: Orders) -> list[str]:
    """Write the flags that `parse` reads back as `orders`."""
    flags = [*configuration_flags(orders)]
    flags += ["--demo"] * orders.demo + ["--daemon"] * orders.daemon
    return flags + _given(
        ("--pid-file", orders.pid_file), ("--log-file", orders.log_file), ("--start-seconds", orders.start_seconds)
    )


def configuration_flags(orders: Orders) -> list[str]:
    """Those of the flags that the control process lays over the configuration."""
    return _given(
        ("--config", orders.config),
        ("--host", orders.host),
        ("--port", orders.port),
        ("--workers", orders.workers),
        ("--data-dir", orders.data_dir),
        ("--drain-seconds", orders.drain_seconds),
        ("--file-event-log", orders.file_event_log),
    )


def _given(*flags: tuple[str, object]) -> list[str]:
    # As one word, so that a value may begin with a dash.
    return [f"{name}={value}" for name, value in flags if value is not None]
