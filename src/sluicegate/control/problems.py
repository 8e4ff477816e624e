"""What a use case says when it refuses; `problem_answers` tells clients so."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

OPENAI_PATHS = "/v1/models"
"""What is asked with a provider's SDK begins so, and is refused in the form that it understands."""
REQUEST_ID_HEADER = "x-request-id"
"""Set by the worker that forwards the request; its answer to the client carries the same."""


class ProblemError(Exception):
    """A use case refuses: status, what is wrong and how to fix it, and, where there are several faults, each."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[dict[str, Any]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        """`errors` are shown as they are; `headers` go into the answer."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers


def invalid(field: str, message: str) -> ProblemError:
    """422 for one field of a body; `message` begins with a verb."""
    errors = [{"path": f"body.{field}", "message": message}]
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field} {message}.", errors=errors)
