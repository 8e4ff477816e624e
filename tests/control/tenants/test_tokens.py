"""When a token may not be used any more."""

from typing import Any

import pytest

from sluicegate.control.tenants.tokens import Issued, described, is_usable, shown, withered
from sluicegate.domain.tenants import Token

NOW = 1_000_000


def token(**fields: Any) -> Token:
    """A token that was made at 0."""
    values = {"organization_id": "org_1", "created_at": 0, "updated_at": 0, **fields}
    return Token(id="tok_1", digest=b"d" * 32, prefix="sk-sg-", last_four="wxyz", **values)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"status": "suspended"}, "it is suspended"),
        ({"status": "revoked"}, "it is revoked"),
        ({"expires_at": NOW + 1}, None),
        ({"expires_at": NOW}, "it has expired"),
        ({"retires_at": NOW + 1}, None),
        ({"retires_at": NOW}, "it was replaced by another one"),
        ({"idle_seconds": 1001}, None),
        ({"idle_seconds": 1000}, "it was not used for too long"),
        ({"idle_seconds": 1000, "last_used_at": 1}, None),
        ({"max_requests": 2, "request_count": 2}, None),
    ],
)
def test_token_withers(fields: dict[str, Any], reason: str | None) -> None:
    """A token stops at each of its bounds, in the millisecond that they name, and says at which."""
    assert withered(token(**fields), NOW) == reason


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"max_requests": 2, "request_count": 1}, True),
        ({"max_requests": 2, "request_count": 2}, False),
        ({"status": "suspended"}, False),
    ],
)
def test_token_that_was_used_up_is_not_usable(fields: dict[str, Any], expected: bool) -> None:
    """Nor is one that has stopped for another reason."""
    assert is_usable(token(**fields), NOW) is expected


def test_no_secret_is_told() -> None:
    """Neither the audit log's form nor a repr has the secret or the digest."""
    issued = Issued(token(expires_at=0), "sk-sg-secret")
    told = repr(described(issued.token)) + repr(issued)
    assert shown(issued.token) == "sk-sg-…wxyz"
    assert described(issued.token)["expires_at"] == "1970-01-01T00:00:00Z"
    assert not any(hidden in told for hidden in ("sk-sg-secret", "ddd", "digest"))
