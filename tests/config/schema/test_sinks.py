"""Settings of sinks."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sluicegate.config.schema import FilterSettings, SinkSettings
from sluicegate.config.schema.sinks import SinkName


@pytest.mark.parametrize("name", ["a", "my-hook_2", "9"])
def test_names_of_sinks(name: str) -> None:
    """They are parts of file names."""
    assert TypeAdapter(SinkName).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a b", "a" * 65])
def test_what_is_no_name(name: str) -> None:
    """Anything that a file name could not hold, or that another file could have."""
    with pytest.raises(ValidationError, match="is no name for a sink"):
        TypeAdapter(SinkName).validate_python(name)


@pytest.mark.parametrize("url", ["http://h", "https://h.example:8443/a/b?c=d", "http://[::1]:80/"])
def test_addresses(url: str) -> None:
    """With a path and a query, which may hold a token: so they are secret."""
    settings = SinkSettings.model_validate({"type": "webhook", "url": url})
    assert settings.text("url") == url
    assert url not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "ftp://h",
        "http://",
        "http://u:p@h/",
        "http://h/#x",
        "http://h:x/",
        "http://h:0",
        "http://h/ä",
        "http://h/ ",
    ],
)
def test_what_is_no_address(url: str) -> None:
    """It is not repeated in what is said about it."""
    with pytest.raises(ValidationError, match="must be http://host/path") as caught:
        SinkSettings.model_validate({"type": "webhook", "url": url})
    assert not url or f"'{url}'" not in str(caught.value)


@pytest.mark.parametrize("field", ["", "a b", "a..b", ".a", "a.", "ä"])
def test_what_is_no_field(field: str) -> None:
    """Fields are named as in events, with dots."""
    with pytest.raises(ValidationError, match="must be a field of the event"):
        FilterSettings(field=field, present=True)


def test_a_condition_says_something() -> None:
    """A field alone is none."""
    with pytest.raises(ValidationError, match="has no condition"):
        FilterSettings(field="model")
    assert FilterSettings(field="model", any_of=("a", 1, True, 0.5)).any_of == ("a", 1, True, 0.5)


def test_fields_are_chosen_in_one_way() -> None:
    """By those that are sent, or by those that are not."""
    with pytest.raises(ValidationError, match="has both fields and omit_fields"):
        SinkSettings(type="webhook", fields=("model",), omit_fields=("token",))


@pytest.mark.parametrize(
    "given",
    [{"batch": {"count": 0}}, {"batch": {"count": 10_001}}, {"concurrency": 65}, {"timeout": 0}, {"run_by": "me"}],
)
def test_bounds(given: dict[str, Any]) -> None:
    """Of what makes sense."""
    with pytest.raises(ValidationError):
        SinkSettings.model_validate({"type": "webhook", **given})


def test_what_is_not_set_is_empty() -> None:
    """As text, whatever it is."""
    settings = SinkSettings.model_validate({"type": "lunary", "api_key": "key-of-ours"})
    assert (settings.text("url"), settings.text("api_key"), settings.text("region")) == ("", "key-of-ours", "")
