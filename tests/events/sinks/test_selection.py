"""Which events are sent, and which of their fields."""

from typing import Any

import pytest

from sluicegate.config.schema import FilterSettings, SinkSettings
from sluicegate.events.sinks.selection import found, is_wanted, selector

EVENT: dict[str, Any] = {
    "kind": "exchange",
    "request_id": "req_1",
    "status_code": 503,
    "model": "claude-sonnet-4-5",
    "is_stream": True,
    "tags": ["night", "batch"],
    "usage": {"input_tokens": 10, "output_tokens": 2},
}


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ({"field": "status_code", "at_least": 400}, True),
        ({"field": "status_code", "at_least": 504}, False),
        ({"field": "status_code", "at_least": 400, "at_most": 499}, False),
        ({"field": "status_code", "any_of": [503, 504]}, True),
        ({"field": "status_code", "any_of": ["503"]}, False),
        ({"field": "model", "any_of": ["claude-*"]}, True),
        ({"field": "model", "any_of": ["claude"]}, False),
        ({"field": "model", "none_of": ["gpt-*", "claude-opus-*"]}, True),
        ({"field": "model", "none_of": ["claude-*"]}, False),
        ({"field": "model", "at_least": 1}, False),
        ({"field": "is_stream", "any_of": [True]}, True),
        ({"field": "is_stream", "any_of": [1]}, False),
        ({"field": "is_stream", "at_least": 0}, False),
        ({"field": "tags", "any_of": ["night"]}, True),
        ({"field": "tags", "none_of": ["batch"]}, False),
        ({"field": "usage.input_tokens", "at_most": 10}, True),
        ({"field": "usage.reasoning_tokens", "at_most": 10}, False),
        ({"field": "model.name", "present": False}, True),
        ({"field": "error", "present": True}, False),
        ({"field": "error", "none_of": ["worker_lost"]}, True),
        ({"field": "error", "any_of": ["*"]}, False),
    ],
)
def test_conditions(condition: dict[str, Any], is_met: bool) -> None:
    """By values, wildcards, bounds and presence; what is missing is none of anything."""
    assert is_wanted(EVENT, [FilterSettings.model_validate(condition)]) is is_met


def test_all_conditions_must_hold() -> None:
    """Without one, everything is wanted; of several, each counts."""
    met = FilterSettings(field="kind", any_of=("exchange",))
    assert is_wanted(EVENT, [])
    assert is_wanted(EVENT, [met, met])
    assert not is_wanted(EVENT, [met, FilterSettings(field="model", present=False)])


def test_brackets_and_marks_mean_themselves() -> None:
    """Only the asterisk stands for anything."""
    assert is_wanted({"model": "a[b]?"}, [FilterSettings(field="model", any_of=("a[b]?",))])
    assert not is_wanted({"model": "abc"}, [FilterSettings(field="model", any_of=("a[b]?",))])


def test_fields_are_found_by_their_paths() -> None:
    """A path that leads nowhere finds nothing."""
    assert found(EVENT, "usage.output_tokens") == 2
    assert found(EVENT, "usage.output_tokens.more") is None


def test_some_fields_are_kept() -> None:
    """With what events are known by; what is not there is not made up."""
    select = selector(SinkSettings(type="webhook", fields=("model", "usage.input_tokens", "usage.none", "error")))
    assert select(EVENT) == {
        "kind": "exchange",
        "request_id": "req_1",
        "model": "claude-sonnet-4-5",
        "usage": {"input_tokens": 10},
    }


def test_some_fields_are_left_out() -> None:
    """But never those that events are known by; the event itself stays as it is."""
    select = selector(SinkSettings(type="webhook", omit_fields=("model", "usage.input_tokens", "kind", "none.x")))
    selected = select(EVENT)
    assert selected["usage"] == {"output_tokens": 2}
    assert "model" not in selected
    assert selected["kind"] == "exchange"
    assert EVENT["usage"] == {"input_tokens": 10, "output_tokens": 2}


def test_everything_is_sent_where_nothing_is_said() -> None:
    """As it is."""
    assert selector(SinkSettings(type="webhook"))(EVENT) is EVENT
