"""What is noted of an exchange is enough to charge it."""

import msgspec
import pytest

from sluicegate.domain.events import Charge
from sluicegate.domain.segments import parsed_segment_name
from sluicegate.domain.underway import (
    FREE,
    PLACE_BYTES,
    TAKEN,
    WORKER_LOST,
    Owner,
    Sent,
    lost_event,
    read_entry,
    table_name,
    taken_places,
)

OWNER = Owner("tok", "prj", "org", "usr", ("a", "b"), (("token|requests", 0, 0), ("token|tokens", 1, 2)))
SENT = Sent(
    3, 99, "req_1", 1_700_000_000_042, "/v1/chat/completions", "POST", "model", "openai", "chat", "mock", "wanted", "m",
    1, 80, "203.0.113.9", None, False, False, (1, 500, 9_000, 1, 1, 1),
)  # fmt: skip


def test_the_table_is_no_segment() -> None:
    """Readers of segments pass over it."""
    assert table_name("000-a") == "000-a.underway"
    assert parsed_segment_name(table_name("000-a")) is None


def test_an_entry_is_read_as_it_was_written() -> None:
    """Whatever follows it in its place."""
    entry = msgspec.json.encode(SENT) + b"\n" + msgspec.json.encode(OWNER) + b"\n" + b"rest of a longer one\n"
    assert read_entry(entry) == (SENT, OWNER)


@pytest.mark.parametrize("entry", [b"", b"[1,2]\n", b"[1,2]\n[3]\n", b"\0" * 50])
def test_what_is_no_entry_is_damage(entry: bytes) -> None:
    """Half of one, or nothing of the kind."""
    with pytest.raises(ValueError, match=r"."):
        read_entry(entry)


def test_an_entry_without_its_end_is_damage() -> None:
    """What was cut before the end of its last line may lack more than that."""
    with pytest.raises(ValueError, match="without its end"):
        read_entry(msgspec.json.encode(SENT) + b"\n" + msgspec.json.encode(OWNER))


def test_only_taken_places_count() -> None:
    """A table that was cut counts as far as it goes."""
    places = [bytes([state]) + b"%d" % state + bytes(PLACE_BYTES - 2) for state in (TAKEN, FREE, TAKEN)]
    assert [entry[:1] for entry in taken_places(b"".join(places)[:-100])] == [b"1", b"1"]
    assert taken_places(b"") == []


def test_what_nothing_was_set_aside_for_is_charged_too() -> None:
    """Without the ledger a request takes what it may take, though no lease covers all of it."""
    sent = msgspec.structs.replace(SENT, is_degraded=True, has_own=True, held=(0, 0, 300), wanted=(1, 1, 500))
    assert read_entry(msgspec.json.encode(sent) + b"\n" + msgspec.json.encode(OWNER) + b"\n")[0] == sent
    charges = lost_event(sent, OWNER).charges
    assert charges == (Charge("token|requests", 1, 0), Charge("token|tokens", 500, 300))


def test_the_event_charges_what_was_set_aside() -> None:
    """It says whose it was, and that the worker was lost."""
    event = lost_event(SENT, OWNER)
    assert event.charges == (Charge("token|requests", 1, 1), Charge("token|tokens", 500, 500))
    assert (event.timestamp, event.metadata.created) == ("2023-11-14T22:13:20.042Z", 1_700_000_000)
    assert (event.token, event.project_id, event.organization_id, event.user_id) == ("tok", "prj", "org", "usr")
    assert (event.error_source, event.error, event.status_code) == ("gateway", WORKER_LOST, 0)
    assert event.duration_ms == 0
    assert (event.provider, event.requested_model, event.model, event.tags) == ("mock", "wanted", "m", ("a", "b"))


def test_figures_of_its_own_go_by_limit() -> None:
    """What was not set aside for a limit is not charged to it."""
    sent = msgspec.structs.replace(SENT, has_own=True, held=(1, 1, 0))
    assert lost_event(sent, OWNER).charges == (Charge("token|requests", 1, 1),)
