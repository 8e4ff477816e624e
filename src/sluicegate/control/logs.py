"""Log lines of the control process: their form, and that no secret is in them."""

import logging
import re
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

HIDDEN = "****"

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


def processors(*, is_terminal: bool) -> tuple[tuple[Processor, ...], tuple[Processor, ...]]:
    """What every line goes through, in order: our own and libraries' lines first the one, then all the other."""
    first: tuple[Processor, ...] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    if is_terminal:
        return first, (redact, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    # The traceback becomes text before secrets are looked for: a message of an exception may hold one.
    return first, (structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer())


def configured(stream: TextIO, *, process: str) -> FilteringBoundLogger:
    """Send libraries' log lines to `stream` in our form, and return our own logger."""
    first, last = processors(is_terminal=stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, _field("process", process)],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        process=process,
    )
    return logger


def _field(name: str, value: str) -> Processor:
    def add(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        del logger, method
        return {**event, name: value}

    return add
