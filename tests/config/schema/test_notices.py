"""Settings of notices."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema.notices import NoticeSettings


def test_defaults() -> None:
    """Half, four fifths and all of a budget; three days before a token ends."""
    assert NoticeSettings().model_dump() == {"budget_percents": (50, 80, 100), "token_seconds": 259_200.0}


@pytest.mark.parametrize("values", [{"budget_percents": [0]}, {"budget_percents": [101]}, {"token_seconds": -1}])
def test_what_cannot_be_reached_is_refused(values: dict[str, object]) -> None:
    """A share lies above nothing and up to all, and what was before now is too late."""
    with pytest.raises(ValidationError):
        NoticeSettings.model_validate(values)


def test_nothing_need_be_told() -> None:
    """Both can be turned off."""
    settings = NoticeSettings.model_validate({"budget_percents": [], "token_seconds": 0})
    assert (settings.budget_percents, settings.token_seconds) == ((), 0)
