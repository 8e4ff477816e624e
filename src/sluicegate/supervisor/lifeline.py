"""Runs a program that knows nothing of the supervisor, and ends it when the supervisor is gone.

The lifeline is a pipe whose other end only the supervisor holds: an end of file means that it died, however it died.
Control and workers watch theirs themselves.
"""

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable

GRACE = 5.0
"""Seconds a program may take to end by itself."""


def watch(lifeline: int, end: Callable[[], None]) -> threading.Thread:
    """Call `end` in another thread once the lifeline is cut."""

    def wait() -> None:
        while os.read(lifeline, 64):
            pass
        end()

    thread = threading.Thread(target=wait, name="lifeline", daemon=True)
    thread.start()
    return thread


def end_this_process() -> None:
    """Ask politely, then do not."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def main(arguments: list[str]) -> None:
    """`lifeline DESCRIPTOR MODULE [ARGUMENT ...]`: run the module as `python -m` would."""
    descriptor, module, *rest = arguments
    watch(int(descriptor), end_this_process)
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
