"""What can go wrong, in words for people and in an exit status for scripts."""

from collections.abc import Mapping
from typing import Any

USAGE = 2
"""The command line asks for something that makes no sense, or the gateway says that of its values."""
NOT_FOUND = 3
REFUSED = 4
"""The credential is missing, not known, or may not do this."""
UNREACHABLE = 5
"""No answer, or one that says: not now."""
CONFLICT = 6
"""There is one already, or somebody else has changed it in between."""
FAILED = 1
"""Anything else, such as a defect of the gateway."""

_EXITS = {
    400: USAGE,
    401: REFUSED,
    403: REFUSED,
    404: NOT_FOUND,
    409: CONFLICT,
    412: CONFLICT,
    413: USAGE,
    422: USAGE,
    502: UNREACHABLE,
    503: UNREACHABLE,
    504: UNREACHABLE,
}
"""By status of the answer (RFC 9110 section 15)."""


class ManageError(Exception):
    """A command cannot do what it was asked to; `exit_status` is one of those above."""

    def __init__(self, message: str, exit_status: int) -> None:
        """`message` may have several lines."""
        super().__init__(message)
        self.exit_status = exit_status


def of_answer(status: int, problem: object, where: str) -> ManageError:
    """What an answer says that is none of success. `problem` is its body (RFC 9457), None where that is no JSON."""
    exit_status = _EXITS.get(status, FAILED)
    body = problem if isinstance(problem, Mapping) else {}
    detail = body.get("detail")
    if detail is None and isinstance(body.get("error"), Mapping):
        # How workers answer where the process that manages is not there.
        detail = body["error"].get("message")
    if not isinstance(detail, str):
        return ManageError(f"{where}: {status}, and no word from the gateway; is this its address?", exit_status)
    lines = [printable(detail), *map(_fault, _list(body.get("errors")))]
    request_id = body.get("request_id")
    if exit_status == FAILED and request_id:
        lines.append(f"request id: {printable(str(request_id))}")
    return ManageError("\n".join(lines), exit_status)


def printable(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _fault(error: object) -> str:
    fields: Mapping[str, Any] = error if isinstance(error, Mapping) else {"message": error}
    # Of a configuration's problems, as `config check` tells them.
    place = ":".join(str(fields[name]) for name in ("file", "line") if fields.get(name) is not None)
    meant = f" (did you mean {fields['suggestion']}?)" if fields.get("suggestion") else ""
    words = [place, str(fields.get("path") or ""), f"{fields.get('message', '')}{meant}"]
    return f"  {printable(': '.join(word for word in words if word))}"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
