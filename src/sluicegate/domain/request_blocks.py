"""Requests of the log in blocks: thousands of rows that are written, searched and removed together.

A block is some pieces of bytes under numbers: a piece for each thing that rows are found by, with something of each row
in the order of the rows, and from `FIRST_CHUNK` on the rows themselves, `CHUNK` in each. Rows are in the order of time.

Rule 1. What is there of a row is a mark: two bytes of a checksum. So a search passes over a row at the speed at which
        the processor reads memory; a row whose marks fit is then read, and may still be another.
Rule 2. Nothing of one block is needed to read another.

Numbers are little-endian, as they are in memory wherever this program runs.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress, groupby, pairwise
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from sluicegate.domain.usage_rows import (
    DAY,
    ERROR,
    ID,
    MODEL,
    NAME,
    Kept,
    LoggedUsage,
    began_at,
    entry_of,
    storable_tags,
    storable_text,
)

LARGEST: Final = 5_000
"""Rows of a block: with a tenth of that in each, ten million requests would be 20,000 blocks to look through."""
CHUNK: Final = 64
"""Rows that are read at once: some 30 KB."""
PIECES: Final = 1_024
"""More than a block can have."""
FIRST_CHUNK: Final = 16

_TIMES, _IDS, _CLASSES, _STATUSES, _TAGS = 0, 1, 2, 3, 4
_MARKED: Final = {
    "organization_id": (5, "organization_id", ID),
    "project_id": (6, "project_id", ID),
    "user_id": (7, "user_id", ID),
    "token_id": (8, "token", ID),
    "provider": (9, "provider", NAME),
    "model": (10, "model", MODEL),
    "error": (11, "error", ERROR),
}
"""The number of each filter's piece, the field of the event, and how much of it counts."""

_BY_LIKELIHOOD: Final = (_IDS, 8, 7, 6, 11, 10, _STATUSES, _TAGS, _CLASSES, 9, 5)
"""Pieces: tokens before organisations."""
_WIDTH: Final = 2
_FEW: Final = 100
"""Places that are found sooner one by one."""
_SAMPLE, _MANY = 512, 10
"""Where the first bytes of a piece have a mark so often, there are many."""
_NUMBERS: Final = tuple(range(LARGEST))
_MOST_MARKS: Final = 0x10000


class Stored(Kept, frozen=True, gc=False, array_like=True):
    """A row as it is kept: what the event says, without the names."""


class Block(NamedTuple):
    """When the first and the last of its `rows` began, Unix milliseconds, and its pieces by number."""

    first_at: int
    last_at: int
    rows: int
    pieces: list[tuple[int, bytes]]


class Demand(NamedTuple):
    """What a row has to have for a filter: in the piece of this number, this."""

    piece: int
    needle: bytes


_Place = tuple[int, str, int]
"""When an event's request began, its id, and where it is among the others."""

_fields: Final = attrgetter(*Kept.__struct_fields__)
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Stored)


def blocks_of(events: Sequence[Kept]) -> list[Block]:
    """Put events into as few blocks as they fit in, each of one day, in the order of time."""
    ordered = sorted((began_at(event.timestamp), event.request_id, place) for place, event in enumerate(events))
    return [
        _block([at for at, _, _ in part], [events[place] for _, _, place in part])
        for _, day in groupby(ordered, key=lambda row: row[0] // DAY)
        for part in _parts(list(day))
    ]


def rows_of(chunk: bytes) -> list[Stored]:
    """The rows of a chunk, but those that cannot be read: one that is damaged must not hold up the others."""
    try:
        return _decoder.decode_lines(chunk)
    except ValueError:
        rows = (row_of(line) for line in lines_of(chunk))
        return [row for row in rows if row is not None]


def lines_of(chunk: bytes) -> list[bytes]:
    """The rows of a chunk, unread."""
    return chunk.split(b"\n")[:-1]


def row_of(line: bytes) -> Stored | None:
    """One row; None where it is damaged."""
    try:
        return _decoder.decode(line)
    except ValueError:
        return None


def demands_of(values: dict[str, str], *, status_code: int | None, status_class: int | None) -> list[Demand]:
    """What rows have to have: `values` by the name of the filter, one of `tag`, `request_id`, `organization_id` …"""
    found = [Demand(_piece_of(name), _mark(value).to_bytes(_WIDTH, "little")) for name, value in values.items()]
    if status_code is not None:
        found.append(Demand(_STATUSES, status_code.to_bytes(_WIDTH, "little")))
    if status_class is not None:
        found.append(Demand(_CLASSES, bytes((status_class,))))
    # Those that few rows are likely to fit come first.
    return sorted(found, key=lambda demand: _BY_LIKELIHOOD.index(demand.piece))


class Candidates:
    """Rows of a block that may have what some demands ask for, as far as it is known."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._places: list[int] | None = None
        self._put_off: list[tuple[bytes, bytes]] = []

    def __repr__(self) -> str:
        """Tell how many are known."""
        return f"<Candidates {'?' if self._places is None else len(self._places)} of {self._rows}>"

    def narrow(self, demand: Demand, data: bytes) -> bool:
        """Keep the rows that fit by the demand's piece, empty where the block has none; return whether some may."""
        if not data:
            self._places = []
        elif demand.piece == _TAGS:
            tagged = _rows_tagged(data, demand.needle)
            self._places = tagged if self._places is None else sorted({*self._places}.intersection(tagged))
        elif self._places is not None:
            self._places = _still(self._places, data, demand.needle)
        else:
            self._places = _places(data, demand.needle)
            if self._places is None:
                # To list as many rows takes longer than to look at those another demand leaves.
                self._put_off.append((data, demand.needle))
        return self._places != []

    def newest_first(self, span: range | None = None) -> Iterator[int]:
        """The rows, the last first, among those of `span` where it is given."""
        span = range(self._rows) if span is None else span
        places = self._places
        if places is not None:
            for each in self._put_off:
                places = _still(places, *each)
        elif self._put_off:
            places = _fitting_all(self._put_off)
        # Two tags of a row may have the same mark.
        return iter(span[::-1]) if places is None else (at for at in dict.fromkeys(reversed(places)) if at in span)


def times_piece() -> int:
    """The number of the piece that `span_of` reads."""
    return _TIMES


def span_of(times: bytes, since: int, until: int) -> range:
    """The rows that began from `since` on and before `until`, Unix milliseconds."""
    at = memoryview(times).cast("q")
    return range(bisect_left(at, since), bisect_left(at, until))


def _parts(rows: list[_Place]) -> list[list[_Place]]:
    """All about as large: a block of a few rows would be read as often as a large one."""
    count = -(-len(rows) // LARGEST)
    edges = [len(rows) * number // count for number in range(count + 1)]
    return [rows[start:end] for start, end in pairwise(edges)]


def _block(times: list[int], events: list[Kept]) -> Block:
    pieces = [(_TIMES, array("q", times).tobytes())]
    pieces.append((_IDS, array("H", [_checksum(event.request_id, ID) for event in events]).tobytes()))
    statuses = [min(max(event.status_code, 0), 999) for event in events]
    pieces.append((_CLASSES, bytes([status // 100 for status in statuses])))
    pieces.append((_STATUSES, array("H", statuses).tobytes()))
    tagged = [(place, tag) for place, event in enumerate(events) if event.tags for tag in storable_tags(event.tags)]
    if tagged:
        marks = array("H", [_mark(tag) for _, tag in tagged])
        pieces.append((_TAGS, marks.tobytes() + array("H", [place for place, _ in tagged]).tobytes()))
    for number, field, length in _MARKED.values():
        marks_of = _Marks(length)
        pieces.append((number, array("H", map(marks_of.__getitem__, map(attrgetter(field), events))).tobytes()))
    starts = range(0, len(events), CHUNK)
    pieces += [(FIRST_CHUNK + number, _chunk(events[start : start + CHUNK])) for number, start in enumerate(starts)]
    return Block(times[0], times[-1], len(events), pieces)


class _Marks(dict[str | None, int]):
    """The marks of values; those of a block are few, or come again."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = length

    def __missing__(self, value: str | None) -> int:
        mark = self[value] = _checksum(value or "", self._length)
        return mark


def _checksum(text: str, length: int) -> int:
    return _mark(storable_text(text, length))


def _mark(text: str) -> int:
    return crc32(text.encode()) % _MOST_MARKS


def _piece_of(name: str) -> int:
    if name == "tag":
        return _TAGS
    return _IDS if name == "request_id" else _MARKED[name][0]


def _chunk(events: list[Kept]) -> bytes:
    try:
        return _encoder.encode_lines(map(_fields, events))
    except (OverflowError, ValueError):
        # A number beyond 64 bits, or text that is no UTF-8: that row is kept without its details.
        return b"".join(_line(event) for event in events)


def _line(event: Kept) -> bytes:
    try:
        return _encoder.encode(_fields(event)) + b"\n"
    except (OverflowError, ValueError):
        return _encoder.encode(_fields(_plain(event))) + b"\n"


def _plain(event: Kept) -> Kept:
    """As much of it as can always be written."""
    row, tags = entry_of(event)
    return Kept(
        request_id=row.request_id,
        timestamp=storable_text(event.timestamp, ID),
        token=row.token_id,
        project_id=row.project_id,
        organization_id=row.organization_id,
        endpoint=row.endpoint,
        method=row.method,
        status_code=row.status_code,
        duration_ms=row.duration_us / 1000,
        user_id=row.user_id,
        provider=row.provider,
        model=row.model,
        first_byte_ms=None if row.first_byte_us is None else row.first_byte_us / 1000,
        usage=LoggedUsage(row.input_tokens, row.output_tokens),
        error=row.error or None,
        tags=tags,
        cost=row.cost,
        is_stream=row.is_stream,
    )


def _places(data: bytes, needle: bytes) -> list[int] | None:
    """Where it is among values of its width, one by one; None where there are many."""
    if data.count(needle, 0, _SAMPLE) > _MANY:
        return None
    width = len(needle)
    places: list[int] = []
    at = data.find(needle)
    while at >= 0:
        if at % width == 0:
            if len(places) == _FEW:
                return None
            places.append(at // width)
        # The next may overlap what was found between two values.
        at = data.find(needle, at + 1)
    return places


def _still(places: list[int], data: bytes, needle: bytes) -> list[int]:
    """Those of the places where it is, of which the first byte is looked at alone first: that leaves few."""
    for at, byte in enumerate(needle):
        if not places:
            break
        # All at once, the first twice: of one place it would give no tuple.
        found = itemgetter(places[0], *places)(data[at :: len(needle)])
        places = list(compress(places, map(byte.__eq__, found[1:]))) if byte in found else []
    return places


def _rows_tagged(data: bytes, needle: bytes) -> list[int]:
    """The rows with a tag: marks come first, then as many rows."""
    half = len(data) // 2
    if needle not in data[:half]:
        return []
    mask = _mask([(data[:half], needle)])
    return list(compress(memoryview(data[half:]).cast("H").tolist(), mask))


def _fitting_all(all_demanded: list[tuple[bytes, bytes]]) -> list[int]:
    mask = _mask(all_demanded)
    return list(compress(_NUMBERS, mask)) if 1 in mask else []


def _mask(all_demanded: list[tuple[bytes, bytes]]) -> bytes:
    """A byte for each row: 1 where all data has what is needed. It is made of whole pieces, not row by row."""
    fitting = -1
    for data, needle in all_demanded:
        for place, byte in enumerate(needle):
            fitting &= int.from_bytes(data[place :: len(needle)].translate(_table(byte)), "little")
    data, needle = all_demanded[0]
    return fitting.to_bytes(len(data) // len(needle), "little")


@lru_cache(maxsize=256)
def _table(byte: int) -> bytes:
    """Makes this byte 1, and all others 0."""
    return bytes(each == byte for each in range(256))
