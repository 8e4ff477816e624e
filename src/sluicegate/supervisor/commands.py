"""The command line of each process of a node. Descriptors in it are inherited by that process."""

import sys
from dataclasses import dataclass

from sluicegate.supervisor.orders import Orders, configuration_flags
from sluicegate.supervisor.site import Site

PYTHON = (sys.executable, "-P", "-m")
"""`-P`: the working directory is the operator's and must not be searched for modules."""


@dataclass(frozen=True, slots=True)
class Programs:
    """How each process begins its command line; tests put stand-ins in their place."""

    control: tuple[str, ...] = (*PYTHON, "sluicegate.control")
    worker: tuple[str, ...] = (*PYTHON, "sluicegate.gateway")
    mock: tuple[str, ...] = (*PYTHON, "sluicegate", "mock")


def control_command(
    program: tuple[str, ...], orders: Orders, *, channel: int, last_good: int, pulse: str, demo_url: str | None
) -> list[str]:
    """Control: `channel` is its end of the socket pair, `last_good` the memory its predecessor left to it.

    `pulse` is where it gives signs of life, as of a worker.
    """
    flags = configuration_flags(orders)
    if demo_url is not None:
        flags.append(f"--demo-url={demo_url}")
    return [*program, *flags, f"--channel={channel}", f"--last-good={last_good}", f"--pulse={pulse}"]


def worker_command(program: tuple[str, ...], site: Site, *, index: int, lifeline: int, pulse: str) -> list[str]:
    """Worker number `index` of the node that occupies `site`."""
    plan = site.plan
    command = [
        *program,
        f"--worker={index}",
        f"--host={site.host}",
        f"--port={site.port}",
        f"--link={site.sockets.link}",
        f"--control={site.sockets.http}",
        f"--events={plan.data_dir}/events",
        f"--lifeline={lifeline}",
        f"--pulse={pulse}",
    ]
    if plan.certificate is not None and plan.key is not None:
        command += [f"--tls-certificate={plan.certificate}", f"--tls-key={plan.key}"]
    return command


def mock_command(program: tuple[str, ...], *, listener: int, lifeline: int) -> list[str]:
    """The mock provider on an open listening socket."""
    return [*program, f"--fd={listener}", f"--lifeline={lifeline}", "--quiet"]
