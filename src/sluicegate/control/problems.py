"""What a use case says when it refuses; `problem_answers` tells clients so."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

GOOGLE_PATHS = "/v1beta/models"
"""What is asked with Google's SDK alone begins so."""
SDK_PATHS = ("/v1/models", GOOGLE_PATHS)
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


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is no field here",
    # Pydantic would tell the length of a secret.
    "too_short": "must not be shorter than {min_length}",
    "too_long": "must not be longer than {max_length}",
}
"""By pydantic's type of error; others are told in its words."""


def faults(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What pydantic found wrong with a request, as it is told: without the input, which may hold a misplaced secret."""
    return [
        {
            "path": ".".join(map(str, one["loc"])),
            "message": _words(one),
        }
        for one in errors
    ]


def _words(error: Mapping[str, Any]) -> str:
    words = _WORDS.get(error["type"])
    return str(error["msg"]).removeprefix("Value error, ") if words is None else words.format_map(error.get("ctx", {}))


def invalid(field: str, message: str) -> ProblemError:
    """422 for one field of a body; `message` begins with a verb."""
    errors = [{"path": f"body.{field}", "message": message}]
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field} {message}.", errors=errors)
