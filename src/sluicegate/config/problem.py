"""What is wrong with a configuration: where it stands, why, and what may have been meant."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

Location = tuple[str | int, ...]
"""Where a value stands: keys of mappings and indices of lists, from the top of the file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `file` also names sources that are no file (`environment`, `command line`); they have no `line`.

    `path` is a setting (`providers.openai.base_url`) or the name of the variable or flag that was meant to set it.
    """

    file: str
    line: int | None
    path: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        """One line: `file:line: path: message (did you mean …?)`."""
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        path = f"{self.path}: " if self.path else ""
        meant = f" (did you mean {self.suggestion}?)" if self.suggestion else ""
        return f"{where}: {path}{self.message}{meant}"


class ConfigurationError(Exception):
    """The configuration cannot be used. Holds every problem that was found, never a secret."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep each problem once, in the order of the file."""
        unique = dict.fromkeys(problems)
        self.problems = tuple(sorted(unique, key=lambda problem: (problem.file, problem.line or 0)))
        super().__init__("\n".join(map(str, self.problems)))


def written(location: Location) -> str:
    """Write a location as operators read it: `models[0].targets[1].weight`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` was probably meant to be, if one is near; case and `-` for `_` do not count."""
    by_form = {_form(candidate): candidate for candidate in candidates}
    found = get_close_matches(_form(word), by_form, n=1, cutoff=0.6)
    return by_form[found[0]] if found else None


def _form(word: str) -> str:
    return word.lower().replace("-", "_")
