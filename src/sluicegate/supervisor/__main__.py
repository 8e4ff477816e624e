"""`python -m sluicegate.supervisor`: what `sluicegate serve` turns into."""

import sys
import time
from datetime import UTC, datetime

from sluicegate.config.environment import process_environment
from sluicegate.supervisor.commands import Programs
from sluicegate.supervisor.daemon import Report, detach, log_path, report_here
from sluicegate.supervisor.descriptors import raise_limit, warning
from sluicegate.supervisor.log import Log
from sluicegate.supervisor.loop import Supervisor
from sluicegate.supervisor.node import UNUSABLE
from sluicegate.supervisor.orders import Orders, parse


def main(orders: Orders) -> int:
    """Run a node as ordered; return the exit status."""
    report: Report = report_here
    if orders.daemon:
        try:
            report = detach(log_path(orders.log_file))
        except OSError as error:
            report_here(UNUSABLE, f"cannot write the log file: {error}")
            return UNUSABLE
    log = Log(sys.stderr, now=lambda: datetime.now(UTC))
    few_files = warning(raise_limit())
    if few_files is not None:
        log("warning", few_files)
    supervisor = Supervisor(
        orders,
        process_environment(),
        clock=time.monotonic,
        log=log,
        report=report,
        programs=Programs(),
    )
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(parse(sys.argv[1:])))
