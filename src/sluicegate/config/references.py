"""`${VAR}`, `${VAR:-default}` and `file:/path` in a value → what they stand for.

Rule 1. A variable that is not set, or is empty, takes the default; without one it is an error.
Rule 2. `$$` stands for one dollar sign; a dollar sign before anything but `{` stands for itself. A whole value like
        `$NAME` is an error: a shell would have put something in its place, and a secret would be the variable's name.
Rule 3. What a variable or a file holds is taken as it is: nothing in it is looked at again.
"""

import re
from collections.abc import Callable, Mapping

ReadFile = Callable[[str], str]
"""Gives the text of a file by its path. Raises OSError, or ValueError where it is no text."""

FILE_PREFIX = "file:"
_PART = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_BARE = re.compile(r"\$([A-Z_][A-Z0-9_]*)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class UnresolvedError(ValueError):
    """A reference leads nowhere; the message names the variable or the file."""


def resolve(text: str, *, environment: Mapping[str, str], read_file: ReadFile) -> str:
    """Return `text` with its references replaced. Raises UnresolvedError."""
    bare = _BARE.fullmatch(text)
    if bare is not None:
        name = bare[1]
        raise UnresolvedError(f"${name} is no reference: write ${{{name}}}, or $${name} to mean the characters")
    is_file = text.startswith(FILE_PREFIX)
    resolved = _PART.sub(lambda match: _replacement(match, environment), text)
    return _content(resolved.removeprefix(FILE_PREFIX), read_file) if is_file else resolved


def _replacement(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    inside = None if match[1] is None else _INSIDE.fullmatch(match[1])
    if inside is None:
        raise UnresolvedError("${…} must hold a variable's name, or NAME:-default; write $$ for a dollar sign")
    name, default = inside.groups()
    value = environment.get(name, "")
    if value:
        return value
    if default is None:
        state = "empty" if name in environment else "not set"
        raise UnresolvedError(f"the environment variable {name} is {state}")
    return str(default)


def _content(path: str, read_file: ReadFile) -> str:
    """Text of the file less the line breaks at its end, which editors and `echo` add."""
    try:
        return read_file(path).rstrip("\r\n")
    except OSError as error:
        raise UnresolvedError(f"cannot read the file {path}: {error.strerror}") from None
    except ValueError:
        raise UnresolvedError(f"the file {path} is not UTF-8 text of at most 1 MiB") from None
