"""Virtual environments for proxies that bring many packages: built when such a proxy is first asked for, then kept."""

import asyncio
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sluicegate.bench.peers.base import PeerMissingError, output_of

_TOLD = 500
"""Characters of a failed installation that the error repeats."""


def installed(environments: Path | None, requirement: str, program: str, *, pip: tuple[str, ...] = ()) -> Path:
    """Return the path of `program` from `requirement` (`name==version`, extras allowed), installed now if need be.

    `pip` are more arguments for its `install`. Raises PeerMissingError.
    """
    if environments is None:
        raise PeerMissingError(f"{requirement} is not installed, and there is no directory to install it to")
    home = (environments / requirement.replace("[", "-").replace("]", "")).absolute()
    found = home / "bin" / program
    if found.exists():
        return found
    # Whoever asks may be inside an event loop, in which no second one can run; nothing is measured meanwhile.
    with ThreadPoolExecutor(1) as thread:
        told = thread.submit(asyncio.run, _install(home, requirement, pip)).result()
    if not found.exists():
        # Half an environment would be in the way the next time.
        shutil.rmtree(home, ignore_errors=True)
        raise PeerMissingError(f"{requirement} could not be installed: {told[-_TOLD:] or f'it has no {program}'}")
    return found


async def _install(home: Path, requirement: str, pip: tuple[str, ...]) -> str:
    """Make an environment and install into it; return what was said on the way."""
    options = ("--quiet", "--disable-pip-version-check", *pip)
    try:
        told = await output_of(sys.executable, "-m", "venv", "--clear", str(home))
        return told + await output_of(str(home / "bin" / "python"), "-m", "pip", "install", *options, requirement)
    except OSError as error:
        return str(error)
