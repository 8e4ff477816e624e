"""What a mock has been asked and has served."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Counters:
    """Totals since the start."""

    total: int = 0
    """Requests received whole."""
    paths: dict[str, int] = field(default_factory=dict)
    """The same by path, without the query."""
    tokens: int = 0
    """Tokens written."""
    cancelled: int = 0
    """Answers under way when the client went away."""
    connections: int = 0
    """Connections accepted."""
    body_bytes: int = 0
    """Bytes of request bodies."""

    def as_json(self, open_connections: int) -> dict[str, Any]:
        """The totals, ready for encoding; `requests` and `streams_cut` are the names that other programs ask for."""
        named = {"requests": self.total, "streams_cut": self.cancelled, "open_connections": open_connections}
        return asdict(self) | named
