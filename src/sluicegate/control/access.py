"""Who may use a path of the management API."""

import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

from fastapi import Request

from sluicegate.control.context import Reached
from sluicegate.control.problems import ProblemError
from sluicegate.domain.tokens import digest

Role = Literal["anyone", "management"]

_HEADER = "x-admin-secret"


async def require_nothing() -> None:
    """Let everybody in."""


async def require_management(request: Request, context: Reached) -> None:
    """Let in who presents the management token, as a bearer or in `x-admin-secret`. Raises ProblemError 401, 403."""
    expected = context.configuration.current.management_digest
    if expected is None:
        detail = (
            "The management API is closed, as no management token is configured: set management_token in the file,"
            " or the variable MANAGEMENT_TOKEN."
        )
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)
    presented = [credential for credential in (_bearer(request), request.headers.get(_HEADER)) if credential]
    # Digests are compared, in constant time, so that not even the length of the token can be measured.
    if not any(hmac.compare_digest(digest(credential.encode("latin-1")), expected) for credential in presented):
        what = "is not the configured one" if presented else "is missing"
        detail = f"The management token {what}: send it as Authorization: Bearer …, or in {_HEADER}."
        raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"www-authenticate": "Bearer"})


GUARDS: dict[Role, Callable[..., object]] = {"anyone": require_nothing, "management": require_management}
"""What is asked of a caller before a route runs."""


def _bearer(request: Request) -> str | None:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None
