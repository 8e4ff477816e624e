"""Adding up exchanges: first those that differ in nothing that matters, then for each subject, by hour and day."""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from sluicegate.domain.usage_rows import (
    GRAINS,
    HOUR,
    ID,
    MODEL,
    MOST_MICROSECONDS,
    MOST_MONEY,
    MOST_TOKENS,
    NAME,
    Kept,
    RollupKey,
    Scope,
    Sums,
    began_at,
    microseconds,
    storable_tags,
    storable_text,
    within,
)


class Kind(NamedTuple):
    """What exchanges have in common that are added up first; `hour` is the beginning of their time, to the hour."""

    hour: str
    organization_id: str
    project_id: str
    user_id: str | None
    token: str
    provider: str
    model: str
    tags: tuple[str, ...]


Alike = dict[Kind, Sums]

_common: Final = attrgetter(*Kind._fields[1:])
_HOUR_CHARACTERS: Final = len("2026-11-21T10")
_LONGEST_MILLISECONDS: Final = MOST_MICROSECONDS / 1000

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[tuple[Kind, Sums]])


def alike(events: Iterable[Kept]) -> Alike:
    """What those come to that differ in nothing that matters here."""
    found: dict[tuple[str, Any], list[int]] = {}
    for event in events:
        key = event.timestamp[:_HOUR_CHARACTERS], _common(event)
        sums = found.get(key)
        if sums is None:
            sums = found[key] = [0] * 8
        _count(sums, event)
    return {Kind(hour, *common): Sums(*sums) for (hour, common), sums in found.items()}


def by_subject(kinds: Mapping[Kind, Sums]) -> dict[RollupKey, Sums]:
    """What they add up to by hour and day, for everybody, each organisation, project, user, token and tag.

    Each with one sum for each of the models it had answers of. Those whose caller was not recognised count for
    everybody alone.
    """
    found: dict[RollupKey, Sums] = {}
    for kind, sums in kinds.items():
        for key in _keys(kind):
            total = found.get(key)
            if total is None:
                total = found[key] = Sums()
            total.add(sums)
    return found


def packed(kinds: Alike) -> bytes:
    """The form in which they are put by, whatever their texts hold."""
    try:
        return _encoder.encode(list(kinds.items()))
    except ValueError:
        # Half a surrogate pair is no UTF-8.
        return _encoder.encode([(_storable(kind), sums) for kind, sums in kinds.items()])


def unpacked(all_packed: Iterable[bytes]) -> Alike:
    """What some of those come to together. Raises msgspec.MsgspecError."""
    together: Alike = {}
    for data in all_packed:
        for kind, sums in _decoder.decode(data):
            total = together.get(kind)
            if total is None:
                together[kind] = sums
            else:
                total.add(sums)
    return together


def _count(sums: list[int], event: Kept) -> None:
    """Add one to what `Sums` has, in its order."""
    sums[0] += 1
    if event.status_code >= 400 or event.is_cut:
        sums[1] += 1
    cost = event.cost
    if cost is None:
        sums[2] += 1
    else:
        sums[6] += cost if 0 <= cost <= MOST_MONEY else within(cost, MOST_MONEY)
    usage = event.usage
    if usage is not None:
        sums[3] += within(usage.input_tokens, MOST_TOKENS)
        sums[4] += within(usage.output_tokens, MOST_TOKENS)
        sums[5] += within(usage.cache_read_tokens, MOST_TOKENS)
    took = event.duration_ms
    sums[7] += int(took * 1000) if 0 <= took < _LONGEST_MILLISECONDS else microseconds(took)


def _keys(kind: Kind) -> list[RollupKey]:
    """The sums that exchanges like this are part of."""
    hour = began_at(f"{kind.hour}:00:00.000Z") // HOUR * HOUR
    owner, provider, model = storable_text(kind.organization_id, ID), kind.provider, kind.model
    provider, model = storable_text(provider, NAME), storable_text(model, MODEL)
    subjects: list[tuple[Scope, str, str]] = [("all", "", "")]
    owned: tuple[tuple[Scope, str], ...] = (
        ("organization", owner),
        ("project", kind.project_id),
        ("user", kind.user_id or ""),
        ("token", kind.token),
    )
    subjects += [(scope, storable_text(name, ID), owner) for scope, name in owned if name]
    subjects += [("tag", tag, owner) for tag in storable_tags(kind.tags)]
    return [
        RollupKey(grain, scope, hour // length * length, scope_id, owner, provider, model)
        for grain, length in GRAINS
        for scope, scope_id, owner in subjects
    ]


def _storable(kind: Kind) -> Kind:
    user = kind.user_id
    return Kind(
        storable_text(kind.hour, ID),
        storable_text(kind.organization_id, ID),
        storable_text(kind.project_id, ID),
        None if user is None else storable_text(user, ID),
        storable_text(kind.token, ID),
        storable_text(kind.provider, NAME),
        storable_text(kind.model, MODEL),
        storable_tags(kind.tags),
    )
