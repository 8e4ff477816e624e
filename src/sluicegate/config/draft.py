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
        self._unresolved: set[Location] = set()

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
                self._unresolved.add(location)
                return value

        self.data = resolved(document.data, ())

    def put(self, location: tuple[str, ...], value: Any, place: Place) -> None:
        """Set one value, making the mappings above it; nothing happens where something else stands in their stead."""
        target = self.data
        for key in location[:-1]:
            if target.get(key) is None:
                target[key] = {}
            target = target[key]
            if not isinstance(target, dict):
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

    def report(self, location: Location, message: str, suggestion: str | None = None) -> None:
        """Note a problem with the value at `location`, unless the value is missing only because a reference failed."""
        if location in self._unresolved:
            return
        place = self._place(location)
        path = place.name or written(location)
        self.problems.append(Problem(place.file, place.line, path, message, suggestion))

    def find(self, *pattern: str | int | EllipsisType) -> Iterator[tuple[Location, Any]]:
        """Every value whose location fits the pattern, in which `...` stands for any key or index.

        Whatever has another shape is passed over.
        """
        found: list[tuple[Location, Any]] = [((), self.data)]
        for part in pattern:
            found = [
                ((*location, key), item)
                for location, value in found
                for key, item in _children(value)
                if part is ... or part == key
            ]
        yield from found

    def _place(self, location: Location) -> Place:
        """The place of the value, or of the nearest thing around it."""
        while location not in self._places:
            location = location[:-1]
        return self._places[location]


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
