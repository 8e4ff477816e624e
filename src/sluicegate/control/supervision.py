"""Control's end of the channel to its supervisor."""

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple, cast

from sluicegate.control.channel import BrokenChannelError, Go, LineReader, Message, Plan, Refused, Reload, line


class Word(NamedTuple):
    """The supervisor's word to begin. `is_outdated`: a reload was asked for that what is loaded may not know of."""

    go: Go
    is_outdated: bool


def introduce(channel: socket.socket, message: Plan | Refused) -> Word | None:
    """Say what the configuration wants and wait for the word to begin; None where it does not come."""
    channel.sendall(line(message))
    reader = LineReader()
    is_outdated = False
    while data := channel.recv(4_096):
        answers = reader.feed(data)
        # Before the word or behind it: nobody can tell whether it was asked for before the configuration was loaded.
        is_outdated = is_outdated or Reload() in answers
        for answer in answers:
            if isinstance(answer, Go):
                return Word(answer, is_outdated)
    return None


class Supervision(asyncio.Protocol):
    """The channel once the event loop runs."""

    def __init__(self, *, reload: Callable[[], None], lost: Callable[[], None]) -> None:
        """`reload` is called when the supervisor asks for it, `lost` once when it is gone."""
        self._reload = reload
        self._lost = lost
        self._reader = LineReader()
        self._transport: asyncio.Transport | None = None

    def __repr__(self) -> str:
        """Tell whether there is a supervisor."""
        return f"<Supervision {'standing' if self._transport else 'lost'}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Do as told. What makes no sense ends the channel, as if the supervisor were gone: it may be another's."""
        try:
            messages = self._reader.feed(data)
        except BrokenChannelError:
            if self._transport is not None:
                self._transport.abort()
            return
        for message in messages:
            if isinstance(message, Reload):
                self._reload()

    def connection_lost(self, exc: Exception | None) -> None:
        """The supervisor is gone, however it went."""
        del exc
        self._transport = None
        self._lost()

    def tell(self, message: Message) -> None:
        """Send a message."""
        if self._transport is not None:
            self._transport.write(line(message))
