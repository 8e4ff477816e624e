"""The supervisor's end of a channel, played against a plain socket."""

import pytest

from sluicegate.control.channel import DrainChanged, Reload, Serving, line
from sluicegate.supervisor.control_line import ControlLine


def test_messages_are_cut_out_of_the_stream() -> None:
    """Whatever has arrived whole is returned, the rest waits; nothing waits for more to come."""
    control = ControlLine()
    assert control.receive() == ([], None)
    control.theirs.sendall(line(Serving()) + line(DrainChanged(2.5))[:-4])
    assert control.receive() == ([Serving()], None)
    control.theirs.sendall(line(DrainChanged(2.5))[-4:])
    assert control.receive() == ([DrainChanged(2.5)], None)
    assert control.is_open
    assert repr(control) == "<ControlLine open>"
    control.close()


def test_last_words_are_heard() -> None:
    """What a process said just before it ended is returned together with its end."""
    control = ControlLine()
    control.theirs.sendall(line(Serving()))
    control.theirs.close()
    assert control.receive() == ([Serving()], None)
    assert not control.is_open
    assert control.receive() == ([], None)
    assert repr(control) == "<ControlLine ended>"
    control.close()


def test_nonsense_ends_the_line() -> None:
    """A process of another version is not listened to any further."""
    control = ControlLine()
    control.theirs.sendall(b"hello\n")
    messages, trouble = control.receive()
    assert messages == []
    assert trouble is not None
    assert "hello" in trouble
    assert not control.is_open
    control.close()


def test_words_reach_the_other_side() -> None:
    """A message travels as one line; to a process that is gone it is an error."""
    control = ControlLine()
    control.send(Reload())
    assert control.theirs.recv(100) == line(Reload())
    control.theirs.close()
    with pytest.raises(OSError, match="Broken pipe"):
        control.send(Reload())
    control.close()
