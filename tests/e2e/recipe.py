"""A recipe of `examples/`, started and walked by its own words."""

import re
import shlex
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.documents import commands, fenced
from tests.e2e.polling import PATIENCE
from tests.e2e.program import Gateway, environment
from tests.e2e.scripted import ScriptedProvider, chunked, sized
from tests.rules.project import ROOT

_END = "--end-of-command--"


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit status."""

    command: str
    status: int
    output: str


class Upstream(ScriptedProvider):
    """A provider that answers chat completions, as a stream where that is asked for."""

    def __init__(self) -> None:
        """Start to listen."""
        super().__init__(self._answer)

    @staticmethod
    def _answer(connection: socket.socket, request: bytes) -> None:
        found = re.search(rb'"model": ?"([^"]*)"', request)
        model = found[1] if found else b""
        if b'"stream"' in request:
            connection.sendall(chunked(b'data: {"model":"%b","choices":[]}\n\n' % model, b"data: [DONE]\n\n"))
        else:
            connection.sendall(sized(b'{"object":"chat.completion","model":"%b","choices":[]}' % model))


@dataclass(frozen=True)
class Recipe:
    """One folder of `examples/`, copied to where it is tried."""

    explained: str
    folder: Path
    variables: Mapping[str, str]

    @classmethod
    def of(cls, name: str, folder: Path, **variables: str) -> "Recipe":
        """Copy it; `variables` are those that its user exports."""
        source = ROOT / "examples" / name
        shutil.copytree(source, folder, dirs_exist_ok=True)
        path = f"{sysconfig.get_path('scripts')}:{environment()['PATH']}"
        return cls((source / "README.md").read_text("utf-8"), folder, {**variables, "PORT": "0", "PATH": path})

    @property
    def commands(self) -> list[str]:
        """All that its user types, but for the start and what stands within a sentence."""
        typed = [one for block in fenced(self.explained, "sh") for one in commands(f"```sh\n{block}```\n")]
        return [one for one in typed if not one.startswith("sluicegate serve ")]

    def start(self, *flags: str) -> Gateway:
        """Start it as it says, with more flags."""
        [command] = [one for one in commands(self.explained) if one.startswith("sluicegate serve ")]
        return Gateway(self.folder, command=[*shlex.split(command), *flags], variables=self.variables)

    def walk(self, gateway: Gateway, steps: Sequence[str], *, given: str = "") -> list[Done]:
        """Type commands into one shell, with this gateway's address in place of the one written there.

        `given` is their standard input.
        """
        address = f"http://127.0.0.1:{gateway.port}"
        here = [re.sub(r"http://127\.0\.0\.1:(?:8080|8081|3000)", address, step) for step in steps]
        script = "".join(f"{step}\nprintf '\\n%s %d\\n' {_END} $?\n" for step in here)
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env={**environment(), **self.variables, "MANAGE_API_BASE_URL": address},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE * len(steps),
        )
        outputs = re.findall(rf"(.*?)\n{_END} (\d+)\n", done.stdout, re.DOTALL)
        assert len(outputs) == len(steps), done
        return [Done(step, int(status), text) for step, (text, status) in zip(steps, outputs, strict=True)]
