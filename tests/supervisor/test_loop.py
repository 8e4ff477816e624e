"""The supervisor at work, on stand-ins for its processes.

It runs in this very process; a test acts when something is logged or reported, which is when it is asked.
"""

import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluicegate.control.channel import DrainChanged, Plan, Refused, line
from sluicegate.supervisor.commands import Programs
from sluicegate.supervisor.control_line import ControlLine
from sluicegate.supervisor.loop import Supervisor
from sluicegate.supervisor.node import DRAIN_MARGIN, LOOK_SECONDS
from sluicegate.supervisor.orders import Orders
from sluicegate.supervisor.pid_file import PidFile
from sluicegate.supervisor.processes import spawn
from sluicegate.supervisor.run_directory import PID_FILE

STAND_IN = (sys.executable, "-I", "-S", str(Path(__file__).with_name("stand_in.py")))

Entry = dict[str, Any]
Action = Callable[["Stage"], None]


class Stage:
    """A supervisor, its stand-ins and what it said, with the test's answers: the first one that fits each line."""

    def __init__(self, directory: Path, plan: Plan | Refused | bytes) -> None:
        """Write down what control shall say first."""
        self.directory = directory
        self.lines: list[Entry] = []
        self.reports: list[tuple[int, str]] = []
        self.on_ready: Action = Stage.stop
        self._answers: list[tuple[Entry, Action]] = []
        self._skipped = 0.0
        self.hurry: Callable[[], float] = lambda: 0.0
        """How many seconds pass when somebody looks at the clock."""
        self.programs = Programs(
            control=(*STAND_IN, "control", str(directory)), worker=(*STAND_IN, "worker"), mock=(*STAND_IN, "mock")
        )
        self.say(plan)

    def say(self, first: Plan | Refused | bytes) -> None:
        """What every control says from now on when it starts."""
        (self.directory / "plan").write_bytes(first if isinstance(first, bytes) else line(first))

    def when(self, action: Action, **entry: object) -> None:
        """Act once, when a line with these fields is logged."""
        self._answers.append((entry, action))

    def log(self, level: str, event: str, **fields: object) -> None:
        """Take a log line."""
        entry = {"level": level, "event": event, **fields}
        self.lines.append(entry)
        for answer in self._answers:
            if answer[0].items() <= entry.items():
                self._answers.remove(answer)
                answer[1](self)
                return

    def report(self, status: int, text: str) -> None:
        """Take the report."""
        self.reports.append((status, text))
        if status == 0:
            self.on_ready(self)

    def run(self, orders: Orders | None = None) -> int:
        """Run to the end."""
        self.supervisor = Supervisor(
            orders or Orders(), {}, clock=self.clock, log=self.log, report=self.report, programs=self.programs
        )
        return self.supervisor.run()

    def events(self, **entry: object) -> list[str]:
        """The lines' events, of those with these fields."""
        return [logged["event"] for logged in self.lines if entry.items() <= logged.items()]

    def processes(self, name: str) -> list[int]:
        """The processes of this name, in the order of their start."""
        return [entry["pid"] for entry in self.lines if entry["event"] == "process started" and entry["name"] == name]

    def heard(self) -> list[Entry]:
        """What the stand-ins for control were told."""
        return [json.loads(text) for text in (self.directory / "heard").read_text().splitlines()]

    def clock(self) -> float:
        """The supervisor's clock."""
        self._skipped += self.hurry()
        return time.monotonic() + self._skipped

    def skip(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._skipped += seconds

    def stop(self) -> None:
        """Stop it as a terminal or an init system does."""
        os.kill(os.getpid(), signal.SIGTERM)

    def kill(self, name: str) -> None:
        """Kill the process of this name."""
        os.kill(self.processes(name)[-1], signal.SIGKILL)


@pytest.fixture
def stage(tmp_path: Path, plan: Plan) -> Stage:
    """Set a stage where control has a plan of two workers."""
    return Stage(tmp_path, plan)


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """End a test that hangs."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    yield
    signal.alarm(0)


def test_node_starts_and_stops(stage: Stage, tmp_path: Path) -> None:
    """Control, then the workers, then the announcement; a signal ends the workers before control, with status 0."""
    assert stage.run() == 0
    assert [status for status, _ in stage.reports] == [0]
    assert "configuration  a test" in stage.reports[0][1]
    ends = [entry["name"] for entry in stage.lines if entry["event"] == "process ended"]
    assert sorted(ends[:2]) == ["worker-0", "worker-1"]
    assert ends[2:] == ["control"]
    assert list((tmp_path / "data" / "run").iterdir()) == []
    assert stage.heard()[0]["link"] == str(tmp_path / "data" / "run" / "link.sock")
    assert repr(stage.supervisor) == "<Supervisor <Node over control=down worker-0=down worker-1=down> {}>"


@pytest.mark.parametrize("name", ["control", "worker-1"])
def test_killed_process_comes_back(stage: Stage, name: str) -> None:
    """Whichever process is killed is started again and gets ready, and nothing is announced twice."""
    stage.on_ready = lambda stage: stage.kill(name)
    stage.when(lambda stage: stage.when(Stage.stop, event="process is ready", name=name), event="process died")
    assert stage.run() == 0
    assert len(stage.processes(name)) == 2
    assert len(stage.reports) == 1
    assert {"reason": "killed by SIGKILL", "restart_in": 0.0}.items() <= next(
        entry for entry in stage.lines if entry["event"] == "process died"
    ).items()


def test_process_that_hangs_is_asked_where_and_comes_back(stage: Stage, tmp_path: Path) -> None:
    """It gave a sign of life and gives none any more; control here never began to."""
    said = tmp_path / "said"
    stage.programs = replace(stage.programs, worker=(*STAND_IN, "hung", str(said)))

    def answers(stage: Stage) -> None:
        def hurry() -> float:
            while not said.exists():
                os.sched_yield()
            return LOOK_SECONDS

        stage.hurry = hurry

    def comes_back(stage: Stage) -> None:
        stage.hurry = lambda: 0.0
        stage.when(Stage.stop, event="process started", name="worker-1")

    def begin(stage: Stage) -> None:
        stage.hurry = lambda: LOOK_SECONDS

    stage.on_ready = begin
    stage.when(answers, event="process hangs, this is where", name="worker-1")
    stage.when(comes_back, event="process died", name="worker-1", reason="killed by SIGKILL")
    stage.run()
    assert len(stage.processes("worker-1")) == 2
    assert len(stage.processes("control")) == 1


def test_control_is_followed_by_one_that_is_heard(stage: Stage) -> None:
    """A restarted control gets a channel of its own, on which it is told to begin with the same sockets."""
    stage.on_ready = lambda stage: stage.kill("control")
    stage.when(lambda stage: stage.when(Stage.stop, event="process is ready", name="control"), event="process died")
    stage.run()
    first, second = stage.heard()
    assert first == second
    assert stage.events(event="control cannot be understood") == []


def test_refusal_ends_the_start(stage: Stage) -> None:
    """Why control refuses is told, and nothing else is tried."""
    stage.say(Refused("a.yaml:1: no such setting"))
    assert stage.run() == 2
    assert stage.reports == [(2, "a.yaml:1: no such setting")]
    assert len(stage.processes("control")) == 1


def test_refusal_is_not_lost_behind_another_death(stage: Stage, tmp_path: Path) -> None:
    """Control refuses and ends while the end of another process is being dealt with: its words still come first."""
    (tmp_path / "plan").unlink()
    os.mkfifo(tmp_path / "plan")

    def refuse(stage: Stage) -> None:
        stage.say(Refused("a.yaml:1: no such setting"))
        os.waitid(os.P_PID, stage.processes("control")[0], os.WEXITED | os.WNOWAIT)

    stage.when(lambda stage: stage.kill("mock"), event="process started", name="control")
    stage.when(refuse, event="process died", name="mock")
    assert stage.run(Orders(demo=True)) == 2
    assert stage.reports == [(2, "a.yaml:1: no such setting")]
    assert len(stage.processes("control")) == 1


def test_refusal_does_not_end_a_running_node(stage: Stage) -> None:
    """A control that comes back to a broken file is tried again later, and the workers run on."""

    def break_it(stage: Stage) -> None:
        stage.say(Refused("broken"))
        stage.kill("control")

    stage.on_ready = break_it
    stage.when(lambda stage: stage.when(Stage.stop, event="process died", restart_in=0.25), event="process died")
    assert stage.run() == 0
    assert stage.events(event="configuration refused") == ["configuration refused"]
    assert len(stage.processes("worker-0")) == 1


def test_address_in_use_ends_the_start(tmp_path: Path, plan: Plan) -> None:
    """The address is asked for before any worker starts, and control is not left behind."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stage = Stage(tmp_path, replace(plan, port=port))
        assert stage.run() == 2
    assert stage.reports[0][1].startswith(f"address already in use: 127.0.0.1:{port}")
    assert stage.processes("worker-0") == []
    assert stage.events(event="process ended", name="control") == ["process ended"]


def test_second_node_is_refused_before_it_harms_the_first(stage: Stage, tmp_path: Path) -> None:
    """Control is not told to begin, so that the sockets of the other node stay as they are."""
    (tmp_path / "data" / "run").mkdir(parents=True)
    held = PidFile(tmp_path / "data" / "run" / PID_FILE, 4711)
    assert stage.run() == 2
    assert "already running as process 4711" in stage.reports[0][1]
    assert not (tmp_path / "heard").exists()
    held.remove()


def test_worker_that_cannot_start_ends_the_start(stage: Stage) -> None:
    """Three deaths in a row before the node was ready: status 2, and where to look."""
    stage.programs = replace(stage.programs, worker=(*STAND_IN, "die"))
    assert stage.run() == 2
    [(status, text)] = stage.reports
    assert status == 2
    assert re.fullmatch(
        r"worker-\d ended 3 times in a row while it started, the last time with: exit status 3;"
        r" the log lines above say more",
        text,
    )
    assert "process cannot be started" in stage.events()


def test_missing_program_ends_the_start(stage: Stage) -> None:
    """A program that cannot even be started is treated as one that dies at once."""
    stage.programs = replace(stage.programs, control=("/nonexistent/program",))
    assert stage.run() == 2
    assert "cannot be started" in str(stage.lines)


def test_workers_that_cannot_be_started_end_the_start(stage: Stage) -> None:
    """Those that come to be started after the one that ends the start are not there to be stopped, nor missed."""
    stage.programs = replace(stage.programs, worker=("/nonexistent/program",))
    assert stage.run() == 2
    [(status, text)] = stage.reports
    assert (status, "ended 3 times in a row while it started" in text) == (2, True)
    assert stage.processes("worker-1") == []
    assert stage.events(event="process ended", name="control") == ["process ended"]


def test_control_that_talks_nonsense_is_replaced(tmp_path: Path) -> None:
    """A control of another version is cut off, and its end is told as any other."""
    stage = Stage(tmp_path, b"nonsense\n")
    assert stage.run() == 2
    assert len(stage.events(event="control cannot be understood")) == 3


def test_unexpected_message_is_only_noted(tmp_path: Path, plan: Plan) -> None:
    """What only the supervisor says means nothing when it is heard."""
    stage = Stage(tmp_path, b'{"type": "reload"}\n' + line(plan))
    assert stage.run() == 0
    assert stage.events(event="control said what only we say") != []


def test_hangup_reaches_control(stage: Stage, tmp_path: Path) -> None:
    """SIGHUP makes control load the configuration again; the drain time it tells afterwards counts."""
    (tmp_path / "answer").write_bytes(line(DrainChanged(1.0)) + line(Refused("still running")))
    stage.on_ready = lambda stage: os.kill(os.getpid(), signal.SIGHUP)
    stage.when(Stage.stop, event="configuration refused")
    assert stage.run() == 0
    assert stage.heard()[1] == {"type": "reload"}
    assert stage.events(event="stopping", drain_seconds=1.0) == ["stopping"]


def test_hangup_without_control_is_nothing(stage: Stage) -> None:
    """A control that is not there loads the configuration anyway once it is."""
    stage.on_ready = lambda stage: stage.kill("control")

    def hang_up(stage: Stage) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        stage.when(Stage.stop, event="reload was asked for")

    stage.when(hang_up, event="process died")
    assert stage.run() == 0


def test_second_signal_kills(stage: Stage) -> None:
    """Who does not drain is killed at once when the signal comes again."""
    stage.programs = replace(stage.programs, worker=(*STAND_IN, "stubborn"))
    stage.when(Stage.stop, event="stopping")
    assert stage.run() == 0
    assert len(stage.events(event="process ended", reason="killed by SIGKILL")) == 3


def test_late_worker_is_killed(tmp_path: Path, plan: Plan) -> None:
    """Who does not drain in time is killed, and the rest ends in order."""
    stage = Stage(tmp_path, replace(plan, workers=1, drain_seconds=0.1 - DRAIN_MARGIN))
    stage.programs = replace(stage.programs, worker=(*STAND_IN, "stubborn"))
    assert stage.run() == 0
    assert stage.events(event="did not stop in time", name="worker-0") == ["did not stop in time"]
    assert stage.events(event="process ended", name="control", reason="killed by SIGKILL") == []


def test_stop_before_ready(stage: Stage) -> None:
    """A start that is interrupted says so, and is no failure."""
    stage.when(Stage.stop, event="process started", name="control")
    assert stage.run() == 0
    assert stage.reports == [(2, "the gateway was stopped before it was ready")]


def test_demo_brings_its_mock(stage: Stage) -> None:
    """The mock is started first, announced by a token and a command, and restarted like any other process."""
    stage.on_ready = lambda stage: stage.kill("mock")
    stage.when(lambda stage: stage.when(Stage.stop, event="process started", name="mock"), event="process died")
    assert stage.run(Orders(demo=True)) == 0
    assert next(iter(stage.lines))["name"] == "mock"
    assert "curl http://127.0.0.1:" in stage.reports[0][1]
    assert len(stage.processes("mock")) == 2


def test_daemon_tells_where_its_log_is(stage: Stage) -> None:
    """The announcement of a daemon names the log file and the command that stops it."""
    assert stage.run(Orders(daemon=True, log_file="/var/log/a.log")) == 0
    assert "/var/log/a.log" in stage.reports[0][1]
    assert "sluicegate stop" in stage.reports[0][1]


def test_control_that_never_says_anything_is_not_waited_for(stage: Stage, tmp_path: Path) -> None:
    """After the time to start, whoever waits learns why it failed and where the log is; nothing is left by then."""
    stage.programs = replace(stage.programs, control=(*STAND_IN, "mute"))
    log_file = str(tmp_path / "a.log")
    stage.when(lambda stage: stage.skip(45), event="process started", name="control")
    assert stage.run(Orders(daemon=True, log_file=log_file, start_seconds=45)) == 2
    reason = f"the gateway was not ready within 45 s: still waiting for control; see {log_file}"
    assert stage.reports == [(2, reason)]
    assert stage.events(event="process ended", name="control") == ["process ended"]


def test_worker_that_never_gets_ready_is_not_waited_for(stage: Stage, tmp_path: Path) -> None:
    """The same where control has told its plan: the run directory is free again when the failure is told."""
    stage.programs = replace(stage.programs, worker=(*STAND_IN, "mock"))
    stage.when(lambda stage: stage.skip(60), event="process is ready", name="control")
    assert stage.run() == 2
    reason = "the gateway was not ready within 60 s: still waiting for worker-0, worker-1; the log lines above say more"
    assert stage.reports == [(2, reason)]
    assert list((tmp_path / "data" / "run").iterdir()) == []


def test_stranger_is_reaped(stage: Stage) -> None:
    """A child that was never started by the node, as the first process of a container inherits, leaves no zombie."""
    strangers: list[int] = []

    def begin(stage: Stage) -> None:
        strangers.append(spawn([*STAND_IN, "die"], {}, inherited=()))
        os.waitid(os.P_PID, strangers[0], os.WEXITED | os.WNOWAIT)
        stage.stop()

    stage.on_ready = begin
    assert stage.run() == 0
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_PID, strangers[0], os.WEXITED | os.WNOHANG)


def test_nothing_is_left_open(stage: Stage) -> None:
    """A supervisor that has ended holds no descriptor any more."""
    before = os.listdir("/proc/self/fd")
    stage.run(Orders(demo=True))
    assert os.listdir("/proc/self/fd") == before


def test_hangup_for_a_control_that_just_died_is_only_noted(stage: Stage) -> None:
    """A message that finds nobody is logged; the successor loads the configuration anyway."""

    def die(stage: Stage) -> None:
        stage.kill("control")
        os.waitid(os.P_PID, stage.processes("control")[0], os.WEXITED | os.WNOWAIT)

    stage.on_ready = lambda stage: os.kill(os.getpid(), signal.SIGHUP)
    stage.when(die, event="reload was asked for")
    stage.when(lambda stage: stage.when(Stage.stop, event="process is ready", name="control"), event="process died")
    assert stage.run() == 0
    assert stage.events(event="control does not listen") == ["control does not listen"]


def test_replaced_control_is_not_heard(stage: Stage) -> None:
    """The selector may tell of a channel whose process was replaced in the same turn: the new one is left alone."""

    def replace_it(stage: Stage) -> None:
        former = ControlLine()
        former.theirs.sendall(line(Refused("too late")))
        stage.supervisor._hear(former)
        former.close()
        stage.stop()

    stage.on_ready = replace_it
    assert stage.run() == 0
    assert "configuration refused" not in stage.events()
