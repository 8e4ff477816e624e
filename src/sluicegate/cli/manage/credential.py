"""Where secrets come from, and where a new one goes: never a command line, which every process can read."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from sluicegate.cli.manage.failure import USAGE, ManageError

_FILE = "file:"
_STANDARD_INPUT = "-"


def management_token(given: str | None) -> str:
    """The credential to manage with, from `--management-token` or its variable: a value, `file:PATH` or `-`.

    Where nothing is given, it is asked for at a terminal. Raises ManageError.
    """
    if given:
        return _checked(given if not _is_reference(given) else _resolved(given), "the management token")
    if not sys.stdin.isatty():
        raise ManageError(
            "No management token: set the variable MANAGEMENT_TOKEN, or pass --management-token file:PATH, or - to"
            " read it from standard input.",
            USAGE,
        )
    return _checked(str(typer.prompt("Management token", hide_input=True, err=True)), "the management token")


def secret(given: str | None, what: str) -> str:
    """A secret to send: `file:PATH`, `-`, or, where nothing is given, asked for at a terminal, else standard input.

    Raises ManageError, also for a value as it is.
    """
    if given is not None and not _is_reference(given):
        raise ManageError(
            f"{what} must not stand on the command line, where others can read it: pass file:PATH or -", USAGE
        )
    if given is None and sys.stdin.isatty():
        return _checked(str(typer.prompt(what.capitalize(), hide_input=True, err=True)), what)
    return _checked(_resolved(given or _STANDARD_INPUT), what)


def password(given: str | None) -> str:
    """A new password, from where a secret comes; at a terminal it is asked for twice. Raises ManageError."""
    if given is not None and not _is_reference(given):
        raise ManageError(
            "the password must not stand on the command line, where others can read it: pass file:PATH or -", USAGE
        )
    if given is None and sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return _resolved(given or _STANDARD_INPUT)


@contextmanager
def new_file(path: Path | None) -> Iterator[None]:
    """Make sure, before a secret is issued, that it can be written to `path`; take the file away if it is not.

    Raises ManageError where the file is there already or cannot be made.
    """
    if path is None:
        yield
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise ManageError(f"{path}: {error.strerror}", USAGE) from None
    try:
        yield
    finally:
        if path.stat().st_size == 0:
            path.unlink()


def is_from_standard_input(given: str | None) -> bool:
    """Whether a value stands for standard input, which can be read only once."""
    return given == _STANDARD_INPUT


def _is_reference(given: str) -> bool:
    return given == _STANDARD_INPUT or given.startswith(_FILE)


def _resolved(reference: str) -> str:
    if reference == _STANDARD_INPUT:
        return sys.stdin.read().rstrip("\r\n")
    path = reference.removeprefix(_FILE)
    try:
        return Path(path).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise ManageError(f"{path}: {reason}", USAGE) from None


def _checked(value: str, what: str) -> str:
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        raise ManageError(f"{what} must be printable ASCII, not empty, and without spaces at its ends", USAGE)
    return value
