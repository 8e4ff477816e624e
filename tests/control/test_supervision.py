"""Control's end of the channel."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from sluicegate.control.channel import Go, Plan, Refused, Reload, Serving, line
from sluicegate.control.supervision import Supervision, introduce

PLAN = Plan("127.0.0.1", 0, 1, None, None, "/data", 30.0, "test")
GO = Go("/run/link.sock", "/run/control.sock")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The supervisor's end and control's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(
    ("answer", "is_outdated"),
    [([GO], False), ([Reload(), GO], True), ([GO, Reload()], True)],
    ids=["alone", "reload before", "reload behind"],
)
def test_introduction_waits_for_the_word(
    pair: tuple[socket.socket, socket.socket], answer: list[Go | Reload], is_outdated: bool
) -> None:
    """The plan is told, and where to listen comes back; a reload that was asked for meanwhile is not lost."""
    supervisor, control = pair
    supervisor.sendall(b"".join(map(line, answer)))
    assert introduce(control, PLAN) == (GO, is_outdated)
    assert supervisor.recv(4096) == line(PLAN)


def test_word_may_arrive_in_pieces(pair: tuple[socket.socket, socket.socket]) -> None:
    """A cut line is waited for; an end before it means that there is nothing to begin."""
    supervisor, control = pair
    supervisor.sendall(line(GO)[:10])
    supervisor.shutdown(socket.SHUT_WR)
    assert introduce(control, Refused("everything")) is None
    assert supervisor.recv(4096) == line(Refused("everything"))


class Heard:
    """A supervision whose calls are recorded."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ended = asyncio.Event()
        self.supervision = Supervision(reload=lambda: self.calls.append("reload"), lost=self._lost)

    def _lost(self) -> None:
        self.calls.append("lost")
        self.ended.set()


@pytest.mark.parametrize("ending", [b"", b"nonsense\n"])
def test_supervisor_is_obeyed_until_it_is_gone(pair: tuple[socket.socket, socket.socket], ending: bytes) -> None:
    """Reload is done, other messages are passed over; an end of the stream or nonsense in it ends the supervision."""
    supervisor, control = pair

    async def scenario() -> list[str]:
        heard = Heard()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: heard.supervision, sock=control)
        assert repr(heard.supervision) == "<Supervision standing>"
        heard.supervision.tell(Serving())
        assert await loop.run_in_executor(None, supervisor.recv, 4096) == line(Serving())
        supervisor.sendall(line(Reload()) + line(GO) + ending)
        if not ending:
            supervisor.shutdown(socket.SHUT_WR)
        await heard.ended.wait()
        heard.supervision.tell(Serving())
        assert repr(heard.supervision) == "<Supervision lost>"
        return heard.calls

    # Nonsense makes the whole read worthless, so nothing of it is done.
    assert asyncio.run(scenario()) == (["lost"] if ending else ["reload", "lost"])


def test_supervision_without_a_channel_says_nothing() -> None:
    """Before it stands and after it ended, messages go nowhere."""
    supervision = Supervision(reload=lambda: None, lost=lambda: None)
    supervision.tell(Serving())
    supervision.data_received(b"nonsense\n")
    assert repr(supervision) == "<Supervision lost>"
