"""Frames between a worker and its control process."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Origin, Provider, Snapshot
from sluicegate.wire.link import (
    LARGEST_FRAME,
    BrokenLinkError,
    Configure,
    Count,
    Counted,
    DeploymentHealth,
    Feed,
    Forget,
    FrameReader,
    Health,
    Hello,
    Journal,
    Ready,
    Resolve,
    Resolved,
    ToControl,
    ToWorker,
    frame,
    to_control,
    to_worker,
)

FROM_WORKER: list[ToControl] = [
    Hello(1, 4321),
    Journal("holding", 3),
    Ready(7),
    Resolve(1, b"\x00" * 32),
    Resolve(2, b"\x01" * 32, is_damaged=True),
    Count(2, "openai", "chat", "gpt-4.1", b'{"model":"gpt-4.1"}', b"some text", True, 5),
    Count(3, "openai", "chat", "gpt-4.1", b"", b"{}", False),
    Health(
        (DeploymentHealth("a/one", "half_open", 5, 1.5, 0.0, 3, 16), DeploymentHealth("b", "closed", 0, 0, 0, 0, 1))
    ),
    Health(()),
]
FROM_CONTROL: list[ToWorker] = [
    Configure(Snapshot(1, (Provider("a", "openai", Origin("http", "localhost", 80), "localhost"),))),
    Resolved(1, Principal("tok_1", models=("smart",))),
    Resolved(2, None),
    Counted(3, 10, 20, "counted"),
    Forget((b"\x01" * 32,)),
    Forget(),
    Feed(123.25, 0.8),
    Feed(0.0, float("inf")),
]


def body(data: bytes) -> bytes:
    """Take the body of the one frame in `data`."""
    [only] = FrameReader().feed(data)
    return only


def test_worker_is_understood() -> None:
    """What a worker says arrives in order and unchanged."""
    assert to_control(body(frame(FROM_WORKER))) == FROM_WORKER


def test_control_is_understood() -> None:
    """What control says arrives in order and unchanged."""
    assert to_worker(body(frame(FROM_CONTROL))) == FROM_CONTROL


def test_frame_begins_with_its_length() -> None:
    """Four bytes, big-endian, that do not count themselves."""
    data = frame(FROM_WORKER)
    assert int.from_bytes(data[:4], "big") == len(data) - 4


@given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.integers(0, 200), max_size=12))
def test_any_split_gives_the_same_frames(bodies: list[bytes], cuts: list[int]) -> None:
    """Wherever the stream is cut into reads, the same bodies come out, each once and as soon as it is whole."""
    data = b"".join(len(each).to_bytes(4, "big") + each for each in bodies)
    reader = FrameReader()
    found: list[bytes] = []
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        found += reader.feed(data[start:end])
        assert found == bodies[: len(found)]
        assert sum(len(each) + 4 for each in bodies[: len(found) + 1]) > end or found == bodies
    assert found == bodies
    assert repr(reader) == "<FrameReader waiting=0>"


def test_repr_tells_what_waits() -> None:
    """A stuck link shows how much it has got."""
    reader = FrameReader()
    assert reader.feed(b"\x00\x00\x00\x09abc") == []
    assert repr(reader) == "<FrameReader waiting=7>"


def test_refuses_an_excessive_frame_by_its_length() -> None:
    """A broken peer is found out before anything is collected for it."""
    with pytest.raises(BrokenLinkError, match=str(LARGEST_FRAME + 1)):
        FrameReader().feed((LARGEST_FRAME + 1).to_bytes(4, "big"))


def test_accepts_the_largest_frame() -> None:
    """The bound itself is allowed."""
    assert FrameReader().feed(LARGEST_FRAME.to_bytes(4, "big") + b"x") == []


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91\x91\xa5never", b"\x80"])
def test_refuses_what_is_no_batch(data: bytes) -> None:
    """Bytes that are not this protocol's are one error on both sides, whatever is wrong with them."""
    with pytest.raises(BrokenLinkError):
        to_control(data)
    with pytest.raises(BrokenLinkError):
        to_worker(data)


def test_each_side_refuses_its_own_words() -> None:
    """A message that travels the wrong way is a broken peer."""
    with pytest.raises(BrokenLinkError, match="hello"):
        to_worker(body(frame(FROM_WORKER)))
    with pytest.raises(BrokenLinkError, match="configure"):
        to_control(body(frame(FROM_CONTROL)))
