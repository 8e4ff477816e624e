"""The account of an organisation's allowance."""

import pytest

from sluicegate.domain.fallback import fallback_account, is_fallback
from sluicegate.domain.limits import Limit, Rolling, WindowError, parts_of


def test_it_is_told_from_every_limits_account() -> None:
    """It is recognised, and no limit can have its name."""
    account = fallback_account("org_x")
    assert account == "org_x|usd|fallback"
    assert is_fallback(account)
    assert not is_fallback(Limit("organization", "org_x", "usd", Rolling(60), 1).account)
    with pytest.raises(WindowError):
        parts_of(account)
