"""`python -m sluicegate.control`: the control process, as the supervisor starts it."""

import faulthandler
import importlib
import signal
import sys
import time
from types import ModuleType
from typing import cast

from sluicegate.config.environment import process_environment
from sluicegate.control.beginning import begin
from sluicegate.dialects.table import DIALECTS


def main() -> int:
    """Run the process; return its exit status."""
    faulthandler.register(signal.SIGUSR1)
    begun = begin(sys.argv[1:], process_environment(), dialects=DIALECTS)
    if begun is None:
        return 2
    # structlog and alembic would load these to colour tracebacks, as a log does not: 10 MB, and a part of the start.
    for painter in ("rich", "pygments"):
        sys.modules.setdefault(painter, cast("ModuleType", None))
    # Only now: it takes as long as the workers take to start, and they are being started meanwhile.
    logs = importlib.import_module("sluicegate.control.logs")
    process = importlib.import_module("sluicegate.control.process")
    settings = begun.choice.current.settings.log
    log = logs.Logs(sys.stderr, process="control", clock=time.monotonic, settings=settings)
    log.install()
    status: int = process.run(begun, log=log.logger, logs=log)
    return status


if __name__ == "__main__":
    sys.exit(main())
