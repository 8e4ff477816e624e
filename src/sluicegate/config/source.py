"""Which file the configuration comes from: one rule for every command."""

from collections.abc import Mapping
from pathlib import Path

from sluicegate.config.environment import CONFIG_VARIABLE

BESIDE = "sluicegate.yaml"
"""Name of the file that is used without being named, where it lies in the working directory."""


def named_file(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file named on the command line, else by SLUICEGATE_CONFIG, else none."""
    named = environment.get(CONFIG_VARIABLE)
    return path or (Path(named) if named else None)


def chosen_file(path: Path | None, environment: Mapping[str, str], directory: Path = Path()) -> Path | None:
    """The file that counts: a named one, whether it exists or not, else `sluicegate.yaml` in `directory`, else none.

    A command decides it once, when it starts: a running gateway must not come upon another file.
    """
    named = named_file(path, environment)
    if named is not None:
        return named
    beside = directory / BESIDE
    return beside if beside.is_file() else None
