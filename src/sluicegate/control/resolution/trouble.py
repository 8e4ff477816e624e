"""A database that does not answer: which errors say so, and telling of it once, not with every attempt."""

from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from structlog.typing import FilteringBoundLogger

FAILURES: Final = (SQLAlchemyError, OSError, TimeoutError)
"""What a database that is slow, away or broken raises."""


class Trouble:
    """Logs when something begins to fail and when it works again."""

    def __init__(self, what: str, log: FilteringBoundLogger) -> None:
        """`what` fails is a log line of its own."""
        self._what = what
        self._log = log
        self._reason = ""

    def __str__(self) -> str:
        """Tell what is wrong, if anything."""
        return self._reason or "well"

    def began(self, error: BaseException) -> None:
        """It failed."""
        reason = str(error) or type(error).__name__
        if not self._reason:
            self._log.error(self._what, reason=reason)
        self._reason = reason

    def ended(self) -> None:
        """It worked."""
        if self._reason:
            self._log.info("over: " + self._what)
        self._reason = ""
