"""Models that a request names beside its own."""

import json
from typing import Any

import pytest

from sluicegate.wire.peek import PeekError
from sluicegate.wire.stand_ins import stand_ins


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, []),
        ({"models": ["a", "b"]}, ["a", "b"]),
        ({"fallbacks": [{"model": "c"}]}, ["c"]),
        ({"models": ["a"], "fallbacks": [{"model": "c", "max_tokens": 1}, "d"]}, ["a", "c", "d"]),
        ({"models": None, "fallbacks": []}, []),
        ({"models": "a"}, [""]),
        ({"models": {"a": 1}}, [""]),
        ({"fallbacks": [{"name": "c"}, 5, None]}, ["", "", ""]),
        ({"messages": [{"models": ["a"], "fallbacks": [{"model": "b"}]}]}, []),
        ({"tools": [{"type": "image_generation", "model": "i"}, {"type": "web_search"}, "x"]}, ["i"]),
        ({"tools": [{"name": "f", "input_schema": {"properties": {"model": {"type": "string"}}}}]}, []),
        ({"tools": [{"type": "advisor", "model": None}]}, [""]),
        ({"tools": "all", "metadata": {"model": 1}}, [""]),
        ({"content": "\u00e9 models"}, []),
    ],
)
def test_names_are_read(fields: dict[str, Any], names: list[str]) -> None:
    """Of top-level fields alone; what cannot be read is told by an empty name."""
    assert stand_ins(json.dumps({"model": "m", **fields}).encode()) == names


def test_an_escaped_name_is_a_name() -> None:
    """A provider reads it as well."""
    assert stand_ins(b'{"model":"m","m\\u006fdels":["a"]}') == ["a"]
    assert stand_ins(b'{"model":"m","tools":[{"m\\u006fdel":"a"}]}') == ["a"]


def test_what_is_said_twice_is_refused() -> None:
    """Another reader could take the other one."""
    with pytest.raises(PeekError):
        stand_ins(b'{"models":["a"],"models":["b"]}')


def test_what_cannot_be_decoded_may_name_any_model() -> None:
    """Half a surrogate pair is no text here, nor is there an end to all nesting; some readers take both."""
    assert stand_ins(b'{"models":["\\ud800"]}') == [""]
    assert stand_ins(b'{"model":"m","tools":[' + b'{"model":' * 3_000 + b"1" + b"}" * 3_000 + b"]}") == [""]
