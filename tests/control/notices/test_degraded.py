"""Requests that were let through without the ledger are told, once a minute of each organisation."""

from msgspec import Struct

from sluicegate.control.notices.degraded import Degraded
from tests.control.notices.listening import Listener


class Event(Struct, frozen=True):
    """As much of an exchange as matters."""

    request_id: str
    timestamp: str
    organization_id: str = "org_a"
    is_degraded: bool = True


def test_one_in_a_minute_is_told() -> None:
    """The first, whichever batch it comes in; another minute and another organisation are told apart."""
    listener = Listener()
    degraded = Degraded(listener, now=lambda: listener.now)
    degraded.observe([Event("0", "2026-11-21T10:00:01.000Z", is_degraded=False)])
    assert listener.told == []
    degraded.observe([Event("1", "2026-11-21T10:00:01.000Z"), Event("2", "2026-11-21T10:00:59.999Z")])
    degraded.observe([Event("3", "2026-11-21T10:00:02.000Z"), Event("4", "2026-11-21T10:01:00.000Z")])
    degraded.observe([Event("5", "2026-11-21T10:00:02.000Z", "org_b")])
    assert listener.facts == [
        {"minute": "2026-11-21T10:00Z", "first_request_id": "1"},
        {"minute": "2026-11-21T10:01Z", "first_request_id": "4"},
        {"minute": "2026-11-21T10:00Z", "first_request_id": "5"},
    ]
    assert listener.told == [("request.degraded", name) for name in ("org_a", "org_a", "org_b")]
    assert listener.organizations == ["org_a", "org_a", "org_b"]
    assert repr(degraded) == "<Degraded>"
