"""What the control process writes to its log, and how."""

from typing import Literal

from sluicegate.config import fields
from sluicegate.config.schema.section import Section

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]


class LogSample(Section):
    """Lines that repeat: of those with the same level and text only some are written."""

    first: fields.Count = 100
    """How many of them are written in each period before any is left out."""
    every: fields.Count = 100
    """Of the rest, every one of so many is written, and says how many were not; 1 writes all."""
    seconds: fields.Seconds = 1.0
    """Length of the period."""


class LogSettings(Section):
    """The log of the control process, on standard error."""

    level: LogLevel = "info"
    """The least that is written. `PUT /admin/log-level` changes it until the next start, or until this is changed."""
    format: LogFormat = "auto"
    """`json` for programs, `console` for people; `auto` is for people on a terminal, else for programs."""
    sample: LogSample = LogSample()
    """What is left out of lines that repeat."""
