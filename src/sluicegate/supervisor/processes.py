"""Starting processes and learning of their end."""

import fcntl
import os
import signal
from collections.abc import Iterator, Mapping, Sequence


def spawn(command: list[str], environment: Mapping[str, str], *, inherited: Sequence[int]) -> int:
    """Start a process that has only standard streams and the `inherited` descriptors; return its id. Raises OSError.

    It leads a session of its own: Ctrl-C in a terminal reaches the supervisor alone, which then stops the others in
    order.
    """
    for descriptor in inherited:
        fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)
    try:
        return os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsid=True,
            setsigmask=[],
            # What Python ignores, and what whoever started us may have ignored, would be inherited.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
        )
    finally:
        for descriptor in inherited:
            fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)


def reap() -> Iterator[tuple[int, int]]:
    """Process id and exit status (negative: the signal) of every child that ended, whoever's child it was.

    As the first process of a container, the supervisor inherits orphans; they must not stay as zombies. A process id
    stays taken until the next one is asked for: a signal sent to it meanwhile cannot hit a stranger.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        yield ended.si_pid, ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        os.waitpid(ended.si_pid, 0)


def end_in_words(status: int) -> str:
    """Say how a process ended: `exit status 1`, `killed by SIGKILL`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
