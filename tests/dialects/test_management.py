"""The errors of management paths, as a worker tells them."""

import json

from sluicegate.dialects.management import Management
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.errors import ControlUnavailableError


def test_errors_are_problem_documents() -> None:
    """Of the media type that RFC 9457 gives them, with what the control process writes into its own."""
    dialect = Management()
    assert dialect.error_type == b"application/problem+json"
    assert json.loads(dialect.error_body(ControlUnavailableError("Away."), "req_1")) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Away.",
        "request_id": "req_1",
        "errors": [],
    }


def test_no_provider_speaks_it() -> None:
    """It is told from the others in a debugger, and cannot be configured."""
    assert repr(Management()) == "<Management>"
    assert Management.name not in DIALECTS
