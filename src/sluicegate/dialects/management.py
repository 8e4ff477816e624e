"""Our own management API, as far as a worker speaks for it: errors are problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import ClassVar

import msgspec

from sluicegate.dialects.generic import Generic
from sluicegate.domain.errors import GatewayError


class Management(Generic):
    """What a worker knows of the control process's paths; no provider speaks it."""

    name: ClassVar[str] = "management"
    error_type: ClassVar[bytes] = b"application/problem+json"

    def error_body(self, error: GatewayError, request_id: str) -> bytes:
        """`{"type","title","status","detail","request_id","errors"}`, as the control process itself writes it."""
        return msgspec.json.encode(
            {
                "type": "about:blank",
                "title": HTTPStatus(error.status).phrase,
                "status": error.status,
                "detail": error.message,
                "request_id": request_id,
                "errors": [],
            }
        )
