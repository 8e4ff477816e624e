"""Lines between supervisor and control."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.channel import (
    BrokenChannelError,
    DrainChanged,
    Go,
    LineReader,
    Message,
    Plan,
    Refused,
    Reload,
    Serving,
    WorkerReady,
    line,
)

text = st.text()
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Plan, drain_seconds=st.floats(0, 1e9)),
    st.builds(Refused),
    st.just(Serving()),
    st.builds(WorkerReady),
    st.builds(DrainChanged, seconds=st.floats(0, 1e9)),
    st.builds(Go),
    st.just(Reload()),
)


@given(st.lists(messages, max_size=4), st.data())
def test_messages_arrive_however_they_are_cut(sent: list[Message], data: st.DataObject) -> None:
    """Every message arrives as it was sent and in order, whatever is in it and wherever the stream is cut."""
    stream = b"".join(map(line, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    reader = LineReader()
    arrived: list[Message] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        arrived += reader.feed(stream[start:end])
    assert arrived == sent
    assert repr(reader) == "<LineReader waiting=0>"


@pytest.mark.parametrize(
    "broken",
    [
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        b'{"type": "no such"}\n',
        b'{"type": "go", "link": "a"}\n',
        b'{"type": "reload", "now": 1}\n',
        b'{"type": []}\n',
        b"\xff\n",
    ],
)
def test_what_is_no_message_is_refused(broken: bytes) -> None:
    """A line that is none of ours is told apart from an end."""
    with pytest.raises(BrokenChannelError, match="not a message"):
        LineReader().feed(broken)


def test_partial_line_waits() -> None:
    """A line without its end is no message yet."""
    reader = LineReader()
    assert reader.feed(b'{"type": ') == []
    assert repr(reader) == "<LineReader waiting=9>"
    assert reader.feed(b'"reload"}\n') == [Reload()]
