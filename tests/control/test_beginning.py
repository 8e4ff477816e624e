"""The first part of a control process."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from sluicegate.config.problem import ConfigurationError
from sluicegate.control.beginning import Choice, begin, choose, listen, parse
from sluicegate.control.channel import Go, LineReader, Message, Plan, Refused, Reload, line
from sluicegate.control.last_good import LastGood
from sluicegate.dialects.table import DIALECTS
from sluicegate.supervisor.pulses import Pulses
from tests.control.conftest import MINIMAL, WriteSources

NOTHING = MappingProxyType[str, str]({})


@pytest.fixture
def last_good() -> Iterator[LastGood]:
    """A memory in which nothing is kept yet."""
    descriptor = os.memfd_create("test")
    yield LastGood(descriptor, dialects=DIALECTS)
    os.close(descriptor)


class Supervisor:
    """The other end of the channel, which says its word beforehand."""

    def __init__(self, directory: Path) -> None:
        self.ours, theirs = socket.socketpair()
        self.theirs = theirs.detach()
        self.memory = os.memfd_create("test")
        self.pulses = Pulses()
        self.go = Go(str(directory / "l"), str(directory / "h"))

    def flags(self, *flags: str) -> list[str]:
        """A command line."""
        return [
            *flags,
            f"--channel={self.theirs}",
            f"--last-good={self.memory}",
            f"--pulse={self.pulses.begin('control')}",
        ]

    def heard(self) -> list[Message]:
        """What control said."""
        return LineReader().feed(self.ours.recv(65_536))


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A scripted supervisor."""
    scripted = Supervisor(tmp_path)
    with scripted.ours:
        yield scripted
    os.close(scripted.memory)
    scripted.pulses.close()


@pytest.mark.parametrize("is_outdated", [False, True])
def test_process_begins(supervisor: Supervisor, write: WriteSources, tmp_path: Path, *, is_outdated: bool) -> None:
    """Control tells the plan, with absolute paths, and listens where it is told to. It remembers an early reload."""
    write(MINIMAL)
    supervisor.ours.sendall(line(Reload()) * is_outdated + line(supervisor.go))
    flags = [f"--config={tmp_path}/sluicegate.yaml", "--port=0", "--workers=3", "--drain-seconds=2", "--data-dir=d"]
    begun = begin(supervisor.flags(*flags), NOTHING, dialects=DIALECTS)
    assert begun is not None
    plan = Plan("127.0.0.1", 0, 3, None, None, str(Path.cwd() / "d"), 2.0, f"{tmp_path}/sluicegate.yaml")
    assert supervisor.heard() == [plan]
    with begun.channel, begun.link, begun.web:
        assert (begun.link.getsockname(), begun.web.getsockname()) == (supervisor.go.link, supervisor.go.http)
    assert begun.last_good.recall() == (begun.choice.started, begun.choice.current)
    assert begun.seen is not None
    assert begun.is_outdated is is_outdated


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", ["no provider is configured", "no token is declared"]),
        ("tokens: [{name: a, token: 0123456789abcdef}]", ["no provider is configured"]),
        ("providers: {ollama: {}}", ["no token is declared"]),
        ("{providers: {ollama: {}}, management_token: 0123456789abcdef0123456789abcdef}", []),
    ],
)
def test_what_nobody_can_use_is_pointed_out(
    supervisor: Supervisor, write: WriteSources, tmp_path: Path, text: str, missing: list[str]
) -> None:
    """A gateway without providers, or whom nobody may ask, starts, and says so."""
    write(text)
    supervisor.ours.shutdown(socket.SHUT_WR)
    assert begin(supervisor.flags(f"--config={tmp_path}/sluicegate.yaml"), NOTHING, dialects=DIALECTS) is None
    (plan,) = supervisor.heard()
    assert isinstance(plan, Plan)
    assert [line.partition(":")[0].partition(",")[0] for line in plan.missing.splitlines()] == missing


def test_broken_configuration_is_told(supervisor: Supervisor) -> None:
    """Every problem goes to the supervisor, and nothing begins."""
    supervisor.ours.shutdown(socket.SHUT_WR)
    assert begin(supervisor.flags("--config=/no/such.yaml"), NOTHING, dialects=DIALECTS) is None
    assert supervisor.heard() == [Refused("/no/such.yaml: cannot be read: No such file or directory")]


def test_supervisor_that_is_gone_ends_the_beginning(supervisor: Supervisor) -> None:
    """Without its word nothing is touched."""
    supervisor.ours.shutdown(socket.SHUT_WR)
    assert begin(supervisor.flags("--workers=1"), NOTHING, dialects=DIALECTS) is None
    assert not Path(supervisor.go.link).exists()


def test_demo_needs_no_file(supervisor: Supervisor) -> None:
    """A demo runs on the mock alone, with the token from the environment, whatever keys are in it."""
    supervisor.ours.sendall(line(supervisor.go))
    environment = {"SLUICEGATE_DEMO_TOKEN": "sk-sg-demo-token", "OPENAI_API_KEY": "sk-real"}
    begun = begin(supervisor.flags("--demo-url=http://127.0.0.1:1/v1"), environment, dialects=DIALECTS)
    assert begun is not None
    with begun.channel, begun.link, begun.web:
        names = [provider.name for provider in begun.choice.current.snapshot.providers]
    assert names == ["mock", "mock-anthropic", "mock-gemini"]
    assert begun.seen is None


def test_tls_files_are_told_in_full(supervisor: Supervisor, tmp_path: Path) -> None:
    """Workers get absolute paths of certificate and key."""
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("PEM")
    tls = f"{{certificate: {tmp_path}/c.pem, key: {tmp_path}/k.pem}}"
    (tmp_path / "sluicegate.yaml").write_text(f"server: {{tls: {tls}}}\n")
    supervisor.ours.shutdown(socket.SHUT_WR)
    begin(supervisor.flags(f"--config={tmp_path}/sluicegate.yaml"), NOTHING, dialects=DIALECTS)
    [plan] = supervisor.heard()
    assert isinstance(plan, Plan)
    assert (plan.certificate, plan.key) == (f"{tmp_path}/c.pem", f"{tmp_path}/k.pem")


def test_first_process_loads(write: WriteSources, last_good: LastGood) -> None:
    """The first control process of a node loads version 1, and raises where it cannot."""
    compiled = write(MINIMAL).load(1)
    assert choose(write(MINIMAL), last_good) == Choice(compiled, compiled)
    with pytest.raises(ConfigurationError):
        choose(write("nonsense: 1"), last_good)


def test_successor_comes_back_the_same(write: WriteSources, last_good: LastGood) -> None:
    """With an unchanged file, a successor has its predecessor's configuration and version."""
    started, current = write("").load(1), write(MINIMAL).load(5)
    last_good.keep(started, current)
    assert choose(write(MINIMAL), last_good) == Choice(started, current)


def test_successor_takes_a_change_it_finds(write: WriteSources, last_good: LastGood) -> None:
    """A file that was changed meanwhile comes into force as a new version; what takes a restart stays as started."""
    started = write(MINIMAL).load(1)
    last_good.keep(started, started)
    choice = choose(write(MINIMAL + "server: {workers: 4}\n"), last_good)
    assert (choice.started, choice.current.snapshot.version) == (started, 2)
    assert choice.current.server.workers == 4


def test_successor_survives_a_broken_file(write: WriteSources, last_good: LastGood) -> None:
    """With a file that is broken by now, a successor goes on with the last good configuration and says why."""
    started, current = write("").load(1), write(MINIMAL).load(5)
    last_good.keep(started, current)
    choice = choose(write("nonsense: 1"), last_good)
    assert (choice.started, choice.current) == (started, current)
    assert "nonsense" in str(choice.refused)


def test_socket_takes_the_place_of_a_predecessors(tmp_path: Path) -> None:
    """A socket that a dead process left behind is replaced; what cannot be one raises and leaves nothing open."""
    listen(tmp_path / "s").close()
    with listen(tmp_path / "s") as listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
        assert listener.getsockname() == str(tmp_path / "s")
    with pytest.raises(OSError, match="too long"):
        listen(tmp_path / ("s" * 120))


def test_command_line_must_be_whole() -> None:
    """Whoever starts a control process without a supervisor gets a usage error."""
    with pytest.raises(SystemExit, match="2"):
        parse([])
