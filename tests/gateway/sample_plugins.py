"""Plugins that tests install: each keeps what it was shown, and does what its test tells it to."""

from collections.abc import Callable
from typing import Any

from sluicegate.domain.events import Exchange
from sluicegate.domain.plugins import Plugin, Request, Response


class Editor(Plugin):
    """Answers `before_forward` with what `answer` makes of the request."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.answer: Callable[[Request], Any] = lambda _request: None

    def before_forward(self, request: Request) -> bytes | None:
        self.seen.append(request)
        body: bytes | None = self.answer(request)
        return body


class Second(Editor):
    """The same again, under another name."""


class Watcher(Plugin):
    """Keeps what came of requests."""

    def __init__(self) -> None:
        self.seen: list[tuple[Request, Response]] = []
        self.error: BaseException | None = None

    def after_response(self, request: Request, response: Response) -> None:
        self.seen.append((request, response))
        if self.error is not None:
            raise self.error


class Redactor(Plugin):
    """Answers `on_event` with what `answer` makes of the event."""

    def __init__(self) -> None:
        self.seen: list[Exchange] = []
        self.answer: Callable[[Exchange], Any] = lambda _event: None

    def on_event(self, event: Exchange) -> Exchange | None:
        self.seen.append(event)
        changed: Exchange | None = self.answer(event)
        return changed


class Idle(Plugin):
    """Overrides no hook."""


class Stranger:
    """Is no plugin."""


def fails() -> Plugin:
    """Cannot be made."""
    raise LookupError("no such rules")


def ends() -> Plugin:
    """Ends the program, or would."""
    raise SystemExit("no rules here")
