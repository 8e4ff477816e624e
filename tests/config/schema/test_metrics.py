"""Who may read the metrics."""

import pytest
from pydantic import SecretStr, ValidationError

from sluicegate.config.schema import Metrics


def test_they_are_closed_unless_opened() -> None:
    """Without a word in the configuration there is no token, and they are not public."""
    assert Metrics() == Metrics(token=None, public=False)


def test_public_metrics_need_no_token() -> None:
    """Both together would leave open what somebody meant to close."""
    with pytest.raises(ValidationError, match="nobody needs the token"):
        Metrics(token=SecretStr("scrape-secret"), public=True)
    assert Metrics(public=True).public
    assert Metrics(token=SecretStr("scrape-secret")).token == SecretStr("scrape-secret")
