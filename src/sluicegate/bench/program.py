"""A program under measurement: started in a directory of its own, waited for, ended with all its children."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sluicegate.bench.peers.base import Launch
from sluicegate.bench.request import Target

_PROBE_PAUSE = 0.005
_PROBE_PATIENCE = 2.0
_LOG_SHOWN = 2000
"""Characters of a program's last words that an error repeats."""


class StartError(Exception):
    """A program that ended or did not become ready in time."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program; `ready` is how many seconds it took until it served."""

    process: int
    ready: float


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def running(
    launch: Launch,
    directory: Path,
    probe: tuple[Target, bytes],
    *,
    environment: Mapping[str, str],
    patience: float = 30.0,
) -> AsyncIterator[Program]:
    """Start, wait until `probe` (whom to ask, with which request) is answered with 200, and end it afterwards.

    Raises StartError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in launch.files.items():
        (directory / name).write_text(text, "utf-8")
    log = directory / "output.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            launch.command,
            cwd=directory,
            env={**environment, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not await _is_answered(*probe):
            if process.poll() is not None or time.perf_counter() - began > patience:
                told = log.read_text("utf-8", "replace")[-_LOG_SHOWN:]
                raise StartError(f"{launch.command[0]} did not become ready: {told.strip() or 'it said nothing'}")
            await asyncio.sleep(_PROBE_PAUSE)
        yield Program(process.pid, time.perf_counter() - began)
    finally:
        _end(process)


async def _is_answered(target: Target, request: bytes) -> bool:
    try:
        async with asyncio.timeout(_PROBE_PATIENCE):
            reader, writer = await asyncio.open_connection(target.host, target.port)
            try:
                writer.write(request)
                return (await reader.read(64)).startswith(b"HTTP/1.1 200")
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False


def _end(process: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """Ask the program to end, and make all that is left of its process group end."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
