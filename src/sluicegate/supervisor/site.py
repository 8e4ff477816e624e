"""What a node occupies on its machine: the data directory's lock, the pid files, the address."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from sluicegate.control.channel import Plan
from sluicegate.supervisor.address import reserve, url
from sluicegate.supervisor.announcement import quoted
from sluicegate.supervisor.orders import Orders
from sluicegate.supervisor.pid_file import AlreadyRunningError, PidFile
from sluicegate.supervisor.run_directory import RunDirectory, Sockets


class Site:
    """Occupied from the first plan until the node has stopped."""

    def __init__(self, plan: Plan, orders: Orders, environment: Mapping[str, str]) -> None:
        """Occupy all or nothing. Raises AlreadyRunningError, AddressError, OSError, each with a message for people."""
        self.plan = plan
        with ExitStack() as undo:
            self._run_directory = _run_directory(Path(plan.data_dir), environment)
            undo.callback(self._run_directory.remove)
            # Later than the lock: a second node on the same data shall hear of the first one, not of its address.
            self._reservation = reserve(plan.host, plan.port)
            undo.callback(self._reservation.socket.close)
            self._run_directory.tell_address(url(self.host, self.port, is_tls=plan.certificate is not None))
            if orders.pid_file is not None:
                undo.callback(PidFile(Path(orders.pid_file), os.getpid()).remove)
            self._undo = undo.pop_all()

    def __repr__(self) -> str:
        """Tell where the node is."""
        return f"<Site {self.host}:{self.port} {self._run_directory!r}>"

    @property
    def sockets(self) -> Sockets:
        """Where control listens."""
        return self._run_directory.sockets

    @property
    def host(self) -> str:
        """The address in numbers."""
        return self._reservation.host

    @property
    def port(self) -> int:
        """The port, also where the plan left the choice to the kernel."""
        return self._reservation.port

    def leave(self) -> None:
        """Release everything."""
        self._undo.close()


def _run_directory(data_dir: Path, environment: Mapping[str, str]) -> RunDirectory:
    runtime = environment.get("XDG_RUNTIME_DIR")
    # The name within is random and its mode 0700.
    short_dirs = (*([Path(runtime)] if runtime else []), Path("/tmp"))  # noqa: S108 - see above
    try:
        return RunDirectory(data_dir, process=os.getpid(), short_dirs=short_dirs, salt=os.urandom(6).hex())
    except AlreadyRunningError as error:
        raise AlreadyRunningError(
            error.path,
            error.process,
            advice=f"stop it with: sluicegate stop --data-dir {quoted(str(data_dir))}; or choose another --data-dir",
        ) from None
    except OSError as error:
        # Without the number, which would stand in front of the words.
        raise OSError(
            f"cannot use the data directory: {error.strerror}: {str(data_dir)!r}; name another with --data-dir"
        ) from error
