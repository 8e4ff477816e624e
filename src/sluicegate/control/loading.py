"""Where this node's configuration comes from, and loading it from there, again and again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sluicegate.config.compile import Compiled
from sluicegate.config.layers import Overrides
from sluicegate.config.load import config_path, load
from sluicegate.dialects.base import Dialect


@dataclass(frozen=True, slots=True, repr=False)
class Sources:
    """File, environment and flags. The environment is that of the start: a process's own never changes."""

    path: Path | None
    environment: Mapping[str, str]
    overrides: Overrides
    dialects: Mapping[str, Dialect]
    drain_seconds: float | None = None
    """What the command line says; None where it says nothing."""

    def __repr__(self) -> str:
        """Tell where, and nothing of what is there."""
        return f"<Sources {self.described}>"

    @property
    def file(self) -> Path | None:
        """The file that counts, if any."""
        return None if self.overrides.demo else config_path(self.path, self.environment)

    @property
    def described(self) -> str:
        """In words, for people."""
        if self.overrides.demo:
            return "demo: a mock provider in place of real ones"
        return str(self.file.absolute()) if self.file else "environment only, no file"

    def load(self, version: int) -> Compiled:
        """Load and compile. Raises ConfigurationError."""
        compiled = load(self.path, self.environment, self.overrides, dialects=self.dialects, version=version)
        return self.with_flags(compiled)

    def with_flags(self, compiled: Compiled) -> Compiled:
        """Lay the drain time over a configuration."""
        seconds = self.drain_seconds
        if seconds is None:
            return compiled
        server = compiled.settings.server.model_copy(update={"drain_seconds": seconds})
        return replace(
            compiled,
            settings=compiled.settings.model_copy(update={"server": server}),
            snapshot=msgspec.structs.replace(compiled.snapshot, drain_seconds=seconds),
        )
