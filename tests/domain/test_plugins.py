"""The interface of plugins."""

from typing import Any

import msgspec
import pytest

from sluicegate.domain.events import Charge, Exchange, Metadata
from sluicegate.domain.plugins import Plugin, RefusedError, Request, Response, with_texts_of

EVENT = Exchange(
    "req_1", "2026-01-01T00:00:00.000Z", "tok_1", "prj_a", "org_a", "/x", "POST", 200, 1.0, Metadata("m", 1, 2, 3, 4),
    model="m", requested_model="secret", session_id="s", charges=(Charge("a", 1, 1),),
)  # fmt: skip


def test_a_plugin_that_overrides_nothing_changes_nothing() -> None:
    """Every hook of the base lets things be."""
    request = Request("r", "o", "p", None, "t", (), "POST", "/", "chat", "openai", "m", "", True, False, b"{}")
    response = Response(200, "openai", "m", None, 1.0, False, None)
    plugin = Plugin()
    assert plugin.before_forward(request) is None
    assert plugin.on_event(EVENT) is None
    plugin.after_response(request, response)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication"), (403, "permission"), (418, "invalid_request"), (429, "rate_limit"), (500, "server")],
)
def test_a_refusal_means_what_its_status_means(status: int, kind: str) -> None:
    """So that clients of every dialect act on it."""
    error = RefusedError("no", status=status, code="not_now")
    assert (error.status, error.kind, error.code, error.is_retryable) == (status, kind, "not_now", False)
    assert (RefusedError.status, RefusedError.code) == (403, "refused_by_plugin")


def test_a_refusal_for_a_while_is_retryable() -> None:
    """Where it says for how long."""
    error = RefusedError("later", status=503, retry_after=2.0)
    assert (error.kind, error.is_retryable, error.retry_after) == ("overloaded", True, 2.0)


@pytest.mark.parametrize("wrong", [{"status": 200}, {"status": 600}, {"code": "Not OK"}, {"code": ""}])
def test_what_is_no_refusal_cannot_be_made(wrong: dict[str, Any]) -> None:
    """Of a status that is no error, or a code that is no name."""
    with pytest.raises(ValueError, match="is not"):
        RefusedError("no", **wrong)


def test_only_texts_of_an_event_change() -> None:
    """What accounts are made from stays; the metadata names the same model as the event."""
    changed = msgspec.structs.replace(
        EVENT, requested_model="***", model="n", session_id=None, status_code=500, charges=(), request_id="req_2"
    )
    event = with_texts_of(changed, EVENT)
    assert (event.requested_model, event.model, event.metadata.model, event.session_id) == ("***", "n", "n", None)
    assert (event.request_id, event.status_code, event.charges) == ("req_1", 200, EVENT.charges)
    assert event.metadata.total_tokens == 3


def test_a_text_of_a_wrong_type_is_refused() -> None:
    """A journal that readers cannot read would be worse."""
    changed = msgspec.structs.replace(EVENT)
    msgspec.structs.force_setattr(changed, "model", 5)
    with pytest.raises(msgspec.ValidationError):
        with_texts_of(changed, EVENT)
