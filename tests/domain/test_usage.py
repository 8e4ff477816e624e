"""Token counts of one exchange."""

import msgspec

from sluicegate.domain.usage import Reading, Usage, total


def test_total_counts_parts_once() -> None:
    """Cached, reasoning and audio tokens are parts of input and output, not additions to them."""
    usage = Usage(
        100,
        20,
        cache_read_tokens=80,
        cache_write_tokens=5,
        reasoning_tokens=15,
        input_audio_tokens=3,
        output_audio_tokens=2,
    )
    assert usage.total_tokens == 120


def test_attempts_are_added_up_kind_by_kind() -> None:
    """What both consumed of each."""
    assert total(Usage(1, 2, 3, 4, 5, 6, 7, 8), Usage(10, 20, 30, 40, 50, 60, 70, 80)) == Usage(
        11, 22, 33, 44, 55, 66, 77, 88
    )


def test_json_leaves_out_what_is_zero() -> None:
    """Most exchanges have two figures, and an event's line holds no more than these; both ways lose nothing."""
    assert msgspec.json.encode(Usage(0, 0, 0, 0, 0, 0, 0, 0)) == b"{}"
    usage = Usage(input_tokens=3, output_tokens=4)
    assert msgspec.json.encode(usage) == b'{"input_tokens":3,"output_tokens":4}'
    assert msgspec.json.decode(b'{"input_tokens":3,"output_tokens":4}', type=Usage) == usage


def test_reading_of_an_answer_without_anything() -> None:
    """An answer that was no model's is complete, has no usage and no text to count."""
    reading = Reading()
    assert (reading.usage, reading.text, reading.text_dropped, reading.is_complete) == (None, "", 0, True)
    assert reading.is_usage_final
    assert (reading.model, reading.response_id, reading.finish_reason, reading.error) == (None, None, None, None)
