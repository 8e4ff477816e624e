"""The bodies of one request that are kept: without what must not be, and cut where they are too long."""

from typing import NamedTuple

LARGEST_BODY = 1_048_576
"""Bytes of a body, at most, that can be asked for: what a worker copies."""
USUAL_BODY = 16_384
"""Bytes, where nothing is said."""


class RequestBodies(NamedTuple):
    """A row, in the order of its columns. `at` is Unix milliseconds; `answer` is the text of a stream's events."""

    request_id: str
    at: int
    organization_id: str
    project_id: str
    request: str
    answer: str
    is_request_cut: bool
    is_answer_cut: bool
