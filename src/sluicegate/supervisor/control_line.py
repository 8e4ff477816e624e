"""The supervisor's end of the channel to one control process."""

import socket

from sluicegate.control.channel import BrokenChannelError, LineReader, Message, line


class ControlLine:
    """One control process's channel. A successor gets one of its own, so that none hears what was said by the other."""

    def __init__(self) -> None:
        """Make both ends. Raises OSError."""
        self._ours, self.theirs = socket.socketpair()
        """`theirs` is for the process to inherit; close it here once it has."""
        self._ours.settimeout(0)
        self._reader = LineReader()
        self._is_open = True

    def __repr__(self) -> str:
        """Tell whether somebody may still say something."""
        return f"<ControlLine {'open' if self._is_open else 'ended'}>"

    @property
    def is_open(self) -> bool:
        """Whether the other end still stands, as far as we have read."""
        return self._is_open

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._ours.fileno()

    def receive(self) -> tuple[list[Message], str | None]:
        """All messages that have arrived, and what is wrong with the one after them, if anything. Never waits."""
        messages: list[Message] = []
        while self._is_open:
            try:
                data = self._ours.recv(65_536)
                messages += self._reader.feed(data)
            except BlockingIOError:
                break
            except (OSError, BrokenChannelError) as error:
                self._is_open = False
                return messages, str(error)
            self._is_open = bool(data)
        return messages, None

    def send(self, message: Message) -> None:
        """Say something. Raises OSError: nobody is there, or nobody reads."""
        self._ours.send(line(message))

    def close(self) -> None:
        """Close both ends."""
        self._is_open = False
        self.theirs.close()
        self._ours.close()
