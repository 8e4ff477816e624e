"""The supervisor's shell: waits for signals, children and control's messages, asks `node` what to do, and does it."""

import os
import selectors
import signal
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from sluicegate import __version__
from sluicegate.control.channel import DrainChanged, Go, Message, Plan, Refused, Reload, Serving, WorkerReady
from sluicegate.supervisor import commands
from sluicegate.supervisor.address import AddressError
from sluicegate.supervisor.announcement import announcement
from sluicegate.supervisor.control_line import ControlLine
from sluicegate.supervisor.daemon import Report, log_path
from sluicegate.supervisor.demo import Demo
from sluicegate.supervisor.node import (
    CONTROL,
    MOCK,
    START_SECONDS,
    UNUSABLE,
    WORKER,
    Announce,
    Command,
    Kill,
    Node,
    Note,
    Start,
    worker_name,
)
from sluicegate.supervisor.orders import Orders
from sluicegate.supervisor.pid_file import AlreadyRunningError
from sluicegate.supervisor.processes import end_in_words, reap, spawn
from sluicegate.supervisor.pulses import Pulses, is_held_up
from sluicegate.supervisor.signals import SignalPipe
from sluicegate.supervisor.site import Site


class Log(Protocol):
    """Takes a log line."""

    def __call__(self, level: str, event: str, **fields: object) -> None:
        """Write it; never raises."""
        ...


class Supervisor:
    """Runs one node until it is stopped."""

    def __init__(
        self,
        orders: Orders,
        environment: Mapping[str, str],
        *,
        clock: Callable[[], float],
        log: Log,
        report: Report,
        programs: commands.Programs,
    ) -> None:
        """`clock` is monotonic seconds; `report` is called once, when the node is ready or cannot be."""
        self._orders = orders
        self._environment = environment
        self._clock = clock
        self._log = log
        self._report: Report | None = report
        self._programs = programs
        self._node = Node(
            has_mock=orders.demo,
            start_seconds=START_SECONDS if orders.start_seconds is None else orders.start_seconds,
        )
        self._processes: dict[str, int] = {}
        self._demo = Demo() if orders.demo else None
        self._site: Site | None = None
        self._line: ControlLine | None = None
        self._lifeline, self._lifeline_held = os.pipe()
        self._last_good = os.memfd_create("sluicegate-last-good")
        self._pulses = Pulses()
        self._selector = selectors.DefaultSelector()

    def __repr__(self) -> str:
        """Tell what the node does and which processes there are."""
        return f"<Supervisor {self._node!r} {self._processes}>"

    def run(self) -> int:
        """Start the node, keep it running, stop it when told to; return the exit status."""
        with SignalPipe((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)) as signals:
            self._selector.register(signals, selectors.EVENT_READ, lambda: self._on_signals(signals.read()))
            try:
                self._do(self._node.begin(self._clock()))
                while self._node.phase != "over":
                    self._wait()
            finally:
                self._close()
        # Only now: whoever waits for the report shall find nothing left of the attempt.
        self._tell(UNUSABLE, self._failure())
        return self._node.status

    @property
    def _log_file(self) -> str | None:
        """Where a daemon's log is, None in the foreground."""
        return str(log_path(self._orders.log_file)) if self._orders.daemon else None

    def _wait(self) -> None:
        due = self._node.due
        timeout = None if due is None else max(0.0, due - self._clock())
        for key, _ in self._selector.select(timeout):
            key.data()
        self._do(self._node.tick(self._clock()))
        if self._node.look_due is not None and self._node.look_due <= self._clock():
            self._do(self._node.looked(self._still(), self._clock()))

    def _still(self) -> list[str]:
        """Who has given no sign of life since the last look, and could have."""
        # All are asked, also those that are held up: from then on it counts anew.
        still = [name for name in self._processes if self._pulses.is_still(name)]
        return [name for name in still if not is_held_up(self._processes[name])]

    def _close(self) -> None:
        """Let go of everything; children that are left notice it by their lifeline."""
        self._drop_line()
        self._selector.close()
        if self._site is not None:
            self._site.leave()
        if self._demo is not None:
            self._demo.close()
        for descriptor in (self._lifeline, self._lifeline_held, self._last_good):
            os.close(descriptor)
        self._pulses.close()

    def _do(self, todo: Iterable[Command]) -> None:
        waiting = deque(todo)
        while waiting:
            match waiting.popleft():
                case Start(name):
                    # Behind the others: what follows from a start that fails counts on theirs.
                    waiting.extend(self._start(name))
                case Kill(name, number):
                    # Who is not there could not be started, which is known only by now.
                    if name in self._processes:
                        os.kill(self._processes[name], number)
                case Note(level, event, fields):
                    self._log(level, event, **fields)
                case Announce():
                    self._announce()

    def _start(self, name: str) -> list[Command]:
        """Start a process; return what follows from it where that fails."""
        try:
            if name == CONTROL:
                process = self._start_control()
            elif name == MOCK:
                process = self._start_mock()
            else:
                process = self._start_worker(int(name.removeprefix(WORKER)))
        except OSError as error:
            return self._node.exited(name, f"cannot be started: {error}", self._clock())
        self._processes[name] = process
        self._log("info", "process started", name=name, pid=process)
        return []

    def _start_control(self) -> int:
        self._drop_line()
        self._line = control = ControlLine()
        self._selector.register(control, selectors.EVENT_READ, lambda: self._hear(control))
        with control.theirs as theirs:
            command = commands.control_command(
                self._programs.control,
                self._orders,
                channel=theirs.fileno(),
                last_good=self._last_good,
                pulse=self._pulses.begin(CONTROL),
                demo_url=self._demo.url if self._demo else None,
            )
            environment = {**self._environment, **(self._demo.environment if self._demo else {})}
            return spawn(command, environment, inherited=(theirs.fileno(), self._last_good, self._pulses.descriptor))

    def _start_mock(self) -> int:
        assert self._demo is not None
        listener = self._demo.listener.fileno()
        command = commands.mock_command(self._programs.mock, listener=listener, lifeline=self._lifeline)
        return spawn(command, self._environment, inherited=(listener, self._lifeline))

    def _start_worker(self, index: int) -> int:
        assert self._site is not None
        pulse = self._pulses.begin(worker_name(index))
        command = commands.worker_command(
            self._programs.worker, self._site, index=index, lifeline=self._lifeline, pulse=pulse
        )
        return spawn(command, self._environment, inherited=(self._lifeline, self._pulses.descriptor))

    def _on_signals(self, arrived: list[signal.Signals]) -> None:
        for number in arrived:
            if number == signal.SIGCHLD:
                self._on_ended()
            elif number == signal.SIGHUP:
                self._log("info", "reload was asked for")
                # Without control there is nothing to do: one that starts loads the configuration anyway.
                self._send(Reload())
            else:
                self._log("info", "signal arrived", signal=number.name)
                self._do(self._node.stop(self._clock()))

    def _on_ended(self) -> None:
        for process, status in reap():
            # Looked up one by one: what is started again in answer to one death may be the next to die.
            name = next((name for name, its in self._processes.items() if its == process), None)
            if name is None:
                continue
            if name == CONTROL and self._line is not None:
                # Its last words, such as why it refuses the configuration, count for more than its death.
                self._hear(self._line)
            del self._processes[name]
            self._do(self._node.exited(name, end_in_words(status), self._clock()))

    def _hear(self, control: ControlLine) -> None:
        if control is not self._line:
            # Replaced after the selector had told of it.
            return
        messages, trouble = control.receive()
        for message in messages:
            self._on_message(message)
        if trouble is not None:
            self._log("error", "control cannot be understood", reason=trouble)
        if not control.is_open:
            self._drop_line()

    def _on_message(self, message: Message) -> None:
        match message:
            case Plan():
                self._on_plan(message)
            case Refused(problems):
                self._log("error", "configuration refused", problems=problems)
                self._refuse(problems)
            case Serving():
                self._do(self._node.ready(CONTROL))
            case WorkerReady(worker, process):
                if self._processes.get(worker_name(worker)) == process:
                    self._do(self._node.ready(worker_name(worker)))
            case DrainChanged(seconds):
                self._node.drain_changed(seconds)
            case _:
                self._log("warning", "control said what only we say", message=repr(message))

    def _on_plan(self, plan: Plan) -> None:
        """Occupy what the plan names, unless that was done for an earlier control, and let everybody begin."""
        if self._site is None:
            try:
                self._site = Site(plan, self._orders, self._environment)
            except (AlreadyRunningError, AddressError, OSError) as error:
                self._refuse(str(error))
                return
        sockets = self._site.sockets
        self._send(Go(str(sockets.link), str(sockets.http)))
        workers, now = self._site.plan.workers, self._clock()
        self._do(self._node.planned(workers=workers, drain_seconds=plan.drain_seconds, now=now))

    def _refuse(self, problems: str) -> None:
        """The node cannot start like this; one that runs goes on."""
        if self._node.phase == "starting":
            self._tell(UNUSABLE, problems)
            self._do(self._node.fail(UNUSABLE, self._clock()))

    def _failure(self) -> str:
        """Why a node that never got ready did not, and where to read more."""
        reason = self._node.failure
        if not reason:
            return "the gateway was stopped before it was ready"
        where = f"see {self._log_file}" if self._log_file else "the log lines above say more"
        return f"{reason}; {where}"

    def _announce(self) -> None:
        assert self._site is not None
        text = announcement(
            self._site.plan,
            host=self._site.host,
            port=self._site.port,
            version=__version__,
            demo_token=self._demo.token if self._demo else None,
            log_file=self._log_file,
        )
        self._log("info", "node is ready", host=self._site.host, port=self._site.port)
        self._tell(0, text)

    def _tell(self, status: int, text: str) -> None:
        report, self._report = self._report, None
        if report is not None:
            report(status, text)

    def _send(self, message: Message) -> None:
        if self._line is None:
            return
        try:
            self._line.send(message)
        except OSError as error:
            # It died, and its end will be noticed; or it does not read, and a signal would not reach it either.
            self._log("warning", "control does not listen", reason=str(error))

    def _drop_line(self) -> None:
        control, self._line = self._line, None
        if control is not None:
            self._selector.unregister(control)
            control.close()
