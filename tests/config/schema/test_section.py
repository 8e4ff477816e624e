"""All sections refuse unknown keys, take empty settings for unset ones, and never change."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema import Settings


def test_a_setting_with_nothing_after_its_colon_is_not_set() -> None:
    """A section whose lines are all commented out takes its defaults; an unknown key is still unknown."""
    assert Settings.model_validate({"server": None, "tokens": None}) == Settings()
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Settings.model_validate({"sever": None})


def test_settings_cannot_be_changed() -> None:
    """Settings are values."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().server.port = 1
