"""What a caller may know about its own token."""

import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.control.api import Api

FIELDS = {
    "token_id", "key", "name", "tier", "organization_id", "project_id", "user_id", "is_active", "expires_at",
    "idle_seconds", "retires_at", "max_requests", "request_count", "remaining_requests", "model", "models", "paths",
    "created_at", "last_used_at",
}  # fmt: skip


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_each_credential_header_is_read(header: str, api: Api) -> None:
    """The token is taken from any of the four headers that callers send it in."""
    secret = api.world().own["secret"]
    value = f"Bearer {secret}" if header == "authorization" else secret
    answer = api.ask("GET", "/v1/key", key=None, headers={header: value})
    assert (answer.status, answer.json["token_id"]) == (200, "tok_own")


def test_own_key_tells_what_a_caller_may_know(api: Api) -> None:
    """Bounds and use are told; the secret, and what managers keep with the token, are not."""
    fields = {"max_requests": 5, "models": ["smart"], "metadata": {"note": "watch them"}, "tags": ["suspect"]}
    secret = api.make("POST", "/admin/tokens", fields)["token"]
    answer = api.ask("GET", "/v1/key", key=secret)
    key = answer.json
    assert set(key) == FIELDS
    assert (key["max_requests"], key["request_count"], key["remaining_requests"]) == (5, 0, 5)
    assert (key["models"], key["key"]) == (["smart"], f"sk-sg-…{secret[-4:]}")
    assert not any(hidden in answer.body.decode() for hidden in (secret, "watch them", "suspect"))


def test_declared_token_is_told_too(api: Api) -> None:
    """A token of the configuration has no counts, and no more of it is shown than of any short secret."""
    key = api.ask("GET", "/v1/key", key="caller-secret").json
    assert set(key) == FIELDS
    assert (key["name"], key["key"], key["request_count"]) == ("lan", "****", None)


def test_key_of_the_key_file_is_told_too(api: Api) -> None:
    """A token that the key file declares is known as one of the configuration is, with what it is bound to."""
    principal = Principal(
        "tok_file", name="phone", model="gpt-x", paths=("chat/completions",), expires_at=1_900_000_000.0
    )
    api.key_file[digest(b"declared-in-the-key-file")] = principal
    key = api.ask("GET", "/v1/key", key="declared-in-the-key-file").json
    assert set(key) == FIELDS
    assert (key["token_id"], key["name"], key["key"]) == ("tok_file", "phone", "declar…file")
    assert (key["model"], key["paths"], key["expires_at"]) == ("gpt-x", ["chat/completions"], "2030-03-17T17:46:40Z")


def test_no_token_is_told_how_to_send_one(api: Api) -> None:
    """Without a token, with an unknown one, or with a manager's credential, the answer is 401."""
    assert "is missing" in api.ask("GET", "/v1/key", key=None).json["detail"]
    for key in ("sk-sg-unknown", "management-secret"):
        answer = api.ask("GET", "/v1/key", key=key)
        assert (answer.status, answer.json["detail"]) == (401, "This token is not known.")


def test_suspended_owner_is_told(api: Api) -> None:
    """A token whose user is suspended is refused with the reason."""
    world = api.world()
    api.make("PATCH", "/admin/projects/prj_own", {"status": "suspended"})
    answer = api.ask("GET", "/v1/key", key=world.own["secret"])
    assert (answer.status, answer.json["detail"]) == (
        403,
        "This token may not be used: what it belongs to is suspended.",
    )
