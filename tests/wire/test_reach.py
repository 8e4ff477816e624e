"""How much a JSON request makes a model read."""

import pytest

from sluicegate.wire.reach import Reach, reach_of
from sluicegate.wire.stated import stated_in

BEYOND = Reach(None)
REPEATED = Reach(None, is_repeated=True)


@pytest.mark.parametrize(
    ("body", "reach"),
    [
        (b'{"messages":[{"content":"hello"}]}', Reach(34, is_text=True)),
        (b'{"tools":[{"type":"function","function":{"name":"web_search"}}]}', Reach(64, is_text=True)),
        (b'{"prompt":"hello"}', Reach(18, is_text=True)),
        (b'{"image":"x"}', Reach(13 + 1000)),
        (b'{"\\u0069mage":"x"}', Reach(14 + 1000)),
        (b'{"input":[{"file_id":"f"}]}', BEYOND),
        (b'{"input":[{"fil\\u0065_id":"f"}]}', BEYOND),
        (b'{"input":[{"type":"item_reference","id":"msg_1"}]}', BEYOND),
        (b'{"tools":[{"type":"web_search"}]}', REPEATED),
        (b'{"tools":[{"type":"we\\u0062_search"}]}', REPEATED),
        (b'{"tools":[{"type":"mcp","server_url":"https://x"}]}', REPEATED),
        (b'{"prompt":{"id":"pmpt_1"}}', REPEATED),
        (b'{"prompt":{"id":"pmpt_1"},"user":"\\ud83d"}', REPEATED),
        (b'{"prompt":["a"],"user":"\\ud83d"}', Reach(32, is_text=True)),
    ],
)
def test_what_is_read_is_bounded_or_not(body: bytes, reach: Reach) -> None:
    """By bytes where it is text and images; what is elsewhere by what a model holds, and tools not even by that."""
    assert reach_of(body, stated_in(body), 1000) == reach
