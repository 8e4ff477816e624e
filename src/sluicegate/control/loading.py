"""Where this node's configuration comes from, and loading it from there, again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluicegate.config.compile import Compiled
from sluicegate.config.layers import Overrides
from sluicegate.config.load import load
from sluicegate.config.source import named_file
from sluicegate.dialects.base import Dialect


@dataclass(frozen=True, slots=True, repr=False)
class Sources:
    """File, environment and flags. The environment is that of the start: a process's own never changes."""

    path: Path | None
    environment: Mapping[str, str]
    overrides: Overrides
    dialects: Mapping[str, Dialect]

    def __repr__(self) -> str:
        """Tell where, and nothing of what is there."""
        return f"<Sources {self.described}>"

    @property
    def file(self) -> Path | None:
        """The file that counts, if any."""
        return None if self.overrides.demo else named_file(self.path, self.environment)

    @property
    def described(self) -> str:
        """In words, for people."""
        if self.overrides.demo:
            return "demo: a mock provider in place of real ones"
        return str(self.file.absolute()) if self.file else "environment only, no file"

    def load(self, version: int) -> Compiled:
        """Load and compile. Raises ConfigurationError."""
        return load(self.path, self.environment, self.overrides, dialects=self.dialects, version=version)
