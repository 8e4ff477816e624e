"""Log lines of the control process: their form, which of them are written, and that no secret is in them.

A line that is written while a request of the management API is served has its `request_id`. What managers do to tenants
is told in the audit log, which no level turns down.
"""

import logging
import re
from collections.abc import Callable
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from sluicegate.config.schema.logs import LogFormat, LogLevel, LogSettings
from sluicegate.control.log_sample import Sampling

HIDDEN = "****"
OWN: Final = "sluicegate"
"""What our own lines are called where libraries have names."""
LIBRARIES: Final = ("alembic", "asyncio", "sqlalchemy", "uvicorn")
"""Those whose lines may be asked for. Others would write what they send: addresses and headers with secrets in them."""

_LEVELS: Final[dict[LogLevel, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_METHODS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
"""Of our own lines; all others are errors."""
_LEAST_OF_LIBRARIES: Final = logging.WARNING
"""Unless more is asked for by name."""

_SECRET_FIELDS = re.compile(r"authorization|cookie|secret|password|credential|api[-_]?key|(^|_)token$", re.IGNORECASE)
_SECRET_WORDS = re.compile(r"\b(Bearer +|sk-|pk-|xai-|gsk_|AIza)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


def redact(logger: WrappedLogger | None, method: str, event: EventDict) -> EventDict:
    """Hide fields named like secrets, and what looks like one in any text: the last net, not the first."""
    del logger, method
    for name, value in event.items():
        if _SECRET_FIELDS.search(name):
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = _SECRET_WORDS.sub(lambda found: found.group(1) + HIDDEN, value)
    return event


_FIRST: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
"""What every line goes through, our own and libraries'."""


def _form(log_format: LogFormat, *, is_terminal: bool) -> tuple[Processor, ...]:
    """What makes a line text, in order."""
    if log_format == "console" or (log_format == "auto" and is_terminal):
        console = structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=structlog.dev.plain_traceback)
        return redact, console
    # The traceback becomes text before secrets are looked for: a message of an exception may hold one.
    return structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()


class Logs:
    """The log of one process. What is changed here holds for lines from then on, whoever writes them."""

    def __init__(
        self, stream: TextIO, *, process: str, clock: Callable[[], float], settings: LogSettings | None = None
    ) -> None:
        """Write to `stream`; libraries' lines go there only after `install`. `clock` gives monotonic seconds."""
        self._stream = stream
        self._process = process
        self._settings = settings or LogSettings()
        self._least = _LEVELS[self._settings.level]
        self._form = _form(self._settings.format, is_terminal=stream.isatty())
        self._sampling = Sampling(self._settings.sample, clock=clock)
        self.logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[self._admit, *_FIRST, self._render],
            # Everything comes as far as `_admit`: that, unlike this class, can change its mind.
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
            process=process,
        )
        """For our own lines."""

    def __repr__(self) -> str:
        """Tell whose lines are written from which level on."""
        return f"<Logs {self.levels()}>"

    def install(self) -> None:
        """Take what libraries log."""
        handler = logging.StreamHandler(self._stream)
        handler.addFilter(self._admit_record)
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[*_FIRST, self._add_fields],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, self._render],
            )
        )
        root = logging.getLogger()
        root.handlers = [handler]
        root.setLevel(max(_LEAST_OF_LIBRARIES, self._least))

    def levels(self) -> dict[str, LogLevel]:
        """By name, from which level on lines are written: our own, and those of libraries."""
        found = {name: logging.getLogger(name).getEffectiveLevel() for name in LIBRARIES}
        return {name: _named(number) for name, number in ({OWN: self._least} | found).items()}

    def set_level(self, level: LogLevel, name: str = OWN) -> None:
        """Write these lines from this level on. Raises KeyError where no lines have this name."""
        if name == OWN:
            self._least = _LEVELS[level]
        elif name in LIBRARIES:
            logging.getLogger(name).setLevel(_LEVELS[level])
        else:
            raise KeyError(name)

    def apply(self, settings: LogSettings) -> None:
        """The settings changed. A level that was set by hand stays, unless it is the setting of the level that did."""
        if settings.level != self._settings.level:
            self._least = _LEVELS[settings.level]
        self._form = _form(settings.format, is_terminal=self._stream.isatty())
        self._sampling.settings = settings.sample
        self._settings = settings

    def _admit(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Let a line of our own pass, or raise DropEvent."""
        del logger
        level = _METHODS.get(method, logging.ERROR)
        if level < self._least:
            raise structlog.DropEvent
        left_out = self._sampling.look((method, event.get("event")))
        if left_out is None:
            raise structlog.DropEvent
        if left_out:
            event["left_out"] = left_out
        return event

    def _admit_record(self, record: logging.LogRecord) -> bool:
        """Let a line of a library pass. Lines with different values are of the same kind."""
        left_out = self._sampling.look((record.name, record.levelno, record.msg))
        if left_out is None:
            return False
        record.left_out = left_out
        return True

    def _add_fields(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        del logger, method
        left_out: int = event["_record"].left_out
        return {**event, "process": self._process, **({"left_out": left_out} if left_out else {})}

    def _render(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        line: Any = event
        for process in self._form:
            line = process(logger, method, line)
        return str(line)


def _named(number: int) -> LogLevel:
    """The level that includes this one."""
    return next((name for name, least in _LEVELS.items() if number <= least), "error")
