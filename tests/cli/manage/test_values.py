"""What the text of an option means."""

from typing import Any

import pytest

from sluicegate.cli.manage.failure import USAGE, ManageError
from sluicegate.cli.manage.values import emptied, entity_tag, given, metadata, seconds


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("2w", 1_209_600)]
)
def test_durations(text: str | None, expected: int | None) -> None:
    """A number with a unit, seconds without."""
    assert seconds(text, "--idle") == expected


@pytest.mark.parametrize("text", ["", "h", "1.5h", "-1", "1y", "1h30m", "٣"])
def test_no_duration(text: str) -> None:
    """Anything else names the option."""
    with pytest.raises(ManageError, match="--idle") as raised:
        seconds(text, "--idle")
    assert raised.value.exit_status == USAGE


def test_metadata_is_an_object() -> None:
    """JSON, and an object."""
    assert metadata(None) is None
    assert metadata('{"a": null}') == {"a": None}
    for text in ("[]", "a=b", ""):
        with pytest.raises(ManageError, match="--metadata"):
            metadata(text)


@pytest.mark.parametrize(("text", "tag"), [(None, None), ("*", "*"), ("3", '"3"'), ('"3"', '"3"')])
def test_version_as_entity_tag(text: str | None, tag: str | None) -> None:
    """A version may be written with or without its quotes."""
    assert entity_tag(text) == tag


def test_only_what_was_given() -> None:
    """Nothing and empty lists were not given; zero and the empty text were."""
    assert given(a=None, b=[], c=0, d="", e=False) == {"c": 0, "d": "", "e": False}


def test_unset() -> None:
    """Names go as the command line writes them; each has its own nothing."""
    empty: dict[str, Any] = {"max_requests": None, "tags": []}
    assert emptied(["max-requests", "tags"], empty, {}) == {"max_requests": None, "tags": []}
    with pytest.raises(ManageError, match="only these can be taken away: max-requests, tags"):
        emptied(["role"], empty, {})
    with pytest.raises(ManageError, match="also set"):
        emptied(["tags"], empty, {"tags": ["a"]})
