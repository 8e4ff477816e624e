"""The real program, as a user runs it: only its command line, its output and its port are known here."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sluicegate.config.environment import process_environment
from tests.e2e.polling import PATIENCE, eventually
from tests.e2e.written import lines

SLUICEGATE = (sys.executable, "-P", "-m", "sluicegate")
TOKEN = "sk-test-0123456789abcdef0123456789abcdef"
MODEL = "gpt-4o-mini"
QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


def run(*arguments: str, seconds: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*SLUICEGATE, *arguments], capture_output=True, text=True, timeout=seconds, check=False, env=environment()
    )


def environment() -> dict[str, str]:
    """What of this machine's environment does not configure the gateway."""
    wanted = ("PATH", "HOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    return {name: value for name, value in process_environment().items() if name in wanted}


def is_alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _took_too_long(entry: Mapping[str, Any]) -> bool:
    return entry.get("level") == "error" and entry.get("reason") == "TimeoutError"


class Status(int):
    """A status that tells, where a test fails of it, why it is no other."""

    _body: bytes

    def __new__(cls, status: int, body: bytes) -> Self:
        """Keep what came with it."""
        self = super().__new__(cls, status)
        self._body = body
        return self

    def __repr__(self) -> str:
        """Show the answer to a request that failed."""
        return f"{int(self)} {self._body[:200]!r}" if self >= 400 else str(int(self))


class Gateway:
    """A started `sluicegate serve` in the foreground."""

    def __init__(self, directory: Path, *flags: str, variables: Mapping[str, str], command: Sequence[str] = ()) -> None:
        """Start it; its output goes to files in `directory`. `command` starts it there, as a user's shell would."""
        self._out, self._log = directory / "stdout", directory / "stderr"
        self.data = directory / "data"
        self._is_job = bool(command)
        started = command or [*SLUICEGATE, "serve", f"--data-dir={self.data}"]
        with self._out.open("wb") as out, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*started, *flags],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={**environment(), **variables},
                cwd=directory if command else None,
                process_group=0 if command else None,
            )
        self.supervisor = self._process.pid
        self._open: list[HTTPConnection | HTTPResponse] = []

    def __repr__(self) -> str:
        """Show what it has printed, for the messages of failed tests."""
        return f"<Gateway {self._out.read_text()}\n{self._log.read_text()}>"

    def __enter__(self) -> Self:
        """Wait until it is ready."""
        with ExitStack() as undo:
            undo.callback(self.end)
            self.until_ready()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing of it."""
        self.end()

    def until_ready(self) -> "Gateway":
        """Wait for the announcement."""
        eventually(lambda: "is ready" in self._out.read_text() or self._process.poll() is not None)
        assert "is ready" in self._out.read_text(), repr(self)
        return self

    def announced(self, name: str) -> str:
        """The value of one row of the announcement."""
        rows = [text.split(maxsplit=1) for text in self._out.read_text().splitlines()]
        return next(row[1] for row in rows if len(row) == 2 and row[0] == name)

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._out.read_text()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.announced("address").split()[0].rpartition(":")[2])

    def logged(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log lines of this event with these fields, so far."""
        entries = self._entries()
        return [entry for entry in entries if entry.get("event") == event and fields.items() <= entry.items()]

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the journal, so far; one that is still being written is left out."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.data / "events").glob("*.jsonl")):
            # What a process that is no more has left empty is removed at any moment.
            with suppress(FileNotFoundError):
                found += map(json.loads, lines(path))
        return found

    def events(self) -> list[dict[str, Any]]:
        """The final events of the journal, so far."""
        return [line for line in self.lines() if line["kind"] == "exchange"]

    def event(self, request_id: str) -> dict[str, Any]:
        """Wait for the final event of a request."""
        return eventually(lambda: [one for one in self.events() if one["request_id"] == request_id])[0]

    def errors(self) -> list[dict[str, Any]]:
        """The log lines that tell of something wrong, so far; what merely took too long is waited for to be over."""
        eventually(lambda: not self._late())
        return [entry for entry in self._entries() if entry.get("level") == "error" and not _took_too_long(entry)]

    def _late(self) -> Counter[str]:
        """What took too long and is not over yet, of processes that live."""
        late: Counter[str] = Counter()
        for entry in self._entries():
            event = str(entry.get("event"))
            if event == "process died":
                # Nobody will say that it is over.
                late = Counter(
                    {key: number for key, number in late.items() if not key.startswith(f"{entry['name']}: ")}
                )
            elif _took_too_long(entry):
                late[f"{entry['process']}: over: {event}"] += 1
            else:
                late -= Counter([f"{entry.get('process')}: {event}"])
        return late

    def _entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in lines(self._log) if line.startswith("{")]

    def process(self, name: str) -> int:
        """The id of the process of this name that was started last."""
        return int(self.logged("process started", name=name)[-1]["pid"])

    def processes(self) -> list[int]:
        """The ids of all processes that were ever started, the supervisor first."""
        return [self.supervisor, *(int(entry["pid"]) for entry in self.logged("process started"))]

    def kill(self, name: str) -> int:
        """Kill a process and wait until its successor is ready; return the successor's id."""
        before, killed = len(self.logged("process is ready", name=name)), self.process(name)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: len(self.logged("process is ready", name=name)) > before)
        return self.process(name)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self._process.send_signal(number)

    def interrupt(self) -> None:
        """Do what Ctrl-C does: signal every process of the job that `command` is."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; return the exit status."""
        return self._process.wait(seconds)

    def end(self) -> None:
        """Close and kill whatever is left."""
        for thing in self._open:
            thing.close()
        if self._process.poll() is None:
            if self._is_job:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
        for process in self.processes()[1:]:
            if is_alive(process):
                os.kill(process, signal.SIGKILL)

    def connection(self, seconds: float = PATIENCE) -> HTTPConnection:
        """A new connection to it, closed at the latest by `end`."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        self._open.append(connection)
        return connection

    def ask(self, connection: HTTPConnection, token: str = TOKEN) -> HTTPResponse:
        """Send a chat completion and wait for the head of its answer."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(QUESTION), headers)
        return connection.getresponse()

    def stream(self, connection: HTTPConnection, *, seconds: float = 0.0, model: str = MODEL) -> HTTPResponse:
        """Send a streamed chat completion that takes so long, and wait for the head and the first event."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        headers |= {"x-mock-tokens": str(int(seconds * 20)), "x-mock-rate": "20"}
        question = {**QUESTION, "model": model, "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(question), headers)
        response = connection.getresponse()
        self._open.append(response)
        assert (response.status, response.readline()[:6]) == (200, b"data: ")
        return response

    def status(self, path: str = "/readyz", token: str | None = None) -> int:
        """Status of a GET on a connection of its own."""
        connection = self.connection()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        status = connection.getresponse().status
        connection.close()
        return status

    def answers(self, token: str = TOKEN) -> int:
        """Status of a chat completion on a connection of its own."""
        connection = self.connection()
        response = self.ask(connection, token)
        body = response.read()
        connection.close()
        return Status(response.status, body)
