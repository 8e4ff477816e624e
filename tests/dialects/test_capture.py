"""The bounded capture of a stream's text."""

from sluicegate.dialects.capture import LARGEST_TEXT, Capture


def test_parts_are_joined_in_order() -> None:
    """What was added comes out as one text."""
    capture = Capture()
    capture.add(["a", "b"])
    capture.add(["", "ü"])
    assert capture.text() == "abü"
    assert capture.dropped == 0
    assert repr(capture) == "<Capture bytes=4 dropped=0>"


def test_bound_is_in_bytes_of_utf8() -> None:
    """Text that fills the bound exactly is kept; all that comes after it is dropped and measured."""
    capture = Capture()
    capture.add(["ü" * (LARGEST_TEXT // 2)])
    assert capture.dropped == 0
    capture.add(["x"])
    capture.add(["€"])
    assert capture.dropped == 4
    assert len(capture.text().encode()) == LARGEST_TEXT


def test_nothing_is_nothing() -> None:
    """Empty parts take no place."""
    capture = Capture()
    capture.add([])
    capture.add([""])
    assert (capture.text(), capture.dropped) == ("", 0)
