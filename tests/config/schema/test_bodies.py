"""What is kept of bodies."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema.bodies import BodySettings


def test_nothing_is_kept_unless_it_is_said() -> None:
    """And then, everything that can be taken out is."""
    settings = BodySettings()
    assert not settings.enabled
    assert settings.redact == ("email", "card", "key")
    assert {"password", "api_key", "authorization"} <= set(settings.redact_fields)


@pytest.mark.parametrize("wrong", [{"redact": ["emails"]}, {"rows": -1}, {"retention_seconds": 0}, {"fields": []}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    """Kinds that there are not, and bounds that hold nothing."""
    with pytest.raises(ValidationError):
        BodySettings.model_validate(wrong)
