"""A program under measurement: started in a directory of its own, waited for, ended with all its children."""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sluicegate.bench.peers.base import Launch
from sluicegate.bench.request import Target

_PROBE_PAUSE = 0.005
_PROBE_PATIENCE = 2.0
_MERCY = 10.0
"""Seconds a program has to end by itself."""
_LOG_SHOWN = 2000
"""Characters of a program's last words that an error repeats."""


class StartError(Exception):
    """A program that ended or did not become ready in time."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that is answered with 200 by a program that is ready."""

    target: Target
    request: bytes
    ssl_context: ssl.SSLContext | None = None


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
    probe: Probe,
    *,
    environment: Mapping[str, str],
    mercy: float = _MERCY,
) -> AsyncIterator[Program]:
    """Start, wait until `probe` is answered with 200, and end it afterwards. Raises StartError."""
    log = directory / "output.log"
    _prepare(directory, launch.files)
    began = time.perf_counter()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *launch.command,
            cwd=directory,
            env={**environment, **launch.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not await _is_answered(probe):
            if process.returncode is not None or time.perf_counter() - began > launch.patience:
                raise StartError(f"{launch.command[0]} did not become ready: {_last_words(log)}")
            await asyncio.sleep(_PROBE_PAUSE)
        yield Program(process.pid, time.perf_counter() - began)
    finally:
        await _end(process, mercy)


def _prepare(directory: Path, files: Mapping[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text, "utf-8")


def _last_words(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-_LOG_SHOWN:].strip() or "it said nothing"


async def _is_answered(probe: Probe) -> bool:
    target = probe.target
    try:
        async with asyncio.timeout(_PROBE_PATIENCE):
            reader, writer = await asyncio.open_connection(target.host, target.port, ssl=probe.ssl_context)
            try:
                writer.write(probe.request)
                return (await reader.read(64)).startswith(b"HTTP/1.1 200")
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False


async def _end(process: asyncio.subprocess.Process, mercy: float) -> None:
    """Ask the program to end, and make all that is left of its process group end."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(mercy):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
