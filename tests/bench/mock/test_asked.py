"""The fields of a body that change the answer."""

import pytest

from sluicegate.bench.mock.asked import Asked, Length, decode, length_of
from sluicegate.bench.mock.settings import MockSettings


@pytest.mark.parametrize(
    "body",
    [
        b'{"max_tokens":3}',
        b'{"max_completion_tokens":3,"max_tokens":9}',
        b'{"max_output_tokens":3}',
        b'{"generationConfig":{"maxOutputTokens":3}}',
    ],
)
def test_cap_of_each_api_cuts_the_answer(body: bytes) -> None:
    """Each API has its own name for the client's bound."""
    assert length_of(decode(body), MockSettings(tokens=8, usage=False)) == Length(3, True, 9, 0, False)


@pytest.mark.parametrize("body", [b"{}", b'{"max_tokens":8}', b'{"max_tokens":null,"generationConfig":{}}'])
def test_loose_cap_changes_nothing(body: bytes) -> None:
    """A bound that the answer keeps anyway does not cut it."""
    assert length_of(decode(body), MockSettings(tokens=8)) == Length(8, False, 9, 0, True)


def test_usage_chunk_is_sent_only_to_who_asked() -> None:
    """`stream_options.include_usage` decides."""
    assert not Asked().wants_usage_chunk
    assert not decode(b'{"stream_options":{}}').wants_usage_chunk
    assert decode(b'{"stream_options":{"include_usage":true},"unknown":[1]}').wants_usage_chunk
