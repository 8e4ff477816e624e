"""A program runs from when it serves until it and all its children are gone."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sluicegate.bench.peers.base import Launch
from sluicegate.bench.program import Probe, StartError, free_port, running
from sluicegate.bench.request import Target
from tests.bench.conversation import LONGEST, until

_SERVER = """
import http.server, pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
pathlib.Path("child").write_text(str(child.pid))
http.server.ThreadingHTTPServer.protocol_version = "HTTP/1.1"
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def probe(port: int) -> Probe:
    """Ask for a file that is written before the start."""
    return Probe(Target("127.0.0.1", port), b"GET /ready.txt HTTP/1.1\r\nhost: a\r\n\r\n")


def is_gone(process: int) -> bool:
    """Whether a process has ended, if perhaps not yet been collected by the one that inherits orphans."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_program_lives_as_long_as_its_block(tmp_path: Path) -> None:
    """It has its files, its directory and its environment, serves within the block, and leaves nobody behind."""

    async def run() -> None:
        port = free_port()
        launch = Launch((sys.executable, "server.py", str(port)), {"server.py": _SERVER, "ready.txt": "yes"})
        async with running(launch, tmp_path / "a", probe(port), environment={"PATH": "/bin"}) as program:
            assert program.ready > 0
            os.kill(program.process, 0)
        with pytest.raises(ProcessLookupError):
            os.kill(program.process, 0)
        async with asyncio.timeout(LONGEST):
            await until(lambda: is_gone(int((tmp_path / "a" / "child").read_text())))

    asyncio.run(run())


def test_program_that_ends_at_once(tmp_path: Path) -> None:
    """Its last words are told."""

    async def run() -> None:
        code = "import os, sys; sys.exit(os.environ['WORDS'])"
        launch = Launch((sys.executable, "-c", code), environment={"WORDS": "alas"})
        async with running(launch, tmp_path, probe(free_port()), environment={}):
            pytest.fail("it does not run")

    with pytest.raises(StartError, match="did not become ready: alas"):
        asyncio.run(run())


def test_program_that_never_serves(tmp_path: Path) -> None:
    """Patience ends, and the program with it, even one that does not want to."""

    async def run() -> None:
        # A shell begins at once, and so is deaf long before patience ends, also on a machine with much to do.
        launch = Launch(("/bin/sh", "-c", "trap '' TERM; : > deaf; exec sleep 1000"), patience=2.0)
        async with running(launch, tmp_path, probe(free_port()), environment={}, mercy=0.2):
            pytest.fail("it does not serve")

    with pytest.raises(StartError, match="it said nothing"):
        asyncio.run(run())
    assert (tmp_path / "deaf").exists()
