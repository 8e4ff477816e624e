"""Waiting for what another process does: asked again and again, as there is nobody to tell us."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

PATIENCE = 60.0
"""Seconds for what has to come. No test is about them: a machine with much to do stands still for seconds."""
_PAUSE = 0.02
"""Seconds between two questions: short beside starting a process, long beside asking."""


def eventually(condition: Callable[[], Answer], seconds: float = PATIENCE) -> Answer:
    """Return the first truthy answer of `condition`; an OSError counts as no. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            answer = condition()
            if answer:
                return answer
            last = answer
        except OSError as error:
            last = error
        assert time.monotonic() < deadline, f"not within {seconds:g} s; the last answer was {last!r}"
        time.sleep(_PAUSE)
