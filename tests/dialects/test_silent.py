"""The reader of streams that nothing is known about."""

from sluicegate.dialects.silent import SilentReader
from sluicegate.domain.usage import Reading


def test_any_end_is_a_good_end() -> None:
    """Whatever is fed, nothing is read, and the stream counts as complete."""
    reader = SilentReader()
    reader.feed([b'{"usage":{"prompt_tokens":1}}'])
    assert reader.is_complete
    assert reader.reading() == Reading()
    assert repr(reader) == "<SilentReader>"
