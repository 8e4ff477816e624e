"""What supervisor and control process tell each other, one JSON object a line, over the socket pair between them.

Rule 1. Control speaks first: `Plan`, or `Refused` and its end. It touches neither the run directory nor a socket before
        the supervisor, which by then holds the directory's lock, answers `Go`.
Rule 2. An end of the stream means the other process is gone. Control ends then; the supervisor starts it again.
Only the standard library may be used here: the supervisor loads nothing else.
"""

import json
from dataclasses import asdict, dataclass

DEMO_VARIABLE = "SLUICEGATE_DEMO_TOKEN"
"""How control learns a demo's token: in its command line, every user of the machine could read it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Control to supervisor, first: what the configuration says about the node. Paths are absolute.

    `source` says in words where the configuration came from, `missing` what it lacks to be of use, one thing a line.
    """

    host: str
    port: int
    workers: int
    certificate: str | None
    key: str | None
    data_dir: str
    drain_seconds: float
    source: str
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Control to supervisor: the configuration cannot be used, for these reasons, one a line."""

    problems: str


@dataclass(frozen=True, slots=True)
class Serving:
    """Control to supervisor: the management API answers."""


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """Control to supervisor: worker number `worker`, process `pid`, accepts connections."""

    worker: int
    pid: int


@dataclass(frozen=True, slots=True)
class DrainChanged:
    """Control to supervisor: after a reload, requests under way may take so many seconds to end."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Go:
    """Supervisor to control: the node is yours; listen on these Unix sockets, for workers and for HTTP."""

    link: str
    http: str


@dataclass(frozen=True, slots=True)
class Reload:
    """Supervisor to control: load the configuration again."""


Message = Plan | Refused | Serving | WorkerReady | DrainChanged | Go | Reload

_TYPES: dict[str, type[Message]] = {
    "plan": Plan,
    "refused": Refused,
    "serving": Serving,
    "worker_ready": WorkerReady,
    "drain_changed": DrainChanged,
    "go": Go,
    "reload": Reload,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


class BrokenChannelError(Exception):
    """A line that is no message: the other process is of another version, or not ours."""


def line(message: Message) -> bytes:
    """One message as it travels, its line feed included."""
    return json.dumps({"type": _NAMES[type(message)], **asdict(message)}).encode() + b"\n"


class LineReader:
    """Cuts a stream of bytes into messages, whatever the reads' boundaries."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        """Start between two lines."""
        self._rest = b""

    def __repr__(self) -> str:
        """Tell how much waits for its rest."""
        return f"<LineReader waiting={len(self._rest)}>"

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages completed by `data`. Raises BrokenChannelError."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [_message(text) for text in lines]


def _message(text: bytes) -> Message:
    try:
        fields = json.loads(text)
        return _TYPES[fields.pop("type")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenChannelError(f"not a message: {text[:80]!r}") from error
