"""Settings before they are checked: the file's values, with the environment's and the flags' laid over them.

Every value remembers where it came from, so that whoever finds fault with it can name the place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

from sluicegate.config.document import Document
from sluicegate.config.problem import Location, Problem, written
from sluicegate.config.references import ReadFile, UnresolvedError, resolve


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value came from; `name` is that of the variable or flag, where it was one."""

    file: str
    line: int | None = None
    name: str | None = None


class Draft:
    """Raw values by location, their places, and the problems found so far."""

    def __init__(self, place: Place) -> None:
        """`place` is where problems of values that nobody gave are put down to."""
        self.data: dict[str, Any] = {}
        self.problems: list[Problem] = []
        self._places: dict[Location, Place] = {(): place}
        self._excused: set[Location] = set()

    def __repr__(self) -> str:
        """Tell how much is there, not what."""
        return f"<Draft places={len(self._places)} problems={len(self.problems)}>"

    def add_document(
        self, document: Document, *, file: str, environment: Mapping[str, str], read_file: ReadFile
    ) -> None:
        """Take over a file's values with their references resolved."""
        self._places |= {location: Place(file, line) for location, line in document.lines.items()}
        self.problems += document.problems

        def resolved(value: Any, location: Location) -> Any:
            if isinstance(value, dict):
                return {key: resolved(item, (*location, key)) for key, item in value.items()}
            if isinstance(value, list):
                return [resolved(item, (*location, index)) for index, item in enumerate(value)]
            if not isinstance(value, str):
                return value
            try:
                return resolve(value, environment=environment, read_file=read_file)
            except UnresolvedError as error:
                self.report(location, str(error))
                self._excused.add(location)
                return value

        self.data = resolved(document.data, ())

    def put(self, location: Location, value: Any, place: Place) -> None:
        """Set one value, making the mappings above it; nothing happens where something else stands in their stead.

        Entries of lists, which `location` names by their index, must be there.
        """
        target: Any = self.data
        for key in location[:-1]:
            if not _holds(target, key):
                return
            if isinstance(key, str) and target.get(key) is None:
                target[key] = {}
            target = target[key]
        if not _holds(target, location[-1]):
            return
        target[location[-1]] = value
        self._places[location] = place

    def append(self, key: str, value: dict[str, Any], place: Place) -> None:
        """Add an entry to the list under a top-level key, with the same caution as `put`."""
        if self.data.get(key) is None:
            self.data[key] = []
        if isinstance(self.data[key], list):
            self._places[(key, len(self.data[key]))] = place
            self.data[key].append(value)

    def name_entries(self, key: str) -> None:
        """Turn a list under a top-level key, whose entries have names, into a mapping by these.

        What has no name, or that of an earlier one, is reported and left out.
        """
        entries = self.data.get(key)
        if not isinstance(entries, list):
            return
        named: dict[str, Any] = {}
        for index, entry in enumerate(entries):
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str):
                self.report((key, index, "name"), "is required, as text")
            elif name in named:
                self.report((key, index, "name"), "has the name of an earlier one")
            else:
                named[name] = {field: value for field, value in entry.items() if field != "name"}
                self._move((key, index), (key, name))
        self.data[key] = named

    def _move(self, old: Location, new: Location) -> None:
        """Everything at or below `old` is now at or below `new`."""
        length = len(old)
        moved = {location: place for location, place in self._places.items() if location[:length] == old}
        self._places |= {(*new, *location[length:]): place for location, place in moved.items()}
        self._excused |= {(*new, *location[length:]) for location in self._excused if location[:length] == old}

    def excuse(self, location: Location) -> None:
        """Report nothing more about the value at `location`: what is wrong with it is another's fault, and reported."""
        self._excused.add(location)

    def report(self, location: Location, message: str, suggestion: str | None = None) -> None:
        """Note a problem with the value at `location`, unless it is there or missing by another's fault."""
        if location in self._excused:
            return
        place = self.place(location)
        path = place.name or written(location)
        self.problems.append(Problem(place.file, place.line, path, message, suggestion))

    def find(self, *pattern: str | int | EllipsisType) -> Iterator[tuple[Location, Any]]:
        """Every value whose location fits the pattern, in which `...` stands for any key or index.

        Whatever has another shape is passed over.
        """
        found: list[tuple[Location, Any]] = [((), self.data)]
        for part in pattern:
            found = [((*location, key), item) for location, value in found for key, item in _children(value, part)]
        yield from found

    def place(self, location: Location) -> Place:
        """The place of the value, or of the nearest thing around it."""
        while location not in self._places:
            location = location[:-1]
        return self._places[location]


def _holds(target: Any, key: str | int) -> bool:
    """Whether it has the shape in which such a key can stand."""
    return isinstance(target, list if isinstance(key, int) else dict)


def _children(value: Any, part: str | int | EllipsisType) -> Iterator[tuple[str | int, Any]]:
    """Those under one key or index, or under any."""
    if isinstance(value, dict):
        if part is ...:
            yield from value.items()
        elif part in value:
            yield part, value[part]
    elif isinstance(value, list):
        if part is ...:
            yield from enumerate(value)
        elif isinstance(part, int) and part < len(value):
            yield part, value[part]
