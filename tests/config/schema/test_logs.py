"""Settings of the log."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema.logs import LogSettings


def test_defaults_write_what_matters() -> None:
    """To whoever reads, and not without end."""
    settings = LogSettings()
    assert (settings.level, settings.format) == ("info", "auto")
    assert settings.sample.model_dump() == {"first": 100, "every": 100, "seconds": 1.0}


@pytest.mark.parametrize(
    "values",
    [
        {"level": "INFO"},
        {"format": "xml"},
        {"sample": {"first": 0}},
        {"sample": {"every": 0}},
        {"sample": {"seconds": 0}},
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    """Words that are none of ours, and bounds that would leave out everything."""
    with pytest.raises(ValidationError):
        LogSettings.model_validate(values)
