"""What a worker notes of an exchange that is sent and not recorded yet: names and bytes, and the event made of it.

Beside an incarnation's segments lies one file, `000-0193a5b0c0de1f2e3d4c.underway`: places of PLACE_BYTES, of each the
first byte says whether it is taken. What follows are two lines of JSON, a `Sent` and an `Owner`.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from sluicegate.domain.events import Charge, Exchange, Metadata

PLACE_BYTES: Final = 2048
"""Several times what an entry usually takes."""
PLACES: Final = 4096
"""Exchanges that one worker has under way at the same time, before it must write lines in advance."""
TAKEN: Final = 1
FREE: Final = 0

WORKER_LOST: Final = "worker_lost"
"""The code of a failure that only a note made in advance can tell of: the process died in the middle."""


class Sent(Struct, frozen=True, array_like=True):
    """One exchange. Its own line, if there is one, lies behind byte `offset` of segment `segment`.

    `began_at` is Unix milliseconds. `held` is what is set aside: for each limit if `has_own`, else the six figures of
    `gateway/purses.py`. `wanted` is what it may take of each limit, where it was admitted without the ledger and could
    not set that aside.
    """

    segment: int
    offset: int
    request_id: str
    began_at: int
    endpoint: str
    method: str
    kind: str
    dialect: str
    operation: str
    provider: str
    requested_model: str
    model: str
    attempts: int
    request_bytes: int
    client_address: str | None
    limit: str | None
    is_degraded: bool
    has_own: bool
    held: tuple[int, ...]
    wanted: tuple[int, ...] = ()


class Owner(Struct, frozen=True, array_like=True):
    """Whose exchange it is, and what it is charged to: account, number of the figure, number of the limit."""

    token: str
    project_id: str
    organization_id: str
    user_id: str | None
    tags: tuple[str, ...]
    accounts: tuple[tuple[str, int, int], ...]


_read_sent = msgspec.json.Decoder(Sent).decode
_read_owner = msgspec.json.Decoder(Owner).decode


def table_name(incarnation: str) -> str:
    """Name the file of what an incarnation has under way."""
    return f"{incarnation}.underway"


def taken_places(table: bytes) -> list[bytes]:
    """The entries in a table, whole or not."""
    starts = range(0, len(table), PLACE_BYTES)
    return [table[at + 1 : at + PLACE_BYTES] for at in starts if table[at] == TAKEN]


def read_entry(entry: bytes) -> tuple[Sent, Owner]:
    """Understand an entry. Raises ValueError where it is none."""
    lines = entry.split(b"\n", 2)
    if len(lines) < 3:
        raise ValueError("an entry without its end")
    return _read_sent(lines[0]), _read_owner(lines[1])


def lost_event(sent: Sent, owner: Owner) -> Exchange:
    """The record of an exchange that nobody is left to tell the end of: charged with all that was set aside."""
    held = sent.held
    charges: list[Charge] = []
    for account, figure, number in owner.accounts:
        leased = held[number if sent.has_own else figure]
        amount = sent.wanted[number] if sent.wanted else leased
        if amount:
            charges.append(Charge(account, amount, leased))
    second, milliseconds = divmod(sent.began_at, 1000)
    moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return Exchange(
        request_id=sent.request_id,
        timestamp=f"{moment}.{milliseconds:03d}Z",
        token=owner.token,
        project_id=owner.project_id,
        organization_id=owner.organization_id,
        endpoint=sent.endpoint,
        method=sent.method,
        status_code=0,
        duration_ms=0.0,
        metadata=Metadata(sent.model, created=second),
        user_id=owner.user_id,
        route=sent.kind,
        dialect=sent.dialect,
        operation=sent.operation,
        provider=sent.provider,
        requested_model=sent.requested_model,
        model=sent.model,
        attempts=sent.attempts,
        request_bytes=sent.request_bytes,
        error_source="gateway",
        error=WORKER_LOST,
        client_address=sent.client_address,
        tags=owner.tags,
        charges=tuple(charges),
        limit=sent.limit,
        is_degraded=sent.is_degraded,
    )
